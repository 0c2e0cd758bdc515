package peer_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"helix/edge/internal/peer"
)

func proxies(t testing.TB, header string, trusted ...string) *peer.Proxies {
	t.Helper()
	prefixes, err := peer.ParseTrusted(trusted)
	if err != nil {
		t.Fatal(err)
	}
	return peer.New(prefixes, header, slog.New(slog.DiscardHandler))
}

// resolved gives what a handler behind Resolve sees.
func resolved(p *peer.Proxies, from string, header http.Header) (address netip.Addr, secure bool, left http.Header) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.Header = from, header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	p.Resolve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		address, secure, left = peer.Address(r), peer.Secure(r), r.Header
	})).ServeHTTP(httptest.NewRecorder(), r)
	return address, secure, left
}

func TestParseTrusted_namesWhatIsNeitherAddressNorCIDR(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"proxy", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "::ffff:10.0.0.1", "", "10.0.0.1:80"} {
		if _, err := peer.ParseTrusted([]string{"10.0.0.1", bad}); err == nil || !strings.Contains(err.Error(), `"`+bad+`"`) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The attacks: write the header oneself to have another's address, or a new one for each request.
func TestResolve_believesTrustedProxiesAlone(t *testing.T) {
	t.Parallel()
	nobody := proxies(t, peer.XForwardedFor)
	some := proxies(t, peer.XForwardedFor, "10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")
	rfc := proxies(t, peer.Forwarded, "10.0.0.0/8")
	cases := []struct {
		name    string
		proxies *peer.Proxies
		from    string
		header  []string // X-Forwarded-For, or with rfc Forwarded
		want    string
	}{
		{"nobody is trusted", nobody, "10.0.0.1:1", []string{"192.0.2.1"}, "10.0.0.1"},
		{"not even the loopback", nobody, "127.0.0.1:1", []string{"192.0.2.1"}, "127.0.0.1"},
		{"a client writes it", some, "192.0.2.9:1", []string{"192.0.2.1"}, "192.0.2.9"},
		{"a proxy tells", some, "10.0.0.1:1", []string{"192.0.2.1"}, "192.0.2.1"},
		{"an IPv4 proxy on a socket for both", some, "[::ffff:10.0.0.1]:1", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a proxy tells nothing", some, "10.0.0.1:1", nil, "10.0.0.1"},
		{"a client wrote before the proxy appended", some, "10.0.0.1:1", []string{"1.1.1.1, 10.0.0.7, 192.0.2.1"}, "192.0.2.1"},
		{"in a line of its own", some, "10.0.0.1:1", []string{"1.1.1.1", "192.0.2.1"}, "192.0.2.1"},
		{"two proxies", some, "10.0.0.1:1", []string{"1.1.1.1, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"all are proxies", some, "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"IPv6", some, "[2001:db8:1::1]:1", []string{"2001:db8:2::1"}, "2001:db8:2::1"},
		{"IPv6 in brackets with a port", some, "10.0.0.1:1", []string{"[2001:db8:2::1]:443"}, "2001:db8:2::1"},
		{"with a port", some, "10.0.0.1:1", []string{"192.0.2.1:5678"}, "192.0.2.1"},
		{"mapped", some, "10.0.0.1:1", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"nonsense", some, "10.0.0.1:1", []string{"192.0.2.1, nonsense"}, "10.0.0.1"},
		{"nonsense behind a proxy", some, "10.0.0.1:1", []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"an empty element", some, "10.0.0.1:1", []string{"192.0.2.1,"}, "10.0.0.1"},
		{"an empty header", some, "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"proxies without end", some, "10.0.0.1:1", []string{"192.0.2.1" + strings.Repeat(", 10.0.0.2", 1000)}, "10.0.0.2"},

		{"RFC 7239", rfc, "10.0.0.1:1", []string{"for=192.0.2.1;proto=https;by=10.0.0.1"}, "192.0.2.1"},
		{"RFC 7239: in capitals, quoted", rfc, "10.0.0.1:1", []string{`For="[2001:db8:2::1]:4711"`}, "2001:db8:2::1"},
		{"RFC 7239: a comma in quotes", rfc, "10.0.0.1:1", []string{`for=1.1.1.1, by="a,b";for=192.0.2.1`}, "192.0.2.1"},
		{"RFC 7239: quotes that the client opened", rfc, "10.0.0.1:1", []string{`for="1.1.1.1, for=192.0.2.1`}, "192.0.2.1"},
		{"RFC 7239: quotes that the client opened in another line", rfc, "10.0.0.1:1", []string{`for="1.1.1.1`, `for=192.0.2.1`}, "192.0.2.1"},
		{"RFC 7239: two in one element", rfc, "10.0.0.1:1", []string{"for=1.1.1.1;for=192.0.2.1"}, "10.0.0.1"},
		{"RFC 7239: hidden", rfc, "10.0.0.1:1", []string{"for=_secret"}, "10.0.0.1"},
		{"RFC 7239: an escape", rfc, "10.0.0.1:1", []string{`for="192.0.2\.1"`}, "10.0.0.1"},
		{"RFC 7239: not of the form", rfc, "10.0.0.1:1", []string{"192.0.2.1"}, "10.0.0.1"},
	}
	for _, c := range cases {
		name, other := peer.XForwardedFor, peer.Forwarded
		if c.proxies == rfc {
			name, other = other, name
		}
		// The other header is what the proxy passes on as the client wrote it.
		header := http.Header{other: {"for=203.0.113.66"}, "X-Real-Ip": {"203.0.113.66"}}
		if c.header != nil {
			header[name] = c.header
		}
		got, _, left := resolved(c.proxies, c.from, header)
		if got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
		if left.Get(name) != "" || left.Get(other) != "" {
			t.Errorf("%s: the headers are still there: %v", c.name, left)
		}
	}
}

// The attack: say that the connection is encrypted to pass for a page that is.
func TestResolve_believesTheSchemeOfTrustedProxiesAlone(t *testing.T) {
	t.Parallel()
	some, rfc := proxies(t, peer.XForwardedFor, "10.0.0.0/8"), proxies(t, peer.Forwarded, "10.0.0.0/8")
	cases := []struct {
		proxies *peer.Proxies
		from    string
		header  http.Header
		want    bool
	}{
		{some, "192.0.2.1:1", http.Header{"X-Forwarded-Proto": {"https"}}, false},
		{some, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"https"}}, true},
		{some, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"HTTPS"}}, true},
		{some, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"wss"}}, true},
		{some, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"http"}}, false},
		{some, "10.0.0.1:1", http.Header{"X-Forwarded-Proto": {"https", "http"}}, false}, // the proxy's is the last one
		{some, "10.0.0.1:1", nil, false},
		{rfc, "10.0.0.1:1", http.Header{"Forwarded": {"for=192.0.2.1;proto=https"}}, true},
		{rfc, "10.0.0.1:1", http.Header{"Forwarded": {"for=1.1.1.1;proto=https, for=192.0.2.1;proto=http"}}, false},
		{rfc, "10.0.0.1:1", http.Header{"Forwarded": {"for=192.0.2.1"}, "X-Forwarded-Proto": {"https"}}, false},
	}
	for _, c := range cases {
		if _, got, _ := resolved(c.proxies, c.from, c.header); got != c.want {
			t.Errorf("%s %v: secure %v", c.from, c.header, got)
		}
	}
}

