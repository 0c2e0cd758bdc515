package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"helix/edge/internal/token"
	"helix/shared/flows"
)

func number(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// jwk is one key of a set, as an issuer writes it.
type jwk map[string]any

func (k jwk) with(members ...any) jwk {
	other := jwk{}
	for name, value := range k {
		other[name] = value
	}
	for i := 0; i < len(members); i += 2 {
		other[members[i].(string)] = members[i+1]
	}
	return other
}

var rsaOnce = sync.OnceValues(func() (jwk, *rsa.PrivateKey) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return jwk{"kty": "RSA", "kid": "rsa", "use": "sig", "n": number(key.N), "e": number(big.NewInt(int64(key.E)))}, key
})

func rsaKeys(testing.TB) (jwk, *rsa.PrivateKey) { return rsaOnce() }

func ecKeys(t testing.TB, kid string, curve elliptic.Curve) (jwk, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := (len(point) - 1) / 2
	encode := base64.RawURLEncoding.EncodeToString
	return jwk{"kty": "EC", "kid": kid, "crv": curve.Params().Name, "x": encode(point[1 : 1+half]), "y": encode(point[1+half:])}, key
}

func edKeys(t testing.TB) (jwk, ed25519.PrivateKey) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwk{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)}, key
}

// issuer serves a JWKS that a test changes.
type issuer struct {
	*httptest.Server
	answer  atomic.Value // func(http.ResponseWriter)
	fetches atomic.Int64
}

func newIssuer(t testing.TB, keys ...jwk) *issuer {
	i := &issuer{}
	i.serve(keys...)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		i.answer.Load().(func(http.ResponseWriter))(w)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) serve(keys ...jwk) {
	text, _ := json.Marshal(map[string]any{"keys": keys})
	i.say(http.StatusOK, string(text))
}

