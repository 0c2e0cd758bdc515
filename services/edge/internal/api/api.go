// Package api is the HTTP face of an edge: flows, their documents, versions and sessions over the flows
// boundary, the OpenAPI document that describes them, health, the embedded page, and beside them the
// handler of the admin listener.
//
//	edge := api.New(api.Options{Flows: f, Socket: sockets, Ready: ready, Log: log, Version: version})
//	admin := api.NewAdmin(api.AdminOptions{Gatherer: registry, Ready: ready, Log: log})
//	err := api.NewServer(":4000", edge, log).Serve(listener)
//
// The package knows the verbs of flows and nothing of what stands behind them. Whatever it refuses it
// refuses as application/problem+json (RFC 9457), drawn from one table in problem.go; what went wrong
// inside goes to the log under the request's id and never to the client.
//
// Three things are easy to get wrong here and are held by tests:
//
//   - The socket's route stands in front of the router and its middleware. A join's cost is counted
//     in microseconds, and a hijacked connection has no use for deadlines or response wrappers.
//   - A flow id in a path is percent-encoded exactly once, and chi hands it out sometimes decoded and
//     sometimes not: see flowID.
//   - openapi.json is written by hand. The tests hold it against the routes in both directions and
//     against every answer that they provoke, so a route cannot change without it.
package api

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"helix/shared/flows"
	"helix/shared/telemetry"
)

const (
	// DefaultMaxBodyBytes leaves room for the largest change and what stands around it.
	DefaultMaxBodyBytes = int64(1<<20 + 4<<10)
	// DefaultMaxDocumentBytes is the largest document that may be put, spaces included.
	DefaultMaxDocumentBytes = int64(8 << 20)
	// DefaultRequestTimeout is how long a request may take, its body included.
	DefaultRequestTimeout = 10 * time.Second
)

// Options say what the public handler stands on. Flows and Socket are required.
type Options struct {
	// Flows is the boundary that all session routes call.
	Flows *flows.Flows
	// Authenticate says who asks, by the bearer token of a request. Its error is refused as it is: 401 for
	// flows.ErrUnauthenticated and flows.ErrTokenExpired. Nil: everybody may do everything, with no token.
	Authenticate func(ctx context.Context, token string) (flows.Identity, error)
	// Allow says whether an address may ask once more, and with a user whether they may: how long to wait, and
	// which limit that is, where not. The request's RemoteAddr is the client's. Nil: everybody may.
	Allow func(r *http.Request, user string) (limit string, retryAfter time.Duration)
	// Refused is told the code of every refusal; nil: nobody is.
	Refused func(code string)
	// Security is told of refusals that an attack may be behind; it may be nil.
	Security *telemetry.SecurityLog
	// Socket serves /socket/websocket, with and without a trailing slash, every method of it, with
	// nothing of this package around it but this: a write deadline that an earlier request left on
	// the connection is taken off.
	Socket http.Handler
	// Ready says whether the node may be sent traffic; nil, the function or its error, means yes. What
	// the public listener tells of the error is its NotReady part.
	Ready func(context.Context) error
	// Traces follows changes; nil follows none.
	Traces *telemetry.Traces
	// Log takes refusals with a cause, panics and, at debug level, every request; nil is silent.
	Log *slog.Logger
	// Version is what GET /api/version says.
	Version string
	// MaxBodyBytes bounds a request's body; 0 means DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// MaxDocumentBytes bounds the body of a PUT, which is a document; 0 means DefaultMaxDocumentBytes.
	MaxDocumentBytes int64
	// RequestTimeout bounds a request; 0 means DefaultRequestTimeout.
	RequestTimeout time.Duration
	// Page is what is served at /, read once; nil means the page that the binary brings along.
	Page fs.FS
}

type api struct {
	answerer
	flows   *flows.Flows
	traces  *telemetry.Traces
	knows   func(ctx context.Context, token string) (flows.Identity, error)
	allow   func(r *http.Request, user string) (limit string, retryAfter time.Duration)
	ready   func(context.Context) error
	release string // that /api/version tells
	page    page
	slots   slots   // of documents
	answers answers // the same, as they are sent
}

// New makes the handler of the public listener. It panics when a required option is missing or the
// page cannot be read: both are mistakes of the wiring, and a node should not start with them.
func New(o Options) http.Handler {
	if o.Flows == nil || o.Socket == nil {
		panic("api: New needs Flows and Socket")
	}
	router := routes(o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isSocket(r.URL) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
			o.Socket.ServeHTTP(w, r)
			return
		}
		router.ServeHTTP(w, r)
	})
}

func routes(o Options) chi.Router {
	a := &api{
		answerer: answerer{newAnswerer(o.Log).log, o.Refused, o.Security},
		flows:    o.Flows,
		traces:   o.Traces,
		knows:    o.Authenticate,
		allow:    o.Allow,
		ready:    o.Ready,
		release:  o.Version,
		page:     mustReadPage(o.Page),
		slots:    make(slots, documentsAtOnce),
		answers:  answers{most: mostAnswered},
	}
	r := chi.NewRouter()
	r.Use(
		limitBody(orDefault(o.MaxBodyBytes, DefaultMaxBodyBytes), orDefault(o.MaxDocumentBytes, DefaultMaxDocumentBytes)),
		requestID,
		a.accessLog,
		a.recoverer,
		securityHeaders,
		deadlines(orDefault(o.RequestTimeout, DefaultRequestTimeout)),
		a.refuseForeignOrigins(),
		middleware.GetHead,
	)
	r.NotFound(a.servePage)
	r.MethodNotAllowed(a.methodNotAllowed)

	r.Group(func(r chi.Router) {
		r.Use(a.limitAddress, a.authenticate, a.limitUser)
		read, write, manage := r.With(a.needs(flows.Read)), r.With(a.needs(flows.Write)), r.With(a.needs(flows.Manage))
		r.Get("/api/flows", a.listFlows)   // shows what one may read
		r.Get("/api/sessions", a.sessions) // the same
		read.Get("/api/flows/{id}", a.document)
		read.Get("/api/flows/{id}/status", a.status)
		read.Get("/api/flows/{id}/outline", a.outline)
		read.Get("/api/flows/{id}/versions", a.listVersions)
		read.Get("/api/flows/{id}/versions/{version}", a.version)
		write.Post("/api/flows/{id}/versions", a.nameVersion)
		write.Patch("/api/flows/{id}/versions/{version}", a.renameVersion)
		write.Put("/api/flows/{id}", a.putDocument)
		write.Post("/api/flows/{id}/changes", a.change)
		manage.Delete("/api/flows/{id}", a.deleteDocument)
		manage.Delete("/api/flows/{id}/session", a.closeSession)
		manage.Delete("/api/flows/{id}/versions/{version}", a.removeVersion)
	})
	r.Get("/api/version", a.getVersion)
	r.Get("/api/openapi.json", a.openAPI)
	r.Get("/healthz", healthz)
	r.Get("/readyz", a.publicReadyz)
	return r
}

// isSocket compares the path as it came: an encoded slash is no slash.
func isSocket(u *url.URL) bool {
	return u.RawPath == "" && (u.Path == "/socket/websocket" || u.Path == "/socket/websocket/")
}

func (a *api) getVersion(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, http.StatusOK, struct {
		Version string `json:"version"`
	}{a.release})
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
