package token_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"helix/edge/internal/token"
	"helix/shared/flows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secret = []byte("a secret of thirty-two bytes, or more")
	noon   = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)
)

func options() token.Options {
	return token.Options{
		Secret: secret, Issuer: "https://id.example", Audience: "helix", Claim: "helix", Leeway: 30 * time.Second,
		Now: func() time.Time { return noon },
	}
}

// good are the claims of a token that is taken.
func good() jwt.MapClaims {
	return jwt.MapClaims{
		"sub": "ann", "name": "Ann Ö", "iss": "https://id.example", "aud": "helix", "exp": noon.Add(time.Minute).Unix(),
		"helix": map[string]any{"rights": []any{map[string]any{"flows": "team-7/*", "may": []string{"read"}}}},
	}
}

func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, header ...any) string {
	t.Helper()
	tok := jwt.NewWithClaims(method, claims)
	for i := 0; i < len(header); i += 2 {
		tok.Header[header[i].(string)] = header[i+1]
	}
	text, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestVerify_saysWhoItIs_andWhatTheyMay(t *testing.T) {
	t.Parallel()
	v := token.NewVerifier(options())
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
		who, err := v.Verify(t.Context(), sign(t, method, secret, good()))
		if err != nil {
			t.Fatal(err)
		}
		if who.UserID() != "ann" || who.Name() != "Ann Ö" || !who.Expires().Equal(noon.Add(90*time.Second)) {
			t.Errorf("%s: %+v", method.Alg(), who)
		}
		if !who.May(flows.Read, "team-7/a") || who.May(flows.Write, "team-7/a") || who.May(flows.Read, "team-8/a") {
			t.Errorf("%s: the rights are not those of the token", method.Alg())
		}
	}
}

func TestVerify_takesAndRefuses_byTheClaims(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	cases := []struct {
		name  string
		claim string
		value any // nil: left out
		want  *flows.Error
	}{
		{"expired", "exp", at(-time.Minute), flows.ErrTokenExpired},
		{"expired within the skew", "exp", at(-29 * time.Second), nil},
		{"expired just past the skew", "exp", at(-31 * time.Second), flows.ErrTokenExpired},
		{"without an end", "exp", nil, flows.ErrUnauthenticated},
		{"an end that is text", "exp", "2027-01-01", flows.ErrUnauthenticated},
		{"an end of 0", "exp", 0, flows.ErrUnauthenticated},
		{"not yet", "nbf", at(time.Minute), flows.ErrUnauthenticated},
		{"not yet, within the skew", "nbf", at(29 * time.Second), nil},
		{"a begin that is text", "nbf", "now", flows.ErrUnauthenticated},
		{"another issuer", "iss", "https://id.example.evil.example", flows.ErrUnauthenticated},
		{"an issuer but for a slash", "iss", "https://id.example/", flows.ErrUnauthenticated},
		{"no issuer", "iss", nil, flows.ErrUnauthenticated},
		{"another audience", "aud", "other", flows.ErrUnauthenticated},
		{"no audience", "aud", nil, flows.ErrUnauthenticated},
		{"several audiences, this one too", "aud", []string{"other", "helix"}, nil},
		{"several audiences, not this one", "aud", []string{"other", "helix2"}, flows.ErrUnauthenticated},
		{"no user", "sub", nil, flows.ErrUnauthenticated},
		{"an empty user", "sub", "", flows.ErrUnauthenticated},
		{"a user that is a number", "sub", 7, flows.ErrUnauthenticated},
		{"a user of two lines", "sub", "ann\nroot", flows.ErrUnauthenticated},
		{"a user without end", "sub", strings.Repeat("x", 256), flows.ErrUnauthenticated},
		{"no name", "name", nil, nil},
		{"a name that is a list", "name", []string{"Ann"}, flows.ErrUnauthenticated},
		{"no rights", "helix", nil, nil},
		{"rights that are not of their form", "helix", map[string]any{"rights": []any{map[string]any{"flows": "a*b", "may": []string{"read"}}}}, flows.ErrUnauthenticated},
		{"rights of true", "helix", true, flows.ErrUnauthenticated},
		{"another claim beside", "Helix", "anything", nil},
		{"EXP beside exp", "EXP", at(-time.Hour), nil},
	}
	v := token.NewVerifier(options())
	for _, c := range cases {
		claims := good()
		claims[c.claim] = c.value
		if c.value == nil {
			delete(claims, c.claim)
		}
		who, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, claims))
		if c.want == nil {
			if err != nil {
				t.Errorf("%s: refused: %v", c.name, err)
			} else if _, has := claims["helix"]; who.May(flows.Read, "team-7/a") != has {
				t.Errorf("%s: other rights than told", c.name)
			}
			continue
		}
		if who != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, who, err, c.want)
		}
	}
}

