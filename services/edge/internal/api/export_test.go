package api

// What the tests, which stand outside, need to see from inside.
var (
	Routes          = routes
	ParseChange     = parseChange
	OpenAPIDocument = openAPIDocument
	SendTimeout     = responseTimeout
)
