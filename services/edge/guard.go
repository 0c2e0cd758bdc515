package main

import (
	"log/slog"
	"net/http"
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
