package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"

	"helix/shared/flows"
)

// Options say which tokens are taken. One of Secret and Keys is required, and only one.
type Options struct {
	Secret   []byte // of HMAC
	Keys     *Keys  // public ones
	Issuer   string // that iss must be; empty: any
	Audience string // that aud must name; empty: any
	Claim    string // that tells the rights
	Leeway   time.Duration
	Now      func() time.Time // nil means time.Now
}

// Bounds of what is read of a token, in bytes.
const (
	maxTokenBytes = 16 << 10
	maxUserBytes  = 255
)

var (
	secretMethods = []string{"HS256", "HS384", "HS512"}
	publicMethods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	opts   Options
	parser *jwt.Parser
}

// NewVerifier makes a verifier. It panics where there is not exactly one kind of key: tokens that are
// signed with a public key as if it were a secret are an old trick.
func NewVerifier(o Options) *Verifier {
	if (len(o.Secret) > 0) == (o.Keys != nil) {
		panic("token: NewVerifier needs Secret or Keys, and only one of them")
	}
	methods := secretMethods
	if o.Keys != nil {
		methods = publicMethods
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
		jwt.WithLeeway(o.Leeway), jwt.WithTimeFunc(o.Now),
	}
	if o.Issuer != "" {
		options = append(options, jwt.WithIssuer(o.Issuer))
	}
	if o.Audience != "" {
		options = append(options, jwt.WithAudience(o.Audience))
	}
	return &Verifier{opts: o, parser: jwt.NewParser(options...)}
}

// Verify says what a token tells, or refuses it: with flows.ErrTokenExpired, flows.ErrKeysUnavailable, or
// flows.ErrUnauthenticated for everything else. The cause is for logs and bears no part of the token that
// would be of use to anybody. With Keys it may wait for them to be fetched, until ctx ends at the latest.
func (v *Verifier) Verify(ctx context.Context, text string) (*Token, error) {
	t, err := v.verify(ctx, text)
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, errNoKeys):
		return nil, flows.ErrKeysUnavailable.Because(err)
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, flows.ErrTokenExpired.Because(err)
	}
	return nil, flows.ErrUnauthenticated.Because(err)
}

func (v *Verifier) verify(ctx context.Context, text string) (*Token, error) {
	switch {
	case text == "":
		return nil, errors.New("there is no token")
	case len(text) > maxTokenBytes:
		return nil, fmt.Errorf("a token of %d bytes is too long", len(text))
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(text, &c, func(t *jwt.Token) (any, error) { return v.key(ctx, t) }); err != nil {
		return nil, err
	}
	return v.read(&c)
}

// key gives the key that a token must be signed with.
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok { // RFC 7515, section 4.1.11: who does not know them must refuse
		return nil, errors.New("the token has critical extensions")
	}
	if v.opts.Keys == nil {
		return v.opts.Secret, nil
	}
	kid, ok := t.Header["kid"].(string)
	if _, given := t.Header["kid"]; given && !ok {
		return nil, errors.New("the token's kid is no string")
	}
	return v.opts.Keys.find(ctx, kid, t.Method.Alg())
}

// read takes what matters out of claims that are verified.
func (v *Verifier) read(c *claims) (*Token, error) {
	t := &Token{}
	var err error
	if t.userID, err = c.text("sub"); err != nil {
		return nil, err
	}
	if t.userID == "" {
		return nil, errors.New("the token names no user (sub)")
	}
	if t.name, err = c.text("name"); err != nil {
		return nil, err
	}
	expires, err := c.GetExpirationTime()
	if err != nil {
		return nil, err
	}
	t.expires = expires.Add(v.opts.Leeway)
	if raw, ok := c.raw[v.opts.Claim]; ok { // who has none may nothing
		if t.rights, err = ParseRights(raw); err != nil {
			return nil, fmt.Errorf("the claim %q: %w", v.opts.Claim, err)
		}
	}
	return t, nil
}

// claims keep each claim's JSON beside what the parser validates. Names count to the letter.
type claims struct {
	jwt.MapClaims
	raw map[string]json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *claims) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &c.raw); err != nil {
		return err
	}
	return json.Unmarshal(text, &c.MapClaims)
}

// text gives a claim that must be a short text on one line; without it, nothing.
func (c *claims) text(name string) (string, error) {
	value, ok := c.MapClaims[name]
	if !ok {
		return "", nil
	}
	text, ok := value.(string)
	if !ok || len(text) > maxUserBytes || strings.IndexFunc(text, unicode.IsControl) >= 0 {
		return "", fmt.Errorf("the claim %s must be a string of up to %d bytes without control characters", name, maxUserBytes)
	}
	return text, nil
}
