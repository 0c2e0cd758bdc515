package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"helix/edge/internal/supervisor"
	"helix/shared/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is an edge in this process.
type running struct {
	*edge
	t     testing.TB
	stop  context.CancelFunc
	ended chan error
}

func start(t testing.TB, environ ...string) *running {
	t.Helper()
	environ = append([]string{"HELIX_HTTP_ADDR=127.0.0.1:0", "HELIX_ADMIN_ADDR=127.0.0.1:0", "HELIX_SESSION_LEASE_TTL=1s"}, environ...)
	_, cfg, err := parseCommand(nil, environ)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEdge(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &running{edge: e, t: t, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- e.run(ctx); close(r.ended) }()
	t.Cleanup(func() {
		cancel()
		<-r.ended
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	response, err := http.Get(r.url() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

type socketClient struct {
	t    testing.TB
	conn *websocket.Conn
}

func (r *running) dial() *socketClient {
	r.t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(r.url(), "http", "ws", 1)+"/socket/websocket?vsn=2.0.0", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return &socketClient{r.t, conn}
}

func (c *socketClient) send(frame string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.t.Fatal(err)
	}
}

// read gives the next frame of an event, or the next one at all.
func (c *socketClient) read(event string) string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	for {
		_, frame, err := c.conn.ReadMessage()
		if err != nil {
			c.t.Fatalf("waiting for %q: %v", event, err)
		}
		var fields []any
		if err := json.Unmarshal(frame, &fields); err != nil {
			c.t.Fatalf("%s: %v", frame, err)
		}
		if event == "" || fields[3] == event {
			return string(frame)
		}
	}
}

func (c *socketClient) ask(frame, wantInReply string) {
	c.t.Helper()
	c.send(frame)
	if got := c.read("phx_reply"); !strings.Contains(got, wantInReply) {
		c.t.Fatalf("%.100s\n got %s\nwant %s", frame, got, wantInReply)
	}
}

func TestEdge_stopsInOrder_itsClientsAreToldToComeBack(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	r := start(t, "HELIX_REDIS_URL="+redis.URL, "HELIX_SHUTDOWN_DELAY=0s")
	c := r.dial()
	c.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	r.stop()
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, 1012) {
				t.Fatal(err)
			}
			break
		}
	}
	if err := <-r.ended; err != nil {
		t.Fatalf("the edge ended with %v", err)
	}
	if keys := redis.Client(t).Keys(context.Background(), "*lease").Val(); len(keys) > 0 {
		t.Fatalf("left behind: %v", keys)
	}
}

func TestEdge_thatDrains_isNotReadyAtOnce_butServesOnUntilItsClientsAreMoved(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	r := start(t, "HELIX_REDIS_URL="+redis.URL, "HELIX_SHUTDOWN_DELAY=10m")
	c := r.dial()
	c.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	r.stop()
	for {
		code, body := r.get("/readyz")
		if code == 503 && strings.Contains(body, "draining") {
			break
		}
		if code != 200 {
			t.Fatalf("readyz %d %s", code, body)
		}
	}
	c.ask(`["1","2","flow:f","flow_change",{"changes":{"a":1}}]`, `"seq":1`)
	if code, _ := r.get("/api/flows/f/status"); code != 200 {
		t.Fatalf("status %d", code)
	}
	r.tree.Add("flow broken", broken{}) // nothing serves the client any more: the edge does not wait on
	if err := <-r.ended; !errors.Is(err, supervisor.ErrTooManyRestarts) {
		t.Fatalf("the edge ended with %v", err)
	}
}

func TestEdge_thatStops_handsItsLeasesOver(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	environ := []string{"HELIX_REDIS_URL=" + redis.URL, "HELIX_SHUTDOWN_DELAY=0s", "HELIX_SESSION_LEASE_TTL=10m"}
	first := start(t, append(environ, "HELIX_NODE_ID=first")...)
	second := start(t, append(environ, "HELIX_NODE_ID=second")...)
	client := redis.Client(t)
	var leases []string
	for i := range 20 {
		flow := fmt.Sprintf("flow:f%d", i)
		for _, r := range []*running{first, second} {
			r.dial().ask(`["1","1","`+flow+`","phx_join",{}]`, `"status":"ok"`)
		}
		leases = client.Keys(context.Background(), "*lease").Val()
	}
	if len(leases) != 20 || !strings.Contains(client.Get(context.Background(), leases[0]).Val(), " first.") {
		t.Fatalf("%d leases, one held by %q", len(leases), client.Get(context.Background(), leases[0]).Val())
	}
	first.stop()
	if err := <-first.ended; err != nil {
		t.Fatalf("the edge ended with %v", err)
	}
	// Long before they would expire.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		taken := 0
		for _, key := range leases {
			if strings.Contains(client.Get(context.Background(), key).Val(), " second.") {
				taken++
			}
		}
		if taken == len(leases) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d leases were taken over", taken, len(leases))
		}
	}
}

