package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminOptions say what the admin handler stands on. Gatherer is required.
type AdminOptions struct {
	// Gatherer is what /metrics shows.
	Gatherer prometheus.Gatherer
	// Ready is as in Options; here its whole error is told.
	Ready func(context.Context) error
	// Log is as in Options.
	Log *slog.Logger
}

// NewAdmin makes the handler of the admin listener: /metrics, /debug/pprof/, /healthz and /readyz. It
// asks nobody who they are and shows much, so its listener belongs on the loopback or on a network
// of operators. It panics without a Gatherer.
func NewAdmin(o AdminOptions) http.Handler {
	if o.Gatherer == nil {
		panic("api: NewAdmin needs a Gatherer")
	}
	a := newAnswerer(o.Log)
	r := chi.NewRouter()
	r.Use(requestID, a.accessLog, a.recoverer, middleware.GetHead)
	r.NotFound(a.notFound)
	r.MethodNotAllowed(a.methodNotAllowed)

	r.Get("/healthz", healthz)
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		a.readyz(w, r, o.Ready, error.Error)
	})
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelError),
		// One metric that cannot be gathered should not hide all others.
		ErrorHandling: promhttp.ContinueOnError,
	}))
	// pprof's command line is left out: it may hold the password of a Redis URL.
	r.Get("/debug/pprof", http.RedirectHandler("/debug/pprof/", http.StatusMovedPermanently).ServeHTTP)
	r.Get("/debug/pprof/profile", pprof.Profile)
	r.Get("/debug/pprof/trace", pprof.Trace)
	r.Get("/debug/pprof/symbol", pprof.Symbol)
	r.Post("/debug/pprof/symbol", pprof.Symbol)
	r.Get("/debug/pprof/*", pprof.Index)
	return r
}
