package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"helix/shared/flows"
)

const (
	// readyTimeout keeps the answer to a probe within what probes wait for.
	readyTimeout = 2 * time.Second

	codeNotReady = "not_ready"
)

// NotReady is the part of a readiness error that anyone may read, for example "the node is draining".
// Wrap it together with the cause: the public listener shows this sentence alone, the admin listener
// the whole error.
type NotReady string

func (n NotReady) Error() string { return string(n) }

// healthz says that the process answers. It asks nothing else, so that a node is not restarted for
// what a restart would not mend.
func healthz(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

func (a *api) publicReadyz(w http.ResponseWriter, r *http.Request) {
	a.readyz(w, r, a.ready, func(err error) string {
		var public NotReady
		if errors.As(err, &public) {
			return string(public)
		}
		return flows.AsError(err).Sentence
	})
}

// readyz says whether the node may be sent traffic, and if not, as much of why as tell lets through.
func (a answerer) readyz(w http.ResponseWriter, r *http.Request, ready func(context.Context) error, tell func(error) string) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if ready != nil {
		if err := ready(ctx); err != nil {
			a.refuse(w, r, notReady{&refusal{http.StatusServiceUnavailable, codeNotReady, tell(err)}, err})
			return
		}
	}
	send(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// notReady shows the refusal and logs the cause.
type notReady struct {
	shown *refusal
	cause error
}

func (e notReady) Error() string { return e.cause.Error() }
func (e notReady) Unwrap() error { return e.shown }
