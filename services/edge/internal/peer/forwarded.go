package peer

import (
	"net/netip"
	"strings"
)

// mostHops bounds the proxies that a request is followed through.
const mostHops = 32

// forwardedFor follows X-Forwarded-For from its end, from one trusted proxy to whom it tells of. What cannot
// be read ends the way: it counts as the proxy's that passed it on.
func (p *Proxies) forwardedFor(at netip.Addr, lines []string) netip.Addr {
	list := backwards{lines: lines}
	for range mostHops {
		text, ok := list.next()
		if !ok || !p.Trusts(at) {
			break
		}
		told, ok := parseNode(text)
		if !ok {
			break
		}
		at = told
	}
	return at
}

// forwarded follows Forwarded (RFC 7239) in the same way, and gives the protocol that is told with the
// address: how whoever is there came to the proxy that tells it.
func (p *Proxies) forwarded(at netip.Addr, lines []string) (client netip.Addr, proto string) {
	list := backwards{lines: lines}
	for range mostHops {
		text, ok := list.next()
		if !ok || !p.Trusts(at) {
			break
		}
		node, by := parseElement(text)
		told, ok := parseNode(node)
		if !ok {
			break
		}
		at, proto = told, by
	}
	return at, proto
}

// backwards gives the elements of a header's list from its end. It goes backwards, for then quotes that
// the client opened cannot take in what a proxy appended behind them.
type backwards struct {
	lines []string
	rest  string // of the line that it is in
	in    bool
}

func (b *backwards) next() (element string, ok bool) {
	if !b.in {
		if len(b.lines) == 0 {
			return "", false
		}
		last := len(b.lines) - 1
		b.rest, b.lines, b.in = b.lines[last], b.lines[:last], true
	}
	quoted := false
	for i := len(b.rest) - 1; i >= 0; i-- {
		switch c := b.rest[i]; {
		case c == '"' && quoted && i > 0 && b.rest[i-1] == '\\': // an escaped one is no end
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			element, b.rest = b.rest[i+1:], b.rest[:i]
			return strings.TrimSpace(element), true
		}
	}
	b.in = false
	return strings.TrimSpace(b.rest), true
}

func lastOf(lines []string) string {
	list := backwards{lines: lines}
	text, _ := list.next()
	return text
}

// parseElement takes "for" and "proto" out of an element of Forwarded. One that has either twice, or is
// not of the form, tells nothing.
func parseElement(text string) (node, proto string) {
	seen := map[string]bool{}
	for rest := text; rest != ""; {
		var pair string
		pair, rest = cutPair(rest)
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if value, ok = unquote(value, ok); !ok {
			return "", ""
		}
		name = strings.ToLower(name)
		if seen[name] {
			return "", ""
		}
		seen[name] = true
		switch name {
		case "for":
			node = value
		case "proto":
			proto = value
		}
	}
	return node, proto
}

// cutPair cuts at the first semicolon outside of quotes.
func cutPair(text string) (pair, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == ';' && !quoted:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// unquote takes the quotes off a value. Addresses need no escapes: a value with one is not read.
func unquote(value string, ok bool) (string, bool) {
	if !ok || strings.Contains(value, `\`) {
		return "", false
	}
	if inner, quoted := strings.CutPrefix(value, `"`); quoted {
		value, ok = strings.CutSuffix(inner, `"`)
	}
	return value, ok && !strings.Contains(value, `"`)
}

// parseNode reads an address, with or without a port; IPv6 with a port, or as RFC 7239 has it, in brackets.
func parseNode(text string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if bare, ok := strings.CutSuffix(inner, "]"); ok {
			addr, err := netip.ParseAddr(bare)
			return addr.Unmap().WithZone(""), err == nil && addr.Is6()
		}
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	addr := parseAddrPort(text)
	return addr, addr.IsValid()
}
