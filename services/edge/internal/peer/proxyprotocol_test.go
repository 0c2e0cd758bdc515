package peer_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"helix/edge/internal/peer"
)

// listening serves HTTP that answers with the address a request came from.
func listening(t *testing.T, p *peer.Proxies) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: p.Resolve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, peer.Address(r).String())
	}))}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(p.Listen(l)) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-ended
	})
	return l.Addr().String()
}

// says sends bytes and gives the status and body of the answer; 0 where the connection ends without one.
func says(t *testing.T, addr, head string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = fmt.Fprintf(conn, "%sGET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.99\r\nConnection: close\r\n\r\n", head)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatalf("%q: it hangs", head)
		}
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func version2(t *testing.T, from string) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.ParseIP(from), Port: 7}, &net.TCPAddr{IP: net.ParseIP(from), Port: 8})
	text, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestListen_readsTheHeadersOfTrustedProxies(t *testing.T) {
	t.Parallel()
	addr := listening(t, proxies(t, peer.XForwardedFor, "127.0.0.1", "10.0.0.0/8"))
	local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	for _, c := range []struct{ head, want string }{
		{"PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\n", "192.0.2.1"},
		{"PROXY TCP6 2001:db8::1 2001:db8::2 7 8\r\n", "2001:db8::1"},
		{"PROXY TCP4 10.0.0.7 192.0.2.2 7 8\r\n", "192.0.2.99"}, // a proxy of its own, which tells by header
		{"PROXY UNKNOWN\r\n", "192.0.2.99"},                     // the proxy speaks for itself
		{version2(t, "192.0.2.1"), "192.0.2.1"},
		{version2(t, "2001:db8::1"), "2001:db8::1"},
		{local, "192.0.2.99"},
	} {
		if status, got := says(t, addr, c.head); status != 200 || got != c.want {
			t.Errorf("%q: %d %q, want %q", c.head, status, got, c.want)
		}
	}
	// The attack: a proxy that passes on without a header lets its client begin with one. So none is no way in.
	for _, head := range []string{"", "PROXY TCP4 300.0.0.1 1.1.1.1 7 8\r\n", "PROXY " + strings.Repeat("x", 200), "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x01x"} {
		if status, got := says(t, addr, head); status != 0 {
			t.Errorf("%q: %d %q", head, status, got)
		}
	}
}

// The attack: whoever connects says in a PROXY header that they are somebody else.
func TestListen_takesNoHeaderOfOthers(t *testing.T) {
	t.Parallel()
	addr := listening(t, proxies(t, peer.XForwardedFor, "192.0.2.0/24"))
	if status, got := says(t, addr, ""); status != 200 || got != "127.0.0.1" {
		t.Errorf("%d %q", status, got)
	}
	for _, head := range []string{"PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\n", version2(t, "192.0.2.1")} {
		if status, _ := says(t, addr, head); status != 400 {
			t.Errorf("%q: %d", head, status)
		}
	}
}

// A socket is read and written by its file descriptor: what came with the header must be read before.
func TestListen_keepsTheFileDescriptor(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = proxies(t, peer.XForwardedFor, "127.0.0.1").Listen(l)
	defer func() { _ = l.Close() }()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	_, _ = io.WriteString(out, "PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\nhello")
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if _, ok := in.(syscall.Conn); !ok {
		t.Error("no file descriptor")
	}
	if got := in.RemoteAddr().String(); got != "192.0.2.1:7" {
		t.Error(got)
	}
	buffer := make([]byte, 4096)
	if n, err := in.Read(buffer); err != nil || string(buffer[:n]) != "hello" {
		t.Errorf("%q %v", buffer[:n], err)
	}
}
