package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"helix/edge/internal/socket"
	"helix/edge/internal/token"
	"helix/shared/flows"
)

// The values of auth.mode.
const (
	authNone = "none"
	authJWT  = "jwt"
)

// leastSecret is the shortest secret, in bytes: as long as what HS256 makes of it (RFC 7518, section 3.2).
const leastSecret = 32

// registered are claims that mean something else than rights.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "name"}

// validateAuth checks the section auth. It never shows a secret.
func (c *Config) validateAuth(check func(ok bool, key string, value any, want string)) {
	a := &c.Auth
	check(a.Mode == authNone || a.Mode == authJWT, "auth.mode", fmt.Sprintf("%q", a.Mode), "none or jwt")
	given := 0
	for _, value := range []string{a.Secret, a.SecretFile, a.JWKSURL} {
		if value != "" {
			given++
		}
	}
	switch {
	case a.Mode == authNone:
		check(given == 0, "auth.mode", "none", "jwt where auth.secret, auth.secret_file or auth.jwks_url is set")
	case given != 1:
		check(false, "auth.mode", "jwt", fmt.Sprintf("with one of auth.secret, auth.secret_file and auth.jwks_url, and there are %d", given))
	case a.JWKSURL != "":
		u, err := url.Parse(a.JWKSURL)
		check(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "", "auth.jwks_url", "no such URL", "an https URL, or http where nobody stands between")
	default:
		secret, err := c.secret()
		key := "auth.secret"
		if a.SecretFile != "" {
			key = "auth.secret_file"
			check(err == nil, key, fmt.Sprintf("%q", a.SecretFile), "a file that can be read")
		}
		check(err != nil || len(secret) >= leastSecret, key, "too weak", fmt.Sprintf("%d bytes or more, random ones", leastSecret))
	}
	check(a.Claim != "" && !slices.Contains(registered, a.Claim), "auth.claim", fmt.Sprintf("%q", a.Claim), "a claim of its own")
}

// secret gives the HMAC secret; none where there is a JWKS.
func (c *Config) secret() ([]byte, error) {
	if c.Auth.SecretFile == "" {
		return []byte(c.Auth.Secret), nil
	}
	text, err := os.ReadFile(c.Auth.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("read the secret (auth.secret_file): %w", err)
	}
	return []byte(strings.TrimRight(string(text), "\r\n")), nil
}

// auth is how the edge knows who asks. Without a verifier everybody may do everything.
type auth struct {
	verifier *token.Verifier
	keys     *token.Keys // a service of the tree; nil without a JWKS
}

func newAuth(cfg *Config, log *slog.Logger) (auth, error) {
	if cfg.Auth.Mode == authNone {
		return auth{}, nil
	}
	o := token.Options{
		Issuer: cfg.Auth.Issuer, Audience: cfg.Auth.Audience, Claim: cfg.Auth.Claim, Leeway: time.Duration(cfg.Auth.Leeway),
	}
	var err error
	if cfg.Auth.JWKSURL != "" {
		o.Keys = token.NewKeys(token.KeysOptions{URL: cfg.Auth.JWKSURL, Log: log})
	} else if o.Secret, err = cfg.secret(); err != nil {
		return auth{}, err
	}
	return auth{token.NewVerifier(o), o.Keys}, nil
}

// connect decides for a socket, before its upgrade.
func (a auth) connect(r *http.Request) (identity any, err error) {
	if a.verifier == nil {
		return flows.Anybody{}, nil
	}
	text, err := socket.TokenOf(r)
	if err != nil {
		return nil, err
	}
	return a.verifier.Verify(r.Context(), text)
}

// bearer decides for a request of the HTTP API; nil where nobody is asked.
func (a auth) bearer() func(context.Context, string) (flows.Identity, error) {
	if a.verifier == nil {
		return nil
	}
	return func(ctx context.Context, text string) (flows.Identity, error) {
		who, err := a.verifier.Verify(ctx, text)
		if err != nil {
			return nil, err // and no nil *token.Token that is no nil Identity
		}
		return who, nil
	}
}

// ready is an error where nobody can be let in.
func (a auth) ready() error {
	if a.keys == nil {
		return nil
	}
	return a.keys.Ready()
}
