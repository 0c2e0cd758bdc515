module helix/bench

go 1.26.0

require helix/shared v0.0.0

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	go.uber.org/goleak v1.3.0 // indirect
)

replace helix/shared => ../../shared
