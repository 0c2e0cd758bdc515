package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// What people try on a whole edge, each with the attack that it stops.

// dialFrom opens a socket with headers of the test's; code is the answer's status.
func (r *running) dialFrom(query string, header http.Header) (c *socketClient, code int) {
	r.t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial(strings.Replace(r.url(), "http", "ws", 1)+"/socket/websocket?vsn=2.0.0"+query, header)
	if err != nil {
		if response == nil {
			r.t.Fatal(err)
		}
		return nil, response.StatusCode
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return &socketClient{r.t, conn}, http.StatusSwitchingProtocols
}

func from(address string) http.Header { return http.Header{"X-Forwarded-For": {address}} }

// The attack: be many behind a header that one writes oneself. And its other side: who comes through a
// trusted proxy is not taken for all others who do.
func TestAbuse_addressesBehindProxies(t *testing.T) {
	t.Parallel()
	limits := []string{"HELIX_ADDRESS_MAX_SOCKETS=2"}
	direct, behind := start(t, limits...), start(t, append(limits, "HELIX_HTTP_TRUSTED_PROXIES=127.0.0.0/8")...)
	for i, c := range []struct {
		r    *running
		from string
		want int
	}{
		{direct, "192.0.2.1", 101}, {direct, "192.0.2.2", 101}, {direct, "192.0.2.3", 429}, // all are the loopback
		{behind, "192.0.2.1", 101}, {behind, "192.0.2.1", 101}, {behind, "192.0.2.1", 429},
		{behind, "8.8.8.8, 192.0.2.1", 429}, {behind, "192.0.2.2", 101},
		{behind, "2001:db8::1", 101}, {behind, "2001:db8::2", 101}, {behind, "2001:db8::3", 429}, {behind, "2001:db8:0:1::1", 101},
	} {
		if _, code := c.r.dialFrom("", from(c.from)); code != c.want {
			t.Errorf("%d: %s: %d, want %d", i, c.from, code, c.want)
		}
	}
}

// The attack: one token, many addresses.
func TestAbuse_oneUserFromManyAddresses(t *testing.T) {
	t.Parallel()
	environ := withTokens("HELIX_USER_MAX_SOCKETS=2", "HELIX_USER_REQUEST_RATE=1", "HELIX_HTTP_TRUSTED_PROXIES=127.0.0.1")
	r := start(t, environ...)
	ann, bob := minted(t, environ, "--user", "ann"), minted(t, environ, "--user", "bob")
	for i, want := range []int{101, 101, 429} {
		if _, code := r.dialFrom("&token="+ann, from(fmt.Sprintf("192.0.2.%d", i))); code != want {
			t.Errorf("socket %d: %d, want %d", i, code, want)
		}
	}
	if _, code := r.dialFrom("&token="+bob, from("192.0.2.1")); code != 101 {
		t.Errorf("another user: %d", code)
	}
	refused := 0
	for range 12 {
		code, body := r.ask("GET", "/api/sessions", ann)
		if code == http.StatusTooManyRequests && strings.Contains(body, `"code":"rate_limited"`) {
			refused++
		}
	}
	if refused < 4 {
		t.Errorf("%d of 12 requests refused at one a second", refused)
	}
	if code, body := r.ask("GET", "/api/sessions", bob); code != http.StatusOK {
		t.Errorf("another user: %d %s", code, body)
	}
}

// The attack: joins and requests of one address, as fast as one can. Probes are never refused for it.
func TestAbuse_joinsAndRequestsOfOneAddress(t *testing.T) {
	t.Parallel()
	r := start(t, "HELIX_ADDRESS_JOIN_RATE=1", "HELIX_ADDRESS_REQUEST_RATE=1")
	c := r.dial()
	refused := 0
	for i := range 12 {
		c.send(fmt.Sprintf(`["%d","%d","flow:f%d","phx_join",{}]`, i, i, i))
		if strings.Contains(c.read("phx_reply"), `"reason":"rate_limited"`) {
			refused++
		}
	}
	if refused < 4 {
		t.Errorf("%d of 12 joins refused at one a second", refused)
	}
	refused = 0
	for range 12 {
		if code, _ := r.get("/api/flows"); code == http.StatusTooManyRequests {
			refused++
		}
		for _, path := range []string{"/healthz", "/readyz", "/"} {
			if code, _ := r.get(path); code != http.StatusOK {
				t.Errorf("%s: %d", path, code)
			}
		}
	}
	if refused < 4 {
		t.Errorf("%d of 12 requests refused at one a second", refused)
	}
	if _, metrics := r.adminPage("/metrics"); !strings.Contains(metrics, `helix_requests_refused_total{reason="rate_limited"}`) ||
		!strings.Contains(metrics, `helix_refusals_total{reason="rate_limited"}`) {
		t.Error("the refusals are not counted")
	}
}

func (r *running) adminPage(path string) (int, string) {
	r.t.Helper()
	response, err := http.Get("http://" + r.admin.addr() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// A socket through a balancer that speaks the PROXY protocol works, and counts as its client's.
func TestProxyProtocol_carriesSocketsAndTheirAddresses(t *testing.T) {
	t.Parallel()
	r := start(t, "HELIX_HTTP_TRUSTED_PROXIES=127.0.0.1", "HELIX_HTTP_PROXY_PROTOCOL=true", "HELIX_ADDRESS_MAX_SOCKETS=1")
	dial := func(address string) (*socketClient, int) {
		d := websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err == nil {
				_, err = fmt.Fprintf(conn, "PROXY TCP4 %s 192.0.2.250 5000 443\r\n", address)
			}
			return conn, err
		}}
		conn, response, err := d.Dial(strings.Replace(r.url(), "http", "ws", 1)+"/socket/websocket?vsn=2.0.0", nil)
		if err != nil {
			if response == nil {
				t.Fatal(err)
			}
			return nil, response.StatusCode
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &socketClient{t, conn}, http.StatusSwitchingProtocols
	}
	for i, c := range []struct {
		address string
		want    int
	}{{"192.0.2.1", 101}, {"192.0.2.2", 101}, {"192.0.2.1", 429}} {
		client, code := dial(c.address)
		if code != c.want {
			t.Fatalf("%d: %d, want %d", i, code, c.want)
		}
		if client != nil {
			client.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
			client.ask(`["1","2","flow:f","flow_change",{"changes":{"a":"`+strings.Repeat("x", 20_000)+`"}}]`, `"broadcasted"`)
		}
	}
}

// The attack (DNS rebinding): a page whose name was made to point at the edge is of the edge's own origin, as
// far as its browser knows.
func TestAbuse_otherHosts(t *testing.T) {
	t.Parallel()
	r := start(t, "HELIX_HTTP_HOSTS=flows.example,127.0.0.1,::1")
	for host, want := range map[string]int{
		"flows.example": 200, "FLOWS.example:4000": 200, "127.0.0.1": 200, "[::1]:4000": 200,
		"evil.example": 421, "flows.example.evil.example": 421, "flows.example@evil.example": 421, "[::2]": 421, "localhost": 421,
	} {
		for path, of := range map[string]bool{"/api/version": true, "/": true, "/readyz": false} {
			request, _ := http.NewRequest("GET", r.url()+path, nil)
			request.Host = host
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if of && response.StatusCode != want && response.StatusCode != http.StatusBadRequest || !of && response.StatusCode >= 300 && response.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %s: %d, want %d", host, path, response.StatusCode, want)
			}
		}
	}
	if _, code := r.dialFrom("", http.Header{"Host": {"evil.example"}, "Origin": {"http://evil.example"}}); code != http.StatusMisdirectedRequest {
		t.Errorf("a socket: %d", code)
	}
}

// The attack: open connections and say nothing, until the edge can take no others.
func TestAbuse_connectionsThatSayNothing(t *testing.T) {
	t.Parallel()
	r := start(t, "HELIX_HTTP_MAX_CONNECTIONS=5")
	for range 5 {
		conn, err := net.Dial("tcp", r.public.addr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.Dial("tcp", r.public.addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n")
		_, err = http.ReadResponse(bufio.NewReader(conn), nil)
		_ = conn.Close()
		if err != nil { // turned away
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a sixth connection is taken")
		}
	}
	if _, metrics := r.adminPage("/metrics"); !strings.Contains(metrics, `helix_upgrades_refused_total{reason="address_connections"}`) {
		t.Error("not counted")
	}
}

// The attack: flood, so that others wait. A client that sends without end, reads nothing, or cannot be
// understood costs the members of a flow nothing but its company.
func TestAbuse_oneFloods_andTheOthersGoOn(t *testing.T) {
	t.Parallel()
	r := start(t)
	ann, bob := r.dial(), r.dial()
	ann.ask(`["1","1","flow:f","phx_join",{"echo":false}]`, `"status":"ok"`)
	bob.ask(`["1","1","flow:f","phx_join",{"echo":false}]`, `"status":"ok"`)
	var flood sync.WaitGroup
	stop := make(chan struct{})
	for _, frame := range []string{
		`[null,"1","phoenix","heartbeat",{}]`, `["1","2","flow:f","no_such_event",{}]`, `["1","2","flow:f","signal",{"type":"x","data":1}]`,
		`["1","2","flow:f","flow_change",{"changes":{"x":1}}]`, `["1","2","flow:f","phx_join",{}]`, `["1","2","flow:` + strings.Repeat("y", 2000) + `","phx_join",{}]`,
	} {
		c := r.dial()
		c.send(`["1","1","flow:f","phx_join",{"echo":false}]`)
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = c.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
					if c.conn.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
						return // its kernel is full: it is read at its rate, or it is closed
					}
				}
			}
		})
	}
	for i := range 20 {
		ann.ask(fmt.Sprintf(`["1","%d","flow:f","flow_change",{"changes":{"of_ann":%d}}]`, i+2, i), `"broadcasted"`)
		for !strings.Contains(bob.read("flow_update"), fmt.Sprintf(`"of_ann":%d`, i)) {
		}
	}
	close(stop)
	flood.Wait()
}

