package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"helix/edge/internal/bounds"
	"helix/edge/internal/peer"
)

// newProxies makes the proxies that are trusted, and says so where that is everybody.
func newProxies(cfg *Config, log *slog.Logger) (*peer.Proxies, error) {
	trusted, err := peer.ParseTrusted(cfg.HTTP.TrustedProxies)
	if err != nil {
		return nil, err
	}
	for _, prefix := range trusted {
		if prefix.Bits() == 0 {
			log.Warn("everybody is trusted to say what address they have: limits of addresses mean nothing", "http.trusted_proxies", prefix.String())
		}
	}
	return peer.New(trusted, http.CanonicalHeaderKey(cfg.HTTP.ForwardedHeader), log), nil
}

// allowRequest is how the HTTP API asks whether an address, or with a name its user, may ask once more.
func allowRequest(guard *bounds.Guard) func(r *http.Request, user string) (limit string, retryAfter time.Duration) {
	return func(r *http.Request, user string) (string, time.Duration) {
		refused := guard.UserRequest(user)
		if user == "" {
			refused = guard.Request(peer.Address(r))
		}
		if refused == nil {
			return "", 0
		}
		return refused.Why, refused.RetryAfter
	}
}

// onlyHosts answers requests for other hosts with 421. A page whose name was made to point here (DNS
// rebinding) is of the same origin as what it asks for, as far as its browser knows. Probes come by whatever
// name they like.
func onlyHosts(hosts []string, next http.Handler) http.Handler {
	if len(hosts) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := slices.ContainsFunc(hosts, func(host string) bool { return strings.EqualFold(host, hostname(r.Host)) })
		if !known && r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// ping asks Redis how it is, for anybody: once for all who ask meanwhile, and not again right after it was
// well. Probes have no limit of their own, and must not come to stand before the changes where Redis is slow.
type ping struct {
	mu     sync.Mutex
	well   time.Time // when it last was
	asking *asking   // nil: nobody is
}

// asking is a question that is under way.
type asking struct {
	answered chan struct{}
	err      error // written before answered is closed
}

const pingEvery = 100 * time.Millisecond

// once gives the answer of ask, which must end by itself, or the end of ctx.
func (p *ping) once(ctx context.Context, ask func(context.Context) error) error {
	p.mu.Lock()
	if time.Since(p.well) < pingEvery {
		p.mu.Unlock()
		return nil
	}
	a := p.asking
	if a != nil {
		p.mu.Unlock()
		select {
		case <-a.answered:
			return a.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a = &asking{answered: make(chan struct{})}
	p.asking = a
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asking = nil; a.err == nil {
			p.well = time.Now()
		}
		close(a.answered)
	}()
	asks := context.WithoutCancel(ctx) // that this one goes away is no answer for the others
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		asks, cancel = context.WithDeadline(asks, end)
		defer cancel()
	}
	a.err = errors.New("nobody answered") // where ask panics
	a.err = ask(asks)
	return a.err
}
