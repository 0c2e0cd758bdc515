package api

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5/middleware"
)

const (
	requestIDHeader   = "X-Request-Id"
	maxRequestIDBytes = 64
	// responseTimeout is how long a client may take to read an answer: enough for the page over a
	// poor line, and an end to readers that never read.
	responseTimeout = time.Minute
)

type requestIDKey struct{}

func requestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestID gives each request an id, or keeps the one that a proxy in front gave it when that is
// fit for logs and headers, and says it in the answer.
func requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !saneRequestID(id) {
			id = rand.Text()
		}
		w.Header().Set(requestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

func saneRequestID(id string) bool {
	if id == "" || len(id) > maxRequestIDBytes {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// limitBody stands first: http.MaxBytesReader must have the server's own writer to be able to end the
// connection on which too much is being sent. What is put is a document, and may be as large as one.
func limitBody(maxBytes, maxDocument int64) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			most := maxBytes
			if r.Method == http.MethodPut {
				most = maxDocument
			}
			r.Body = http.MaxBytesReader(w, r.Body, most)
			next.ServeHTTP(w, r)
		})
	}
}

// accessLog tells of every request at debug level. Query strings stay out: they may hold tokens.
func (a answerer) accessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			a.log.DebugContext(r.Context(), "request", "request_id", requestIDFrom(r.Context()), "method", r.Method,
				"path", r.URL.Path, "status", ww.Status(), "bytes", ww.BytesWritten(), "remote", r.RemoteAddr,
				"duration", time.Since(began))
		}()
		next.ServeHTTP(ww, r)
	})
}

// recoverer makes a 500 of a panic and logs its stack. Where an answer has already begun it ends the
// connection instead, so that the client does not take half an answer for a whole one. It expects
// accessLog's writer around it.
func (a answerer) recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler)
			}
			a.log.ErrorContext(r.Context(), "panic in a request", "request_id", requestIDFrom(r.Context()), "method", r.Method,
				"path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			if ww, ok := w.(middleware.WrapResponseWriter); ok && ww.Status() != 0 {
				panic(http.ErrAbortHandler)
			}
			a.refuse(w, r, errInternal)
		}()
		next.ServeHTTP(w, r)
	})
}

// securityHeaders lets the page load its own files and open its socket, and nothing else. No CORS
// header is sent: pages of other origins may not read what this one answers.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "+
			"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// deadlines bounds how long a request may take to arrive and to be worked on, and how long its answer
// may take to be read. The server itself has no such bounds, for sockets live on its connections. The
// read deadline also bounds the rest of a body that nobody reads, which net/http throws away.
func deadlines(timeout time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			now := time.Now()
			c := http.NewResponseController(w)
			// Writers that are no connection, as in tests, have no deadlines; they need none.
			_ = c.SetWriteDeadline(now.Add(responseTimeout))
			if r.ContentLength != 0 {
				_ = c.SetReadDeadline(now.Add(timeout))
			}
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// refuseForeignOrigins keeps pages of other origins from changing anything with their visitor's
// network position or cookies. Programs that are no browsers send no Origin and pass.
func (a answerer) refuseForeignOrigins() func(http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := protection.Check(r); err != nil {
				a.refuse(w, r, errCrossOrigin)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
