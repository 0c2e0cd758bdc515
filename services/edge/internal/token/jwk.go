package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// keySet are the public keys that may sign tokens, by their kid.
type keySet map[string][]publicKey

// publicKey is one key of a JWKS.
type publicKey struct {
	key any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	alg string // the only algorithm that it is for, where the set says so
}

const (
	mostKeys     = 256
	leastRSABits = 2048
	mostRSABits  = 8192 // what verifying costs grows with it
)

// parseKeys reads a JWKS (RFC 7517). Keys that cannot verify a token (secrets, keys for encryption, kinds
// that are not known) are passed over, as the RFC wants, and told in skipped; without any that can, it is
// an error.
func parseKeys(text []byte) (set keySet, skipped []error, err error) {
	var jwks struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &jwks); err != nil {
		return nil, nil, fmt.Errorf("it is no JWKS: %w", err)
	}
	if len(jwks.Keys) > mostKeys {
		return nil, nil, fmt.Errorf("it has %d keys, more than %d", len(jwks.Keys), mostKeys)
	}
	set = keySet{}
	for i, raw := range jwks.Keys {
		kid, key, err := parseKey(raw)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %d, kid %.64q: %w", i+1, kid, err))
			continue
		}
		set[kid] = append(set[kid], key)
	}
	if len(set) == 0 {
		return nil, skipped, errors.New("it has no key that can verify a token")
	}
	return set, skipped, nil
}

func parseKey(raw json.RawMessage) (kid string, key publicKey, err error) {
	var jwk jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return "", key, err
	}
	if jwk.USE != "" && jwk.USE != jwkset.UseSig {
		return jwk.KID, key, fmt.Errorf("it is for %q", jwk.USE)
	}
	if len(jwk.KEYOPS) > 0 && !slices.Contains(jwk.KEYOPS, jwkset.KeyOpsVerify) {
		return jwk.KID, key, fmt.Errorf("it is for %q", jwk.KEYOPS)
	}
	// Certificates are not looked at, and never fetched: who serves the set is who is trusted.
	jwk.X5U, jwk.X5C, jwk.X5T, jwk.X5TS256 = "", nil, "", ""
	parsed, err := jwkset.NewJWKFromMarshal(jwk, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipMetadata: true})
	if err != nil {
		return jwk.KID, key, err
	}
	key = publicKey{key: parsed.Key(), alg: string(jwk.ALG)}
	switch k := key.key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < leastRSABits || bits > mostRSABits {
			return jwk.KID, key, fmt.Errorf("%d bits are not from %d to %d", bits, leastRSABits, mostRSABits)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return jwk.KID, key, fmt.Errorf("a %T verifies nothing", k)
	}
	return jwk.KID, key, nil
}

// find gives the keys of a kid that may verify an algorithm. A token without a kid is for the set's only
// key.
func (s keySet) find(kid, alg string) (found []publicKey) {
	keys := s[kid]
	if kid == "" {
		keys = nil
		if len(s) == 1 {
			for _, only := range s {
				keys = only
			}
		}
		if len(keys) > 1 {
			return nil
		}
	}
	for _, k := range keys {
		if k.fits(alg) {
			found = append(found, k)
		}
	}
	return found
}

// fits says whether a key may verify an algorithm: that is the key's to say, not the token's.
func (k publicKey) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey:
		return alg == map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.Curve.Params().Name]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}
