// Package token says who a client is and what it may do, by a JSON Web Token (RFC 7519): it verifies
// tokens, reads the rights in them, keeps the public keys of a JWKS at hand, and mints tokens for
// development. What it makes of a token is a flows.Identity; it knows no socket and no route.
//
//	keys := token.NewKeys(token.KeysOptions{URL: url, Log: log}) // a service: somebody must run keys.Serve
//	who, err := token.NewVerifier(token.Options{Keys: keys, Claim: "helix"}).Verify(ctx, text)
//
// A token is taken when its signature, its exp, and where set its nbf, iss and aud are right. Which
// algorithms are taken is pinned by the kind of the key, never by the token: HS256, HS384 and HS512 with a
// secret; RS*, PS*, ES* and EdDSA with a JWKS, each by keys of its own kind alone. Never "none".
//
// # Libraries
//
// golang-jwt/jwt/v5 parses and verifies: it is what most of Go uses, it is maintained, and it brings
// nothing along. MicahParks/jwkset reads JSON Web Keys; all it brings is golang.org/x/time, which is here
// already. What fetches for it (and for keyfunc/v3, which stands on it) is not used: it reads answers
// without a bound, on a goroutine that nobody waits for, and one broken key costs all others. Fetching
// is Keys, a service of the tree. lestrrat-go/jwx/v3 would do all of it in one, with eleven modules more.
package token

import (
	"time"

	"helix/shared/flows"
)

// Token is what a verified token says.
type Token struct {
	userID  string
	name    string
	rights  Rights
	expires time.Time
}

var _ flows.Identity = (*Token)(nil)

// UserID implements flows.Identity; it is the claim sub.
func (t *Token) UserID() string { return t.userID }

// Name implements flows.Identity; it is the claim name.
func (t *Token) Name() string { return t.name }

// May implements flows.Identity.
func (t *Token) May(right flows.Right, id flows.ID) bool { return t.rights.May(right, id) }

// Expires is when the token is no longer taken: its exp, and the leeway.
func (t *Token) Expires() time.Time { return t.expires }
