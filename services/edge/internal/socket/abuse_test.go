package socket_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"helix/edge/internal/bounds"
	"helix/edge/internal/socket"
	"helix/shared/telemetry"
)

// What people try on a socket, each with the attack that it stops.

// handshake sends an upgrade with headers of the test's and gives the answer, and the connection behind it.
func handshake(t *testing.T, s *server, query string, headers ...string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	text := "GET /" + query + " HTTP/1.1\r\n"
	for _, usual := range []string{
		"Host: " + conn.RemoteAddr().String(), "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	} {
		name, _, _ := strings.Cut(usual, " ")
		if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, name) }) {
			text += usual + "\r\n"
		}
	}
	for _, h := range headers {
		text += h + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response, conn, in
}

// The attack (cross-site WebSocket hijacking): a page of another site opens a socket in its visitor's name,
// with an Origin that looks like ours.
func TestAbuse_originsThatLookLikeOurs(t *testing.T) {
	t.Parallel()
	own := start(t, nil)
	list := start(t, func(o *socket.Options) {
		o.AllowedOrigins = []string{"https://app.example.com", "*.example.org", "ask.example:8443", "xn--bcher-kva.example"}
	})
	for _, c := range []struct {
		server *server
		host   string
		origin []string
		proto  string // what a trusted proxy says
		taken  bool
	}{
		{own, "flows.example", []string{"https://flows.example"}, "", true},
		{own, "flows.example", []string{"https://FLOWS.example"}, "", true},
		{own, "flows.example:443", []string{"https://flows.example"}, "", true},
		{own, "flows.example", []string{"https://flows.example:443"}, "", true},
		{own, "flows.example:80", []string{"http://flows.example"}, "", true},
		{own, "flows.example", []string{"https://flows.example"}, "https", true},
		{own, "flows.example", []string{"http://flows.example"}, "https", false}, // made up by who stands between
		{own, "flows.example", []string{"http://flows.example:443"}, "", false},
		{own, "flows.example", []string{"https://flows.example:80"}, "", false},
		{own, "flows.example", []string{"https://flows.example:4430"}, "", false},
		{own, "flows.example", []string{"https://flows.example."}, "", false},
		{own, "flows.example", []string{"https://flows.example.evil.example"}, "", false},
		{own, "flows.example", []string{"https://evil.example/flows.example"}, "", false},
		{own, "flows.example", []string{"https://evil.example#flows.example"}, "", false},
		{own, "flows.example", []string{"https://evil.example?https://flows.example"}, "", false},
		{own, "flows.example", []string{"https://flows.example@evil.example"}, "", false},
		{own, "flows.example", []string{"https://evil.example\\@flows.example"}, "", false},
		{own, "flows.example", []string{"https://flows.example?"}, "", false},
		{own, "flows.example", []string{"https://flows.example#"}, "", false},
		{own, "flows.example", []string{"https://flows.example/"}, "", false},
		{own, "flows.example", []string{"https://flow\u017f.example"}, "", false}, // the long s is an s where case does not count
		{own, "flows.example", []string{"flows.example"}, "", false},
		{own, "flows.example", []string{"//flows.example"}, "", false},
		{own, "flows.example", []string{"ftp://flows.example"}, "", false},
		{own, "flows.example", []string{"file://"}, "", false},
		{own, "flows.example", []string{"null"}, "", false},
		{own, "flows.example", []string{""}, "", false},
		{own, "flows.example", []string{"https://flows.example https://evil.example"}, "", false},
		{own, "flows.example", []string{"https://flows.example, https://evil.example"}, "", false},
		{own, "flows.example", []string{"https://flows.example", "https://flows.example"}, "", false},
		{own, "flows.example", []string{"https://flows.example", "https://evil.example"}, "", false},
		{own, "[2001:db8::1]:4000", []string{"http://[2001:db8::1]:4000"}, "", true},
		{own, "[2001:db8::1]", []string{"http://[2001:db8::1]:4000"}, "", false},
		{list, "x", []string{"https://app.example.com"}, "", true},
		{list, "x", []string{"https://app.example.com:443"}, "", true},
		{list, "x", []string{"https://app.example.com:8443"}, "", false},
		{list, "x", []string{"http://app.example.com"}, "", false},
		{list, "x", []string{"https://a.example.org"}, "", true},
		{list, "x", []string{"https://.example.org"}, "", false},
		{list, "x", []string{"https://a.b.example.org"}, "", false},
		{list, "x", []string{"https://aexample.org"}, "", false},
		{list, "x", []string{"https://a.example.org.evil.example"}, "", false},
		{list, "x", []string{"https://ask.example:8443"}, "", true},
		{list, "x", []string{"https://ask.example"}, "", false},
		{list, "x", []string{"https://xn--bcher-kva.example"}, "", true},
		{list, "x", []string{"https://b\u00fccher.example"}, "", false},
		{list, "x", []string{"https://x"}, "", false},
		{list, "x", []string{"null"}, "", false},
	} {
		headers := []string{"Host: " + c.host}
		for _, o := range c.origin {
			headers = append(headers, "Origin: "+o)
		}
		if c.proto != "" {
			headers = append(headers, "X-Forwarded-Proto: "+c.proto)
		}
		response, conn, _ := handshake(t, c.server, "", headers...)
		if want := map[bool]int{true: 101, false: 403}[c.taken]; response.StatusCode != want {
			t.Errorf("host %s, origin %q, %s: %d, want %d", c.host, c.origin, c.proto, response.StatusCode, want)
		}
		_ = conn.Close()
	}
}

