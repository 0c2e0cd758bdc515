package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"helix/edge/internal/token"
	"helix/shared/flows"
)

// mintFor is how long a minted token is good for by default.
const mintFor = time.Hour

// mint is the command "helix token": it prints a token for development, as the settings of the edge have it.
func mint(args, environ []string, stdout io.Writer) error {
	m := token.Mint{From: time.Now()}
	lives := mintFor
	var settings []string
	for len(args) > 0 {
		flag, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		if !joined && len(args) == 0 {
			return fmt.Errorf("%s is unknown, or needs a value; helix --help lists what helix token takes", flag)
		}
		if !joined {
			value, args = args[0], args[1:]
		}
		var err error
		switch flag {
		case "--user":
			m.UserID = value
		case "--name":
			m.Name = value
		case "--for":
			lives, err = time.ParseDuration(value)
		case "--right":
			var g token.Grant
			g, err = parseGrant(value)
			m.Rights = append(m.Rights, g)
		case "--config":
			settings = []string{"--config", value}
		default:
			err = errors.New("unknown argument; helix --help lists what helix token takes")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	_, cfg, err := parseCommand(settings, environ)
	if err != nil {
		return err
	}
	if cfg.Auth.Mode != authJWT || cfg.Auth.JWKSURL != "" {
		return errors.New("helix token needs auth.mode jwt and a secret: who has only public keys cannot mint")
	}
	if m.UserID == "" {
		return errors.New("helix token needs --user, the id of whom the token is for")
	}
	if m.Rights == nil {
		all, err := token.NewGrant("*", (flows.Read | flows.Write | flows.Manage).Words()...)
		if err != nil {
			return err
		}
		m.Rights = token.Rights{all}
	}
	m.Until, m.Issuer, m.Audience, m.Claim = m.From.Add(lives), cfg.Auth.Issuer, cfg.Auth.Audience, cfg.Auth.Claim
	secret, err := cfg.secret()
	if err != nil {
		return err
	}
	text, err := m.Sign(secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}

// parseGrant reads FLOWS=RIGHT,RIGHT. A flow id may have equal signs; a right has none.
func parseGrant(text string) (token.Grant, error) {
	at := strings.LastIndexByte(text, '=')
	if at < 0 {
		return token.Grant{}, fmt.Errorf("%.300q is not of the form FLOWS=read,write,manage", text)
	}
	return token.NewGrant(text[:at], strings.Split(text[at+1:], ",")...)
}
