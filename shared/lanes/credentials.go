package lanes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Credentials prove to a server who we are.
type Credentials struct {
	Username string // of the ACL; empty: the default user
	Password string
	// PasswordFile holds the password in place of Password; a line end at its end does not count. It is
	// read anew for each connection, so the password may change.
	PasswordFile string
}

// provider gives the credentials for each connection; those of a URL count where there are no others.
func (c Credentials) provider(urlUsername, urlPassword string) (ctxProvider, error) {
	if _, _, err := c.now(urlUsername, urlPassword); err != nil {
		return nil, err
	}
	return func(context.Context) (string, string, error) { return c.now(urlUsername, urlPassword) }, nil
}

func (c Credentials) now(urlUsername, urlPassword string) (username, password string, err error) {
	if c == (Credentials{}) {
		return urlUsername, urlPassword, nil
	}
	if urlUsername != "" || urlPassword != "" {
		return "", "", errors.New("the URL and the settings both name a user or a password")
	}
	password = c.Password
	if c.PasswordFile != "" {
		text, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return "", "", fmt.Errorf("read the password: %w", err)
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	return c.Username, password, nil
}
