package api

import (
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"

	"helix/shared/flows"
	"helix/shared/telemetry"
)

// limitAddress turns an address away that asks too often. It stands in front of authentication: who is turned
// away must not cost a signature.
func (a *api) limitAddress(next http.Handler) http.Handler {
	return a.limit(next, func(*http.Request) (user string, known bool) { return "", true })
}

// limitUser turns a user away who asks too often, from however many addresses.
func (a *api) limitUser(next http.Handler) http.Handler {
	return a.limit(next, func(r *http.Request) (user string, known bool) {
		user = userOf(r.Context())
		return user, user != ""
	})
}

func (a *api) limit(next http.Handler, whose func(*http.Request) (user string, known bool)) http.Handler {
	if a.allow == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, known := whose(r); known {
			if limit, wait := a.allow(r, user); limit != "" {
				w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
				a.refuse(w, r, tooOften{limit})
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// tooOften shows errTooOften and logs which limit it was.
type tooOften struct{ limit string }

func (e tooOften) Error() string { return e.limit }
func (e tooOften) Unwrap() error { return errTooOften }

// suspicions are the refusals that an attack may be behind.
var suspicions = map[string]string{
	errCrossOrigin.code:           telemetry.SecurityOrigin,
	errTooOften.code:              telemetry.SecurityLimit,
	flows.ErrUnauthenticated.Code: telemetry.SecurityToken,
	flows.ErrTokenExpired.Code:    telemetry.SecurityToken,
	flows.ErrUnauthorized.Code:    telemetry.SecurityRight,
}

// suspect tells of a refusal that an attack may be behind. A request that brought no token at all is none:
// browsers and people ask once before they know that they need one.
func (a answerer) suspect(r *http.Request, f *refusal, err error) {
	event, ok := suspicions[f.code]
	if !ok || a.security == nil || (event == telemetry.SecurityToken && r.Header.Get("Authorization") == "") {
		return
	}
	address, _, splitErr := net.SplitHostPort(r.RemoteAddr)
	if splitErr != nil {
		address = r.RemoteAddr
	}
	attrs := []any{"method", r.Method, "path", r.URL.Path, "address", address, "request_id", requestIDFrom(r.Context())}
	if user := userOf(r.Context()); user != "" {
		attrs = append(attrs, "user_id", user)
	}
	var limit tooOften
	switch {
	case errors.As(err, &limit):
		attrs = append(attrs, "limit", limit.limit)
	case event == telemetry.SecurityOrigin:
		attrs = append(attrs, "origin", r.Header.Get("Origin"), "host", r.Host)
	default:
		attrs = append(attrs, "error", err.Error())
	}
	a.security.Tell(event, attrs...)
}
