package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Mint is what a minted token says. Empty parts are left out.
type Mint struct {
	UserID, Name     string
	Rights           Rights
	Issuer, Audience string
	Claim            string // that tells the rights
	From, Until      time.Time
}

// Sign makes the token, signed with an HMAC secret: for development, and for tests. An issuer of real
// ones keeps its keys elsewhere.
func (m Mint) Sign(secret []byte) (string, error) {
	if m.UserID == "" {
		return "", errors.New("a token names its user")
	}
	if !m.Until.After(m.From) {
		return "", errors.New("the token would have expired before it begins")
	}
	c := jwt.MapClaims{"sub": m.UserID, "iat": m.From.Unix(), "exp": m.Until.Unix(), m.Claim: m.Rights}
	for claim, value := range map[string]string{"name": m.Name, "iss": m.Issuer, "aud": m.Audience} {
		if value != "" {
			c[claim] = value
		}
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	return text, nil
}