func (i *issuer) say(status int, body string) {
	i.answer.Store(func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// serveKeys runs the service, and ends it with the test.
func serveKeys(t testing.TB, o token.KeysOptions) *token.Keys {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	keys := token.NewKeys(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = keys.Serve(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return keys
}

func verifier(keys *token.Keys) *token.Verifier {
	o := options()
	o.Secret, o.Keys = nil, keys
	return token.NewVerifier(o)
}

func TestKeys_verifyEachKind_byItsOwnAlgorithmsAlone(t *testing.T) {
	t.Parallel()
	rsaJWK, rsaKey := rsaKeys(t)
	p256, key256 := ecKeys(t, "p256", elliptic.P256())
	p384, key384 := ecKeys(t, "p384", elliptic.P384())
	p521, key521 := ecKeys(t, "p521", elliptic.P521())
	ed, edKey := edKeys(t)
	i := newIssuer(t, rsaJWK, p256, p384, p521, ed,
		rsaJWK.with("kid", "rs512 only", "alg", "RS512"), rsaJWK.with("kid", "encrypts", "use", "enc"), rsaJWK.with("kid", "signs", "key_ops", []string{"sign"}),
		jwk{"kty": "oct", "kid": "secret", "k": base64.RawURLEncoding.EncodeToString(secret)},
		jwk{"kty": "OKP", "kid": "agrees", "crv": "X25519", "x": ed["x"]}, jwk{"kty": "new", "kid": "new"},
		p256.with("kid", "off the curve", "y", p256["x"]))
	v := verifier(serveKeys(t, token.KeysOptions{URL: i.URL}))
	// The public key's text as if it were a secret: the oldest trick.
	der, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	pemText := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	cases := []struct {
		name   string
		method jwt.SigningMethod
		key    any
		kid    string
		taken  bool
	}{
		{"RS256", jwt.SigningMethodRS256, rsaKey, "rsa", true},
		{"RS384", jwt.SigningMethodRS384, rsaKey, "rsa", true},
		{"PS512", jwt.SigningMethodPS512, rsaKey, "rsa", true},
		{"ES256", jwt.SigningMethodES256, key256, "p256", true},
		{"ES384", jwt.SigningMethodES384, key384, "p384", true},
		{"ES512", jwt.SigningMethodES512, key521, "p521", true},
		{"EdDSA", jwt.SigningMethodEdDSA, edKey, "ed", true},
		{"the one algorithm of a key", jwt.SigningMethodRS512, rsaKey, "rs512 only", true},

		{"another algorithm than the key's", jwt.SigningMethodRS256, rsaKey, "rs512 only", false},
		{"a key of another kid", jwt.SigningMethodES256, key256, "p384", false},
		{"a key of another kind", jwt.SigningMethodRS256, rsaKey, "p256", false},
		{"a key that encrypts", jwt.SigningMethodRS256, rsaKey, "encrypts", false},
		{"a key that signs", jwt.SigningMethodRS256, rsaKey, "signs", false},
		{"a secret in the set", jwt.SigningMethodHS256, secret, "secret", false},
		{"the public key as a secret", jwt.SigningMethodHS256, pemText, "rsa", false},
		{"the modulus as a secret", jwt.SigningMethodHS256, rsaKey.N.Bytes(), "rsa", false},
		{"none", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "rsa", false},
		{"no kid, where there are many", jwt.SigningMethodRS256, rsaKey, "", false},
		{"a kid that is not there", jwt.SigningMethodRS256, rsaKey, "../rsa", false},
		{"a key that is none", jwt.SigningMethodES256, key256, "off the curve", false},
	}
	for _, c := range cases {
		var header []any
		if c.kid != "" {
			header = []any{"kid", c.kid}
		}
		_, err := v.Verify(t.Context(), sign(t, c.method, c.key, good(), header...))
		if c.taken != (err == nil) || (err != nil && !errors.Is(err, flows.ErrUnauthenticated)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodRS256, rsaKey, good(), "kid", 7)); !errors.Is(err, flows.ErrUnauthenticated) {
		t.Errorf("a kid that is a number: %v", err)
	}
}

func TestKeys_needNoKid_whereThereIsOneKey(t *testing.T) {
	t.Parallel()
	for _, set := range []bool{true, false} {
		public, key := ecKeys(t, "only", elliptic.P256())
		if !set {
			delete(public, "kid")
		}
		v := verifier(serveKeys(t, token.KeysOptions{URL: newIssuer(t, public).URL}))
		if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodES256, key, good())); err != nil {
			t.Errorf("with a kid in the set %v: %v", set, err)
		}
	}
}

func TestKeys_areFetchedAgain_forAKidThatIsNotKnown_butNotTooOften(t *testing.T) {
	t.Parallel()
	first, firstKey := ecKeys(t, "1", elliptic.P256())
	second, secondKey := ecKeys(t, "2", elliptic.P256())
	i := newIssuer(t, first)
	const between = 300 * time.Millisecond
	v := verifier(serveKeys(t, token.KeysOptions{URL: i.URL, Between: between}))
	before, after := sign(t, jwt.SigningMethodES256, firstKey, good(), "kid", "1"), sign(t, jwt.SigningMethodES256, secondKey, good(), "kid", "2")
	if _, err := v.Verify(t.Context(), before); err != nil { // waits for the first fetch
		t.Fatal(err)
	}

	// Floods of unknown kids cause few fetches, and refusals at once.
	began := time.Now()
	for range 500 {
		if _, err := v.Verify(t.Context(), after); !errors.Is(err, flows.ErrUnauthenticated) {
			t.Fatal(err)
		}
	}
	if most := 2 + int64(time.Since(began)/between); i.fetches.Load() > most {
		t.Errorf("%d fetches in %v, want %d at most", i.fetches.Load(), time.Since(began), most)
	}

	// The issuer rotates: the new key is taken as soon as a fetch may be made, the old one no more.
	i.serve(second)
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := v.Verify(t.Context(), after)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new key is not taken: %v", err)
		}
		time.Sleep(between / 10)
	}
	if _, err := v.Verify(t.Context(), before); !errors.Is(err, flows.ErrUnauthenticated) {
		t.Errorf("the old key is still taken: %v", err)
	}
}