func TestEdge_startsAndKeepsItsSocketsWithoutRedis_andRecovers(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redis.Kill()
	r := start(t, "HELIX_REDIS_URL="+redis.URL)
	if code, body := r.get("/healthz"); code != 200 {
		t.Fatalf("healthz %d %s", code, body)
	}
	if code, body := r.get("/readyz"); code != 503 || !strings.Contains(body, "Redis cannot be reached") {
		t.Fatalf("readyz %d %s", code, body)
	}
	if code, body := r.get("/api/sessions"); code != 503 || !strings.Contains(body, `"unavailable"`) {
		t.Fatalf("sessions %d %s", code, body)
	}
	c := r.dial()
	c.ask(`["1","1","flow:f","phx_join",{}]`, `"reason":"unavailable"`)
	if err := redis.Run(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(15 * time.Second)
	for ref := 2; ; ref++ {
		c.send(fmt.Sprintf(`["%d","%d","flow:f","phx_join",{}]`, ref, ref))
		if strings.Contains(c.read("phx_reply"), `"status":"ok"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not recover")
		}
	}
	for { // what was found a moment ago is told for a moment more
		code, body := r.get("/readyz")
		if code == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz %d %s", code, body)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at a condition with a deadline
	}
}

// broken is a part of the tree that cannot live.
type broken struct{}

func (broken) Serve(context.Context) error { panic("injected") }

func TestEdge_endsWithAnError_whenAPartCannotLive(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.tree.Add("flow broken", broken{})
	select {
	case err := <-r.ended:
		if !errors.Is(err, supervisor.ErrTooManyRestarts) {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it lives on")
	}
}

func TestEdge_saysWhichAddressIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	err = run(nil, []string{"HELIX_HTTP_ADDR=127.0.0.1:0", "HELIX_ADMIN_ADDR=" + l.Addr().String()}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "admin.addr") {
		t.Fatal(err)
	}
}

func TestFlow_refusalsOnTheWire(t *testing.T) {
	t.Parallel()
	c := start(t, "HELIX_CHANGE_MAX_DEPTH=4").dial()
	c.ask(`["1","1","flow:  ","phx_join",{}]`, `["1","1","flow:  ","phx_reply",{"response":{"reason":"Invalid flow identifier"`)
	c.ask(`["1","1","flow:f","phx_join",{"client_id":7}]`, `"reason":"invalid_params"`)
	c.ask(`["1","1","flow:f","phx_join",{"echo":"no"}]`, `"reason":"invalid_params"`)
	c.ask(`["1","1","flow:f","phx_join",{"client_id":"me"}]`, `"client_id":"me"`)
	for _, changes := range []string{`null`, `7`, `"x"`, `[{}]`, `true`} {
		c.ask(`["1","2","flow:f","flow_change",{"changes":`+changes+`}]`, `"reason":"invalid_changes"`)
	}
	for _, payload := range []string{`{}`, `null`, `"x"`, `[]`, `{"change":{}}`} {
		c.ask(`["1","3","flow:f","flow_change",`+payload+`]`, `"reason":"Unknown event"`)
	}
	c.ask(`["1","4","flow:f","flow_change",{"changes":{"a":{"b":{"c":{"d":{}}}}}}]`, `"reason":"changes_too_deep"`)
	c.ask(`["1","5","flow:f","flow_change",{"changes":{"a":{"b":{"c":1}}}}]`, `"status":"broadcasted","seq":1`)
	c.ask(`["1","6","flow:f","no_such_event",{}]`, `"reason":"Unknown event"`)
	c.ask(`["9","9","flow_management","phx_join",{}]`, `"status":"ok"`)
	for _, payload := range []string{`{}`, `{"flow_id":7}`, `{"flow_id":"  "}`, `null`, `[]`} {
		c.ask(`["9","7","flow_management","flow_deleted",`+payload+`]`, `"reason":"Invalid flow_id"`)
	}
	c.ask(`["9","8","flow_management","ping",{}]`, `"reason":"Unknown event"`)
}

func TestChange_passesOnExactlyWhatWasSent(t *testing.T) {
	t.Parallel()
	c := start(t).dial()
	c.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	for _, changes := range []string{`{"n":123456789012345678901234567890,"e":1e3,"z":-0,"f":1.10}`, `{"a":1,"a":2}`, `{"\u00e4":"\u2028<ü>"}`, `{ "sp" : [ 1 , 2 ] }`} {
		c.ask(`["1","2","flow:f","flow_change",{"changes":`+changes+`}]`, `"broadcasted"`)
		if got := c.read("flow_update"); !strings.Contains(got, `{"changes":`+changes+`,"timestamp":`) {
			t.Errorf("sent %s, got %s", changes, got)
		}
	}
}

func TestChange_isRateLimited_forThatClientAlone(t *testing.T) {
	t.Parallel()
	r := start(t, "HELIX_CHANGE_RATE=1", "HELIX_CHANGE_BURST=3")
	flood, other := r.dial(), r.dial()
	flood.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	other.ask(`["1","1","flow:f","phx_join",{"echo":false}]`, `"status":"ok"`)
	refused := 0
	for i := range 6 {
		flood.send(fmt.Sprintf(`["1","%d","flow:f","flow_change",{"changes":{"i":%d}}]`, i+2, i))
	}
	for range 6 {
		if strings.Contains(flood.read("phx_reply"), `"reason":"rate_limited"`) {
			refused++
		}
	}
	if refused < 2 || refused > 3 {
		t.Fatalf("%d of 6 refused with a burst of 3", refused)
	}
	other.ask(`["1","2","flow:f","flow_change",{"changes":{}}]`, `"broadcasted"`)
}

func TestAdmin_isNotThePublicListener(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if code, _ := r.get(path); code != 404 {
			t.Errorf("%s on the public listener: %d", path, code)
		}
		response, err := http.Get("http://" + r.admin.addr() + path)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%s on the admin listener: %v %v", path, response, err)
		}
		_ = response.Body.Close()
	}
}