// The attack: read in logs what is no log's business.
func TestAbuse_isLogged_withoutTokensAndContents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(lockedWriter{&mu, &out}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	environ := withTokens("HELIX_HTTP_ADDR=127.0.0.1:0", "HELIX_ADMIN_ADDR=127.0.0.1:0", "HELIX_HTTP_TRUSTED_PROXIES=127.0.0.1")
	_, cfg, err := parseCommand(nil, environ)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEdge(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{edge: e, t: t}
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		http.DefaultClient.CloseIdleConnections()
	})
	good := minted(t, environ, "--user", "ann", "--right", "f=read")
	bad := minted(t, []string{"HELIX_AUTH_MODE=jwt", "HELIX_AUTH_SECRET=" + strings.Repeat("y", 32)}, "--user", "eve")
	r.dialFrom("&token="+bad, from("192.0.2.66"))
	r.dialFrom("&token="+good, http.Header{"Origin": {"https://evil.example"}})
	r.ask("GET", "/api/flows?token="+bad, bad)
	r.ask("DELETE", "/api/flows/f", good)
	c, _ := r.dialFrom("&token="+good, from("192.0.2.7"))
	c.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	c.ask(`["1","2","flow:f","flow_change",{"changes":{"a":"the content"}}]`, `"unauthorized"`)
	c.ask(`["2","3","flow:other","phx_join",{}]`, `"unauthorized"`)
	c.send(`the content, in no frame`)
	_, _, _ = c.conn.ReadMessage()
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{
		`"event":"token_refused"`, `"address":"192.0.2.66"`, `"event":"origin_refused"`, `"event":"right_refused","what":"change","flow":"f","address":"192.0.2.7","user_id":"ann"`,
		`"event":"right_refused","what":"join","flow":"other"`, `"event":"right_refused","method":"DELETE"`, `"event":"frame_refused"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not logged: %s", want)
		}
	}
	for _, never := range []string{good, bad, strings.Split(good, ".")[2], strings.Split(bad, ".")[2], "the content", testSecret} {
		if strings.Contains(out.String(), never) {
			t.Errorf("logged: %s", never)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}

// The tables of SECURITY in the README name a test for each row; each of them is there.
func TestReadme_namesTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, security, ok := strings.Cut(string(text), "\n## SECURITY\n")
	if !ok {
		t.Fatal("there is no section SECURITY")
	}
	security, _, _ = strings.Cut(security, "\n## ")
	named, rows := regexp.MustCompile("`([a-z./]+): ((?:Test|Fuzz)[A-Za-z0-9_]+)`"), 0
	for line := range strings.Lines(security) {
		cells := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.Contains(line, "| test |") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(tests) == 0 {
			t.Errorf("a row without a test: %s", line)
		}
		for _, m := range tests {
			folder := map[string]string{"edge": "."}[m[1]]
			if folder == "" {
				for _, candidate := range []string{"internal/" + m[1], "../../shared/" + m[1]} {
					if _, err := os.Stat(candidate); err == nil {
						folder = candidate
					}
				}
			}
			files, _ := filepath.Glob(filepath.Join(folder, "*_test.go"))
			found := false
			for _, file := range files {
				source, err := os.ReadFile(file)
				found = found || err == nil && strings.Contains(string(source), "\nfunc "+m[2]+"(")
			}
			if !found {
				t.Errorf("there is no test %s in %q", m[2], m[1])
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d rows", rows)
	}
}