func TestKeys_areRefreshedByThemselves_andKeptWhereThatFails(t *testing.T) {
	t.Parallel()
	first, firstKey := ecKeys(t, "1", elliptic.P256())
	second, _ := ecKeys(t, "2", elliptic.P256())
	i, elsewhere := newIssuer(t, first), newIssuer(t, second)
	v := verifier(serveKeys(t, token.KeysOptions{URL: i.URL, Refresh: 20 * time.Millisecond, Between: 20 * time.Millisecond}))
	known := sign(t, jwt.SigningMethodES256, firstKey, good(), "kid", "1")
	if _, err := v.Verify(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	// None of these takes the key away.
	for name, say := range map[string]func(){
		"an error":      func() { i.say(http.StatusInternalServerError, `{"keys":[]}`) },
		"a page":        func() { i.say(http.StatusOK, `<!doctype html>`) },
		"no keys":       func() { i.serve() },
		"only a secret": func() { i.serve(jwk{"kty": "oct", "kid": "1", "k": "AAAA"}) },
		"too much":      func() { i.say(http.StatusOK, `{"keys":[],"pad":"`+strings.Repeat("x", 1<<20)+`"}`) },
		"too many":      func() { i.serve(make([]jwk, 300)...) },
		"a redirect": func() {
			i.answer.Store(func(w http.ResponseWriter) {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(http.StatusFound)
			})
		},
		"half an answer": func() { i.say(http.StatusOK, `{"keys":[{"kty":"EC"`) },
	} {
		say()
		for since := i.fetches.Load(); i.fetches.Load() < since+2; { // one of them began after it was said
			time.Sleep(time.Millisecond)
		}
		if _, err := v.Verify(t.Context(), known); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	i.serve(second)
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := v.Verify(t.Context(), known); errors.Is(err, flows.ErrUnauthenticated) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a key that was withdrawn is still taken")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestKeys_letNobodyIn_untilTheyAreThere(t *testing.T) {
	t.Parallel()
	public, key := ecKeys(t, "1", elliptic.P256())
	i := newIssuer(t, public)
	i.say(http.StatusBadGateway, "")
	keys := serveKeys(t, token.KeysOptions{URL: i.URL, Between: 50 * time.Millisecond})
	v := verifier(keys)
	fine := sign(t, jwt.SigningMethodES256, key, good(), "kid", "1")
	for name, text := range map[string]string{
		"a good token": fine, "one without a kid": sign(t, jwt.SigningMethodES256, key, good()),
	} {
		if _, err := v.Verify(t.Context(), text); !errors.Is(err, flows.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, []byte{}, good(), "kid", "1")); !errors.Is(err, flows.ErrUnauthenticated) {
		t.Errorf("a token of another algorithm: %v", err)
	}
	if keys.Ready() == nil {
		t.Error("it is ready")
	}
	i.serve(public)
	deadline := time.Now().Add(10 * time.Second)
	for keys.Ready() != nil {
		if time.Now().After(deadline) {
			t.Fatal("it does not recover")
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := v.Verify(t.Context(), fine); err != nil {
		t.Error(err)
	}
}

func TestKeys_waitNoLongerThanTheDeadline_orTheRequest(t *testing.T) {
	t.Parallel()
	_, key := ecKeys(t, "1", elliptic.P256())
	i := newIssuer(t)
	release := make(chan struct{})
	i.answer.Store(func(http.ResponseWriter) { <-release })
	t.Cleanup(func() { close(release) }) // before the server closes
	keys := serveKeys(t, token.KeysOptions{URL: i.URL, Timeout: 200 * time.Millisecond})
	fine := sign(t, jwt.SigningMethodES256, key, good(), "kid", "1")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := verifier(keys).Verify(gone, fine); !errors.Is(err, flows.ErrUnavailable) {
		t.Errorf("a request that is gone: %v", err)
	}
	if _, err := verifier(keys).Verify(t.Context(), fine); !errors.Is(err, flows.ErrUnavailable) {
		t.Errorf("an issuer that does not answer: %v", err)
	}
}

func TestKeys_tellNoPasswordOfTheURL(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	i := newIssuer(t)
	serveKeys(t, token.KeysOptions{
		URL: strings.Replace(i.URL, "http://", "http://user:hunter2@", 1), Log: slog.New(slog.NewTextHandler(&log, nil)), Between: time.Millisecond,
	})
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(log.String(), "cannot be fetched") {
		if time.Now().After(deadline) {
			t.Fatal("a fetch that failed is not told")
		}
		time.Sleep(time.Millisecond)
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Error(log.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A set is what somebody else wrote: whatever it is, it is read or refused.
func FuzzParseKeys(f *testing.F) {
	rsaJWK, _ := rsaKeys(f)
	ec, _ := ecKeys(f, "p256", elliptic.P256())
	ed, _ := edKeys(f)
	seed, err := json.Marshal(map[string]any{"keys": []jwk{rsaJWK, ec, ed}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"oct","k":"AA"},null,7]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","x5c":["AA"],"x5u":"https://evil.example/","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		usable, err := token.ParseKeys(text)
		if (usable > 0) != (err == nil) {
			t.Fatalf("%d keys, %v", usable, err)
		}
	})
}
