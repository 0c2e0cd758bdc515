package socket

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// What clients of Phoenix 1.8 offer as subprotocols when they have an authToken: this one, and one that is
// no protocol but the token, with this before it. A browser's WebSocket lets a page set no other header.
const (
	subprotocol        = "phoenix"
	subprotocolOfToken = "base64url.bearer.phx."
)

// TokenOf gives the token that a client sends with its upgrade: as the parameter "token", or in the
// subprotocols. Without one it is empty. A request with several is refused, for who stands between may
// have looked at another.
func TokenOf(r *http.Request) (string, error) {
	tokens := r.URL.Query()["token"]
	for _, p := range offered(r) {
		encoded, ok := strings.CutPrefix(p, subprotocolOfToken)
		if !ok {
			continue
		}
		// phoenix.js calls it base64url and writes plain base64.
		token, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(encoded, "=")))
		if err != nil {
			return "", errors.New("the token in the subprotocols is not base64")
		}
		tokens = append(tokens, string(token))
	}
	switch len(tokens) {
	case 0:
		return "", nil
	case 1:
		return tokens[0], nil
	}
	return "", errors.New("there is more than one token")
}

// offered gives the subprotocols that a client offers.
func offered(r *http.Request) (protocols []string) {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for _, p := range strings.Split(line, ",") {
			protocols = append(protocols, strings.TrimSpace(p))
		}
	}
	return protocols
}

// chosen gives the headers of the upgrade's answer. A client that sends its token as a subprotocol must be
// told that its other one was chosen, or its browser gives up; others are told nothing, as by the original.
func chosen(r *http.Request) http.Header {
	speaks, token := false, false
	for _, p := range offered(r) {
		speaks = speaks || p == subprotocol
		token = token || strings.HasPrefix(p, subprotocolOfToken)
	}
	if speaks && token {
		return http.Header{"Sec-Websocket-Protocol": {subprotocol}}
	}
	return nil
}