func TestCheckAllowed_namesOriginsThatNoBrowserHas(t *testing.T) {
	t.Parallel()
	for entry, good := range map[string]bool{
		"*": true, "https://a.example": true, "a.example": true, "a.example:3000": true, "*.a.example": true, "https://*.a.example": true,
		"localhost:3000": true, "http://[::1]:3000": true, "https://xn--bcher-kva.example": true, "chrome-extension://abcdef": true,
		"https://a.example/": false, "https://a.example/x": false, "b\u00fccher.example": false, "a.*.example": false, "**": false,
		"a b": false, "https://": false, "": false, "null": true, // a host of that name
	} {
		if err := socket.CheckAllowed(entry); (err == nil) != good {
			t.Errorf("%q: %v", entry, err)
		}
	}
}

// The attack (compression bomb): a kilobyte that unpacks to a megabyte, a thousand times. Nothing is unpacked.
func TestAbuse_compressionIsNeverAgreedOn(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, offer := range []string{"permessage-deflate", "permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame", "permessage-deflate, permessage-bzip2"} {
		response, conn, in := handshake(t, s, v2, "Sec-WebSocket-Extensions: "+offer)
		if response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("%s: %d, agreed on %q", offer, response.StatusCode, response.Header.Get("Sec-WebSocket-Extensions"))
		}
		_, _ = conn.Write([]byte{0xc1, 0x80, 0, 0, 0, 0}) // the bit that says: compressed
		if code := closeCode(t, in); code != 1002 {
			t.Errorf("%s: a compressed frame ends with %d", offer, code)
		}
	}
}

// closeCode reads frames of the server until its close frame.
func closeCode(t *testing.T, in *bufio.Reader) int {
	t.Helper()
	for {
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			t.Fatalf("no close frame: %v", err)
		}
		size := int(head[1] & 0x7f)
		if size == 126 {
			var long [2]byte
			_, _ = io.ReadFull(in, long[:])
			size = int(long[0])<<8 | int(long[1])
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(in, payload); err != nil {
			t.Fatal(err)
		}
		if head[0] == 0x88 {
			return int(payload[0])<<8 | int(payload[1])
		}
	}
}

// The attack (slow loris): keep sockets, and buffers with them, by a byte now and then.
func TestAbuse_messagesWithoutAnEnd(t *testing.T) {
	t.Parallel()
	const idle = 400 * time.Millisecond
	masked := func(head byte, payload string) []byte {
		return append([]byte{head, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	}
	for name, next := range map[string]func(i int) []byte{
		"a frame sent byte by byte": func(i int) []byte {
			if i == 0 {
				return []byte{0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0}
			}
			return []byte{'x'}
		},
		"a header sent byte by byte": func(i int) []byte { return []byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3}[min(i, 12):][:1] },
		"fragments": func(i int) []byte {
			if i == 0 {
				return masked(0x01, "x")
			}
			return masked(0x00, "x")
		},
		"fragments with pings between them": func(i int) []byte {
			if i == 0 {
				return masked(0x01, "x")
			}
			return masked(0x89, "p")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(o *socket.Options) { o.IdleTimeout = idle })
			_, conn, in := handshake(t, s, v2)
			stop := make(chan struct{})
			var sending sync.WaitGroup
			sending.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(idle / 20):
						if _, err := conn.Write(next(i)); err != nil {
							return
						}
					}
				}
			})
			if code := closeCode(t, in); code != 1002 {
				t.Errorf("closed with %d", code)
			}
			close(stop)
			sending.Wait()
		})
	}
}