func TestVerify_takesAnyIssuerAndAudience_whereNoneIsSet(t *testing.T) {
	t.Parallel()
	o := options()
	o.Issuer, o.Audience, o.Claim = "", "", "https://helix.example/rights"
	claims := good()
	claims["https://helix.example/rights"] = claims["helix"]
	delete(claims, "iss")
	claims["aud"], claims["helix"] = "other", 7
	who, err := token.NewVerifier(o).Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, claims))
	if err != nil || !who.May(flows.Read, "team-7/a") {
		t.Fatal(who, err)
	}
}

// Each is an attack on what signs a token, or a text that is none.
func TestVerify_refusesWhatIsNotSignedWithTheSecret(t *testing.T) {
	t.Parallel()
	signed := sign(t, jwt.SigningMethodHS256, secret, good())
	parts := strings.Split(signed, ".")
	segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	flipped := []byte(parts[2])
	flipped[3] ^= 1
	_, rsaKey := rsaKeys(t)
	cases := map[string]string{
		"empty":                    "",
		"no token":                 "letmein",
		"two parts":                parts[0] + "." + parts[1],
		"four parts":               signed + "." + parts[2],
		"no signature":             parts[0] + "." + parts[1] + ".",
		"another secret":           sign(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two bytes!!"), good()),
		"an empty secret":          sign(t, jwt.SigningMethodHS256, []byte{}, good()),
		"other claims":             parts[0] + "." + segment(`{"sub":"root","iss":"https://id.example","aud":"helix","exp":4102444800}`) + "." + parts[2],
		"another signature":        parts[0] + "." + parts[1] + "." + string(flipped),
		"none":                     sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()),
		"None":                     segment(`{"alg":"None"}`) + "." + parts[1] + ".",
		"none, with a signature":   segment(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2],
		"no algorithm":             segment(`{"typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"an algorithm of null":     segment(`{"alg":null}`) + "." + parts[1] + "." + parts[2],
		"another hash":             segment(`{"alg":"HS512","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"a key of the sender's":    sign(t, jwt.SigningMethodRS256, rsaKey, good(), "jwk", map[string]string{"kty": "RSA"}),
		"an RSA signature":         sign(t, jwt.SigningMethodRS256, rsaKey, good()),
		"critical extensions":      sign(t, jwt.SigningMethodHS256, secret, good(), "crit", []string{"b64"}, "b64", false),
		"padding":                  parts[0] + "==." + parts[1] + "." + parts[2],
		"white space":              " " + signed,
		"claims that are no JSON":  parts[0] + "." + segment("exp") + "." + parts[2],
		"claims that are a list":   parts[0] + "." + segment("[]") + "." + parts[2],
		"claims that are null":     parts[0] + "." + segment("null") + "." + parts[2],
		"a token that is too long": sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "ann", "exp": noon.Add(time.Hour).Unix(), "pad": strings.Repeat("x", 16<<10)}),
	}
	v := token.NewVerifier(options())
	for name, text := range cases {
		who, err := v.Verify(t.Context(), text)
		if who != nil || !errors.Is(err, flows.ErrUnauthenticated) {
			t.Errorf("%s: %v, %v", name, who, err)
		}
		if err != nil && text != "" && (strings.Contains(err.Error(), parts[1]) || strings.Contains(err.Error(), parts[2])) {
			t.Errorf("%s: the error has the token in it: %v", name, err)
		}
	}
	if _, err := v.Verify(t.Context(), signed); err != nil {
		t.Fatalf("the token that they were made of is refused: %v", err)
	}
}

func TestNewVerifier_needsOneKindOfKey(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]token.Options{"none": {}, "both": {Secret: secret, Keys: token.NewKeys(token.KeysOptions{URL: "http://127.0.0.1:1/"})}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a verifier was made", name)
				}
			}()
			token.NewVerifier(o)
		}()
	}
}

func TestMint_makesWhatVerifyTakes(t *testing.T) {
	t.Parallel()
	plan, err := token.NewGrant("plan", "read", "manage")
	if err != nil {
		t.Fatal(err)
	}
	m := token.Mint{
		UserID: "ann", Name: "Ann", Rights: token.Rights{plan}, Issuer: "https://id.example", Audience: "helix", Claim: "helix",
		From: noon, Until: noon.Add(time.Hour),
	}
	text, err := m.Sign(secret)
	if err != nil {
		t.Fatal(err)
	}
	who, err := token.NewVerifier(options()).Verify(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	if who.UserID() != "ann" || who.Name() != "Ann" || !who.May(flows.Manage, "plan") || who.May(flows.Write, "plan") || !who.Expires().Equal(noon.Add(time.Hour+30*time.Second)) {
		t.Errorf("%+v", who)
	}
	for name, change := range map[string]func(*token.Mint){
		"no user": func(m *token.Mint) { m.UserID = "" }, "no time": func(m *token.Mint) { m.Until = m.From },
	} {
		bad := m
		change(&bad)
		if _, err := bad.Sign(secret); err == nil {
			t.Errorf("%s: it was signed", name)
		}
	}
}