func TestResolve_warnsOnce_ofAProxyThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]int{"10.1.2.3:1": 1, "127.0.0.1:1": 1, "192.0.2.1:1": 0} {
		var out bytes.Buffer
		p := peer.New(nil, peer.XForwardedFor, slog.New(slog.NewTextHandler(&out, nil)))
		for range 1000 {
			resolved(p, from, http.Header{peer.XForwardedFor: {"192.0.2.7"}})
		}
		if got := strings.Count(out.String(), "http.trusted_proxies"); got != want {
			t.Errorf("%s: %d warnings: %s", from, got, &out)
		}
	}
}

func TestNetwork_isOneAddress_orSixtyFourBits(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "2001:db8:1:2::": "2001:db8:1:2::", "::1": "::",
	} {
		if got := peer.Network(netip.MustParseAddr(in)); got != netip.MustParseAddr(want) {
			t.Errorf("%s: %v", in, got)
		}
	}
	if got := peer.Network(netip.Addr{}); got.IsValid() {
		t.Error(got)
	}
}

// What an untrusted client writes never matters, and from a trusted proxy there is always an address.
func FuzzResolve(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "1.1.1.1, 10.0.0.2", `for="[2001:db8::1]:80";proto=https`, `for="a\"b, c`, `"`, ",", "[::1", "10.0.0.1, 10.0.0.1"} {
		f.Add(seed, "for=1.2.3.4")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, header := range []string{peer.XForwardedFor, peer.Forwarded} {
			p := proxies(t, header, "10.0.0.0/8")
			told := http.Header{header: {a, b}, "X-Forwarded-Proto": {b}}
			if got, secure, _ := resolved(p, "192.0.2.1:1", told); got != netip.MustParseAddr("192.0.2.1") || secure {
				t.Errorf("%v %v", got, secure)
			}
			got, _, _ := resolved(p, "10.0.0.1:1", told)
			if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
				t.Errorf("%v", got)
			}
			// What a proxy appends counts, whatever stands before it.
			last := map[string]string{peer.XForwardedFor: "192.0.2.7", peer.Forwarded: "for=192.0.2.7"}[header]
			for _, lines := range [][]string{{a, b, last}, {a + ", " + last}} {
				if got, _, _ := resolved(p, "10.0.0.1:1", http.Header{header: lines}); got != netip.MustParseAddr("192.0.2.7") {
					t.Errorf("%q: %v", lines, got)
				}
			}
		}
	})
}