// The other side of it: who sends much, all the time, is not taken for who sends nothing whole.
func TestSocket_aBusyClientIsNotSilent(t *testing.T) {
	t.Parallel()
	const idle = time.Second // longer than a busy machine keeps this test waiting
	s := start(t, func(o *socket.Options) { o.IdleTimeout, o.MessageRate = idle, 0 })
	c := s.dial(t, v2)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, _, err := c.conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	frame := []byte(`[null,"1","phoenix","heartbeat",{"x":"` + strings.Repeat("x", 1500) + `"}]`)
	for began := time.Now(); time.Since(began) < 2*idle; {
		if err := c.conn.WriteMessage(websocket.TextMessage, frame); err != nil {
			t.Fatalf("closed after %v: %v", time.Since(began), err)
		}
	}
	_ = c.conn.Close()
	<-ended
}

// The attack: control frames that one may not send.
func TestAbuse_controlFrames(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for name, bytes := range map[string][]byte{
		"a long ping":                     append([]byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...),
		"a fragmented ping":               {0x09, 0x80, 0, 0, 0, 0},
		"a continuation of nothing":       {0x80, 0x80, 0, 0, 0, 0},
		"a message within a message":      {0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0},
		"an opcode of the future":         {0x8b, 0x80, 0, 0, 0, 0},
		"an unmasked ping":                {0x89, 0x00},
		"a reserved bit":                  {0xa1, 0x80, 0, 0, 0, 0},
		"a length of which nobody is fit": {0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
	} {
		_, conn, in := handshake(t, s, v2)
		_, _ = conn.Write(bytes)
		want := 1002
		if strings.Contains(name, "length") {
			want = 1009
		}
		if code := closeCode(t, in); code != want {
			t.Errorf("%s: %d, want %d", name, code, want)
		}
	}
}

// The attack: pings without end, each to be answered. Of those that come together the last one is.
func TestAbuse_pingFlood_isAnsweredInShort_andHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	_, conn, in := handshake(t, s, v2)
	const pings = 5000
	flood := append(bytes.Repeat([]byte{0x89, 0x81, 0, 0, 0, 0, 'a'}, pings-1), 0x89, 0x81, 0, 0, 0, 0, 'z')
	go func() { _, _ = conn.Write(flood) }()
	other := s.dial(t, v2)
	other.send(`[null,"1","phoenix","heartbeat",{}]`)
	other.expect(`[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
	_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	for pongs := 1; ; pongs++ {
		var pong [3]byte
		if _, err := io.ReadFull(in, pong[:]); err != nil || pong[0] != 0x8a || pong[1] != 1 {
			t.Fatalf("%x %v", pong, err)
		}
		if pong[2] == 'z' {
			if pongs > pings/10 {
				t.Errorf("%d pongs for %d pings", pongs, pings)
			}
			return
		}
		if pongs > pings {
			t.Fatal("the last ping is not answered")
		}
	}
}

// The attack: heartbeats, or messages that nobody knows, as fast as one can. They are read at a rate.
func TestAbuse_messageFlood_isReadAtItsRate(t *testing.T) {
	t.Parallel()
	const rate, more = 200, 200
	s := start(t, func(o *socket.Options) { o.MessageRate = rate })
	c := s.dial(t, v2)
	began := time.Now()
	go func() {
		for range 4*rate + more {
			if c.conn.WriteMessage(websocket.TextMessage, []byte(`[null,"1","phoenix","heartbeat",{}]`)) != nil {
				return
			}
		}
	}()
	for range 4*rate + more {
		c.expect(`[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
	}
	// All are answered. The first four seconds' worth come at once; one read may run ahead of the rate.
	if took, least := time.Since(began), time.Second*more/rate/3; took < least {
		t.Errorf("all were read in %v, want %v or more", took, least)
	}
}

// The attack: what is behind an upgrade that a proxy takes for done is read as a request.
func TestAbuse_nothingIsReadBehindARefusedUpgrade(t *testing.T) {
	t.Parallel()
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	s := start(t, nil)
	for name, headers := range map[string][]string{
		"a foreign origin":       {"Origin: https://evil.example"},
		"another version":        {"Sec-WebSocket-Version: 9999"},
		"a body":                 {fmt.Sprintf("Content-Length: %d", len(smuggled))},
		"a chunked body":         {"Transfer-Encoding: chunked"},
		"a key that is none":     {"Sec-WebSocket-Key: x"},
		"a version that is none": {"X: y"},
	} {
		query := v2
		if name == "a version that is none" {
			query = "?vsn=9"
		}
		response, conn, in := handshake(t, s, query, headers...)
		if response.StatusCode == 101 || !response.Close {
			t.Errorf("%s: %d, closes %v", name, response.StatusCode, response.Close)
		}
		_, _ = io.WriteString(conn, smuggled)
		_, _ = io.Copy(io.Discard, response.Body)
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("%s: the smuggled request is answered: %q", name, rest)
		}
	}
}

