// Package peer tells whose a request is when it comes through proxies: the address that limits and logs
// go by, and whether it was encrypted on its way. Whoever connects may write any header; what is said of
// somebody else is believed only of proxies that the operator names.
//
// Three ways to be told wrong, and what is done about them:
//
//   - A client writes X-Forwarded-For itself. Proxies append to what is there, so the list is read from its
//     end, and only as far as each address that tells of the next one is a trusted proxy's.
//   - A proxy sets one of X-Forwarded-For and Forwarded, and passes the other on as the client wrote it. So
//     one of them is believed, which the operator chooses, and never whichever happens to be there.
//   - A proxy that speaks the PROXY protocol forgets to, and the client begins with a header of its own. So
//     a trusted proxy must begin with one where that protocol is on, and nobody else may.
package peer

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
)

// The headers that a proxy may tell its client in.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded" // RFC 7239
)

const xForwardedProto = "X-Forwarded-Proto"

// Proxies knows the proxies that are trusted. It is safe for concurrent use.
type Proxies struct {
	trusted []netip.Prefix
	header  string
	log     *slog.Logger

	// An untrusted proxy makes all its clients one.
	warned atomic.Bool
	mu     sync.Mutex
	seen   netip.Addr // a private address that sends the header, the first one
	times  int        // that it did
}

// New makes Proxies of those that ParseTrusted read and the header that they tell their client in.
func New(trusted []netip.Prefix, header string, log *slog.Logger) *Proxies {
	return &Proxies{trusted: trusted, header: header, log: log}
}

// ParseTrusted reads addresses and CIDRs. An error names the one that is neither.
func ParseTrusted(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("%q is neither an address nor a CIDR", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("%q: write an IPv4 address as one", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// Trusts says whether an address is a trusted proxy's.
func (p *Proxies) Trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Address is the address that a request comes from; the zero Addr where it has none. Behind Resolve it is
// the client's.
func Address(r *http.Request) netip.Addr { return parseAddrPort(r.RemoteAddr) }

func parseAddrPort(text string) netip.Addr {
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// Network is what counts as one address: of IPv6 the /64, for whoever has one address there has all of them.
func Network(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}

// Secure says whether the client's side of a request was encrypted, as far as is known.
func Secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get(xForwardedProto) == "https"
}

// Resolve hands requests on as if there were no proxy: RemoteAddr is the client's, and X-Forwarded-Proto is
// https where a trusted proxy says so. What else is said of a client is gone.
func (p *Proxies) Resolve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.resolve(r)
		next.ServeHTTP(w, r)
	})
}

func (p *Proxies) resolve(r *http.Request) {
	told := r.Header[p.header]
	if from := Address(r); p.Trusts(from) {
		var client netip.Addr
		var proto string
		if p.header == Forwarded {
			client, proto = p.forwarded(from, told)
		} else {
			client = p.forwardedFor(from, told)
			proto = lastOf(r.Header[xForwardedProto])
		}
		if client != from {
			r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		delete(r.Header, xForwardedProto)
		if strings.EqualFold(proto, "https") || strings.EqualFold(proto, "wss") {
			r.Header[xForwardedProto] = []string{"https"}
		}
	} else {
		if len(told) > 0 {
			p.notice(from)
		}
		delete(r.Header, xForwardedProto)
	}
	delete(r.Header, XForwardedFor)
	delete(r.Header, Forwarded)
}

// noticeAt is how many requests from one private address make it likely that it is a proxy.
const noticeAt = 50

// notice warns, once, that what looks like a proxy is not trusted: all its clients are limited as one.
func (p *Proxies) notice(from netip.Addr) {
	if near := from.IsPrivate() || from.IsLoopback(); !near || p.warned.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.seen.IsValid() {
		p.seen = from
	}
	if p.seen != from {
		return
	}
	if p.times++; p.times == noticeAt && p.warned.CompareAndSwap(false, true) {
		p.log.Warn("clients seem to come through a proxy that is not trusted, and are limited as one address: name it in http.trusted_proxies",
			"proxy", from.String(), "header", p.header)
	}
}
