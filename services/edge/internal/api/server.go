package api

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer makes a server for the handler of New or NewAdmin. It bounds what a connection may do
// before there is a request and between requests; what follows is bounded by the handler, for a
// server-wide read or write timeout would also end sockets and profiles. log, which may be nil, takes
// what net/http has to say.
func NewServer(addr string, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		// Longer than the usual minute of a load balancer, so that it is the one that closes: a
		// connection closed from here might already carry its next request.
		IdleTimeout: 2 * time.Minute,
		// Room for a token in the URL beside the cookies of a shared host.
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(newAnswerer(log).log.Handler(), slog.LevelWarn),
	}
}
