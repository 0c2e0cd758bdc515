package main

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
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

// ping asks Redis how it is, for anybody, but not again right after it was well.
type ping struct{ well atomic.Int64 } // when it last was, in Unix nanoseconds

const pingEvery = 100 * time.Millisecond

func (p *ping) once(ask func() error) error {
	now := time.Now().UnixNano()
	if gone := time.Duration(now - p.well.Load()); gone >= 0 && gone < pingEvery {
		return nil
	}
	err := ask()
	if err == nil {
		p.well.Store(now)
	}
	return err
}
