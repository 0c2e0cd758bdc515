package api

import "net/http"

// What the tests, which stand outside, need to see from inside.
var (
	Routes          = routes
	ParseChange     = parseChange
	OpenAPIDocument = openAPIDocument
	SendTimeout     = responseTimeout
)

// DocumentsAtOnce is how many documents are taken apart at the same time.
const DocumentsAtOnce = documentsAtOnce

// NewAnswers bounds answers by their bytes.
func NewAnswers(most int) func(w http.ResponseWriter, bytes int) (done func()) {
	a := &answers{most: most}
	return a.hold
}