// The attack: subprotocols as a way to other headers, or to a token that who stands between does not see.
func TestAbuse_subprotocols(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *socket.Options) {
		o.Connect = func(r *http.Request) (any, error) {
			token, err := socket.TokenOf(r)
			if err == nil && token != "good" {
				err = errors.New("no")
			}
			return nil, err
		}
	})
	const good = "base64url.bearer.phx.Z29vZA=="
	for _, c := range []struct {
		query     string
		protocols []string
		status    int
		chosen    string
	}{
		{v2, []string{"phoenix, " + good}, 101, "phoenix"},
		{v2, []string{"phoenix", good}, 101, "phoenix"},
		{v2, []string{good}, 101, ""},
		{v2 + "&token=good", nil, 101, ""},
		{v2 + "&token=good", []string{"mqtt, phoenix"}, 101, ""},
		{v2 + "&token=good", []string{"phoenix, " + good}, 403, ""},
		{v2 + "&token=good&token=bad", nil, 403, ""},
		{v2, []string{"phoenix, " + good + ", " + good}, 403, ""},
		{v2, []string{"phoenix, base64url.bearer.phx.%%%"}, 403, ""},
		{v2, []string{"phoenix, BASE64URL.BEARER.PHX.Z29vZA=="}, 403, ""},
		{v2, []string{"phoenix, base64url.bearer.phx."}, 403, ""},
		{v2, nil, 403, ""},
		{v2 + "&token=good", []string{strings.Repeat("x,", 10_000)}, 101, ""},
	} {
		var headers []string
		for _, p := range c.protocols {
			headers = append(headers, "Sec-WebSocket-Protocol: "+p)
		}
		response, conn, _ := handshake(t, s, c.query, headers...)
		if got := response.Header.Get("Sec-WebSocket-Protocol"); response.StatusCode != c.status || got != c.chosen {
			t.Errorf("%s %.60q: %d, chosen %q; want %d, %q", c.query, c.protocols, response.StatusCode, got, c.status, c.chosen)
		}
		_ = conn.Close()
	}
}

// The attack: a topic's name, or a ref, of a megabyte, kept for each of a socket's topics and sent with all that
// is told there.
func TestAbuse_endlessNamesAndRefs(t *testing.T) {
	t.Parallel()
	c := start(t, nil).dial(t, v2)
	long := strings.Repeat("x", 5<<10)
	for _, frame := range []string{
		`["1","2","echo:` + long + `","phx_join",{}]`, `["1","` + long + `","echo:a","phx_join",{}]`, `["` + long + `","2","echo:a","phx_join",{}]`,
	} {
		c.send(frame)
		_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, got, err := c.conn.ReadMessage(); err != nil || !strings.Contains(string(got), `"reason":"invalid_params"`) {
			t.Errorf("%.300s %v", got, err)
		}
	}
	c.send(`["1","3","echo:` + long[:4000] + `","phx_join",{}]`)
	c.expect(`["1","3","echo:` + long[:4000] + `","phx_reply",{"response":{},"status":"ok"}]`)
}

