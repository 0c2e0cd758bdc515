package api

import (
	"context"
	"net/http"
	"strings"

	"helix/shared/flows"
)

type identityKey struct{}

// userOf is the user who asks, where that is known.
func userOf(ctx context.Context) string {
	if who, ok := ctx.Value(identityKey{}).(flows.Identity); ok {
		return who.UserID()
	}
	return ""
}

// identityOf is who asks: authenticate put it there.
func identityOf(ctx context.Context) flows.Identity { return ctx.Value(identityKey{}).(flows.Identity) }

// authenticate lets a request through whose bearer token (RFC 6750) says who asks; the others get 401.
func (a *api) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var who flows.Identity = flows.Anybody{}
		if a.knows != nil {
			token := bearer(r)
			var err error
			if who, err = a.knows(r.Context(), token); err != nil {
				refused := flows.AsError(err)
				if statuses[refused.Code] == http.StatusUnauthorized {
					challenge := challenge
					if token != "" {
						challenge += `, error="invalid_token", error_description="` + refused.Sentence + `"`
					}
					w.Header().Set("WWW-Authenticate", challenge)
				}
				a.refuse(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, who)))
	})
}

// challenge is what a request without a token is answered with.
const challenge = `Bearer realm="helix"`

// bearer gives the token of a request: empty where there is none, or more than one header.
func bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// needs lets a request through whose sender has the right to the flow that the path names.
func (a *api) needs(right flows.Right) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, err := flowID(r)
			if err != nil {
				a.refuse(w, r, err)
				return
			}
			id, err := flows.ParseID(raw)
			if err != nil {
				a.refuse(w, r, err)
				return
			}
			if !identityOf(r.Context()).May(right, id) {
				a.refuse(w, r, flows.ErrUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// tell logs what somebody who is known did that others may ask about.
func (a *api) tell(r *http.Request, what, id string) {
	if who := identityOf(r.Context()); who.UserID() != "" {
		a.log.InfoContext(r.Context(), what, "flow", id, "user_id", who.UserID(), "request_id", requestIDFrom(r.Context()))
	}
}