// The attack: nest until the reader's stack is full.
func TestAbuse_nestingWithoutEnd(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, open := range []string{"[", `{"a":`} {
		c := s.dial(t, v2)
		c.send(`["1","1","echo:a","phx_join",` + strings.Repeat(open, 100_000))
		c.expectClose(1011)
	}
}

type user string

func (u user) UserID() string { return string(u) }

// guarded starts a server with limits, and what is logged of them.
func guarded(t *testing.T, o bounds.Options, change func(*socket.Options)) (*server, *telemetry.Metrics, func() string) {
	t.Helper()
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(b)
	}), nil))
	metrics := telemetry.NewMetrics(prometheus.NewRegistry())
	o.Metrics = metrics
	s := start(t, func(so *socket.Options) {
		so.Guard, so.Metrics, so.Security = bounds.New(o), metrics, telemetry.NewSecurityLog(log, nil)
		if change != nil {
			change(so)
		}
	})
	return s, metrics, func() string {
		mu.Lock()
		defer mu.Unlock()
		return out.String()
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// The attack: take all sockets, with made up tokens or with one good one.
func TestAbuse_socketsWithoutEnd(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s, _, logged := guarded(t, bounds.Options{Address: bounds.Limits{Sockets: 3}, User: bounds.Limits{Sockets: 2}}, func(o *socket.Options) {
		o.Connect = func(r *http.Request) (any, error) {
			asked.Add(1)
			token, _ := socket.TokenOf(r)
			if token == "bad" {
				return nil, errors.New("no such token")
			}
			return user(token), nil
		}
	})
	as := func(token string) int {
		response, _, _ := handshake(t, s, v2+"&token="+token)
		if (response.StatusCode == 429) != (response.Header.Get("Retry-After") != "") {
			t.Errorf("%d with Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
		}
		return response.StatusCode
	}
	for range 5 {
		if code := as("bad"); code != 403 { // a refused one gives its place back
			t.Fatal(code)
		}
	}
	if a, b, c, d := as("ann"), as("ann"), as("ann"), as("bob"); a != 101 || b != 101 || c != 429 || d != 101 {
		t.Fatal(a, b, c, d)
	}
	before := asked.Load()
	if code := as("eve"); code != 429 {
		t.Fatal(code)
	}
	if asked.Load() != before {
		t.Error("an address that is turned away costs a signature")
	}
	for _, want := range []string{"event=limit_reached limit=user_sockets address=127.0.0.1 user_id=ann", "event=limit_reached limit=address_sockets", "event=token_refused error=\"no such token\""} {
		if !strings.Contains(logged(), want) {
			t.Errorf("not logged: %s in %s", want, logged())
		}
	}
}

// The attack: open and close as fast as one can.
func TestAbuse_newSocketsWithoutEnd(t *testing.T) {
	t.Parallel()
	s, _, _ := guarded(t, bounds.Options{Address: bounds.Limits{SocketRate: 1}}, nil)
	refused := 0
	for range 20 {
		response, conn, _ := handshake(t, s, v2)
		_ = conn.Close()
		if response.StatusCode == 429 {
			refused++
		}
	}
	if refused < 10 {
		t.Errorf("%d of 20 refused at one a second", refused)
	}
}

// A socket that ends gives its place back, however it ends.
func TestSocket_givesItsPlaceBack(t *testing.T) {
	t.Parallel()
	s, _, _ := guarded(t, bounds.Options{Address: bounds.Limits{Sockets: 1}}, nil)
	for i := range 6 {
		var response *http.Response
		var conn net.Conn
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // the one before ends
			if response, conn, _ = handshake(t, s, v2); response.StatusCode == 101 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d: %d", i, response.StatusCode)
			}
		}
		switch i % 3 {
		case 0:
			_ = conn.(*net.TCPConn).SetLinger(0)
		case 1:
			_, _ = conn.Write([]byte{0x88, 0x80, 0, 0, 0, 0})
		case 2:
			_, _ = conn.Write([]byte{0x83, 0x80, 0, 0, 0, 0})
		}
		_ = conn.Close()
	}
}

// The attack: join and leave as fast as one can; each join is a script in Redis.
func TestAbuse_joinsWithoutEnd(t *testing.T) {
	t.Parallel()
	s, _, logged := guarded(t, bounds.Options{Address: bounds.Limits{JoinRate: 2}}, nil)
	c := s.dial(t, v2)
	refused := 0
	for i := range 30 {
		c.send(fmt.Sprintf(`["%d","%d","echo:a","phx_join",{}]`, i, i))
		for {
			_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, frame, err := c.conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(frame, []byte("phx_reply")) {
				if bytes.Contains(frame, []byte(`"reason":"rate_limited"`)) {
					refused++
				}
				break
			}
		}
	}
	if refused < 15 {
		t.Errorf("%d of 30 joins refused at two a second", refused)
	}
	c.send(`[null,"99","phoenix","heartbeat",{}]`) // the socket goes on
	c.expect(`[null,"99","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
	if !strings.Contains(logged(), "limit=address_join_rate") {
		t.Error(logged())
	}
}

// What is logged of those who try has no token in it.
func TestAbuse_isLogged_withoutSecrets(t *testing.T) {
	t.Parallel()
	s, _, logged := guarded(t, bounds.Options{}, func(o *socket.Options) {
		o.Connect = func(*http.Request) (any, error) { return nil, errors.New("the signature is wrong") }
	})
	handshake(t, s, v2+"&token=hunter2", "Origin: https://evil.example")
	handshake(t, s, v2+"&token=hunter2")
	handshake(t, s, "?vsn=7&token=hunter2")
	handshake(t, s, v2, "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.aHVudGVyMg")
	for _, want := range []string{"event=origin_refused", "origin=https://evil.example", "event=token_refused", "event=version_refused", "address=127.0.0.1"} {
		if !strings.Contains(logged(), want) {
			t.Errorf("not logged: %s in %s", want, logged())
		}
	}
	if strings.Contains(logged(), "hunter2") || strings.Contains(logged(), "aHVudGVyMg") {
		t.Error(logged())
	}
}

// The attack: ask for documents and do not read them. A few bytes make the edge hold megabytes.
func TestAbuse_documentsThatNobodyReads(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	metrics := telemetry.NewMetrics(prometheus.NewRegistry())
	s := start(t, func(o *socket.Options) { o.WaitingBytes, o.Metrics = 3*size, metrics })
	frame := socket.AppendText(nil, func(dst []byte) []byte {
		return append(dst, `[null,null,"echo:a","x","`+strings.Repeat("x", size)+`"]`...)
	})
	join := func() (*client, *socket.Topic) {
		c := s.dial(t, v2)
		c.send(`["1","1","echo:a","phx_join",{"later":true}]`)
		topic := <-s.echo.later
		topic.Accept([]byte("{}"))
		return c, topic
	}
	const greedy = 6
	var clients []*client
	for range greedy {
		c, topic := join()
		clients = append(clients, c)
		topic.SendWhole(frame)
		topic.Flush()
		if waiting := s.Waiting(); waiting > 3*size {
			t.Fatalf("%d bytes wait", waiting)
		}
	}
	reader, topic := join() // who reads gets its own, however many do not
	got := make(chan error, 1)
	go func() {
		for range 6 {
			if _, _, err := reader.conn.ReadMessage(); err != nil {
				got <- err
				return
			}
		}
		got <- nil
	}()
	for range 5 {
		topic.SendWhole(frame)
		topic.Flush()
		for s.WaitingOf(topic.Socket()) > 0 { // it is read
			time.Sleep(time.Millisecond)
		}
	}
	if err := <-got; err != nil {
		t.Errorf("who reads is cut off: %v", err)
	}
	// Those who waited for longest are gone, and nothing is counted of them.
	_ = clients[0].conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		_, _, err := clients[0].conn.ReadMessage()
		if err == nil {
			continue
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Error("the first is still there")
		}
		break
	}
	for _, c := range clients {
		_ = c.conn.Close()
	}
	for deadline := time.Now().Add(20 * time.Second); s.Waiting() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are counted when all are gone", s.Waiting())
		}
	}
}
