package socket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"helix/edge/internal/socket"
	"helix/shared/phoenix"
	"helix/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo serves topics that begin with "echo:". Its events: "echo" answers with its payload, "end" and
// "fail" end the channel from the server's side. A join with {"later": true} is answered when the
// test says so.
type echo struct {
	later chan *socket.Topic
	left  atomic.Int64
}

func (e *echo) Route(topic string, t *socket.Topic) socket.Channel {
	if !strings.HasPrefix(topic, "echo:") {
		return nil
	}
	return &echoChannel{e, t}
}

type echoChannel struct {
	echo  *echo
	topic *socket.Topic
}

func (c *echoChannel) Join(payload []byte) {
	if _, ok := phoenix.Field(payload, "later"); ok {
		c.echo.later <- c.topic
		return
	}
	if _, ok := phoenix.Field(payload, "refuse"); ok {
		c.topic.Refuse([]byte(`{"reason":"no"}`))
		return
	}
	c.topic.Accept(phoenix.EmptyObject)
}

func (c *echoChannel) Handle(m *phoenix.Message) {
	switch {
	case m.EventIs("echo"):
		c.topic.Reply(m.Ref, true, m.Payload)
	case m.EventIs("end"):
		c.topic.End()
	case m.EventIs("fail"):
		c.topic.Fail()
	}
}

func (c *echoChannel) Leave() { c.echo.left.Add(1) }

type server struct {
	*socket.Server
	echo *echo
	http *httptest.Server
	end  func() // of the writers: it waits for it
}

func start(t testing.TB, change func(*socket.Options)) *server {
	t.Helper()
	e := &echo{later: make(chan *socket.Topic, 16)}
	o := socket.DefaultOptions
	o.Router, o.Metrics, o.Log = e, telemetry.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler)
	if change != nil {
		change(&o)
	}
	w := socket.NewWriters()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = w.Serve(ctx); close(done) }()
	s := &server{Server: socket.NewServer(o, w), echo: e, end: func() { cancel(); <-done }}
	s.http = httptest.NewServer(s.Server)
	t.Cleanup(func() {
		s.Drain(context.Background(), socket.Drain{}, nil)
		s.http.Close()
		s.end()
	})
	return s
}

func (s *server) dial(t testing.TB, query string) *client {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+"/"+query, nil)
	if err != nil {
		t.Fatalf("dial: %v %v", err, response)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t, conn}
}

type client struct {
	t    testing.TB
	conn *websocket.Conn
}

func (c *client) send(frame string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.t.Fatalf("send %.80s: %v", frame, err)
	}
}

// expect reads one frame and compares it as JSON.
func (c *client) expect(want string) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, got, err := c.conn.ReadMessage()
	if err != nil {
		c.t.Fatalf("want %.120s, got %v", want, err)
	}
	if canonical(c.t, string(got)) != canonical(c.t, want) {
		c.t.Fatalf("\n got %.200s\nwant %.200s", got, want)
	}
}

func (c *client) expectClose(code int) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		_, _, err := c.conn.ReadMessage()
		if err == nil {
			continue
		}
		if !websocket.IsCloseError(err, code) {
			c.t.Fatalf("want close %d, got %v", code, err)
		}
		return
	}
}

func canonical(t testing.TB, text string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

const v2 = "?vsn=2.0.0"

// steps of a conversation: lines that begin with ">" are sent, the others expected.
func TestTopics_speakAsTheOriginal(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, query, talk string }{
		{"heartbeat", v2, `
			> [null,"1","phoenix","heartbeat",{}]
			[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`},
		{"join, message, leave", v2, `
			> ["3","5","echo:a","phx_join",{}]
			["3","5","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> ["3","6","echo:a","echo",{"x":[1]}]
			["3","6","echo:a","phx_reply",{"response":{"x":[1]},"status":"ok"}]
			> ["3","7","echo:a","phx_leave",{}]
			["3","7","echo:a","phx_reply",{"response":{},"status":"ok"}]
			["3","3","echo:a","phx_close",{}]
			> ["3","8","echo:a","echo",{}]
			[null,"8","echo:a","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"refs keep their JSON type", v2, `
			> [3,5,"echo:a","phx_join",{}]
			[3,5,"echo:a","phx_reply",{"response":{},"status":"ok"}]
			> [3,6.0,"echo:a","echo",{}]
			[3,6.0,"echo:a","phx_reply",{"response":{},"status":"ok"}]`},
		{"a topic nobody serves", v2, `
			> ["6","6","room:1","phx_join",{}]
			[null,"6","room:1","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"odd fields", v2, `
			> ["1","1",null,null,null]
			[null,"1",null,"phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]
			> ["1","1",5,"phx_join",{}]
			[null,"1",5,"phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"leave of what is not joined", v2, `
			> ["9","12","echo:a","phx_leave",{}]
			["9","12","echo:a","phx_reply",{"response":{},"status":"ok"}]`},
		{"a refused join leaves the topic free", v2, `
			> ["1","1","echo:a","phx_join",{"refuse":1}]
			["1","1","echo:a","phx_reply",{"response":{"reason":"no"},"status":"error"}]
			> ["1","2","echo:a","echo",{}]
			[null,"2","echo:a","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]
			> ["3","3","echo:a","phx_join",{}]
			["3","3","echo:a","phx_reply",{"response":{},"status":"ok"}]`},
		{"a second join on a topic closes the first", v2, `
			> ["1","1","echo:a","phx_join",{}]
			["1","1","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> ["2","2","echo:a","phx_join",{}]
			["1","1","echo:a","phx_close",{}]
			["2","2","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> ["1","3","echo:a","echo",{"of":"the first"}]
			> ["1","4","echo:a","phx_leave",{}]
			> ["2","5","echo:a","echo",{"of":"the second"}]
			["2","5","echo:a","phx_reply",{"response":{"of":"the second"},"status":"ok"}]`},
		{"a null join_ref is the present join's", v2, `
			> ["1","2","echo:a","phx_join",{}]
			["1","2","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> [null,"3","echo:a","echo",{}]
			["1","3","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> [null,"4","echo:a","phx_leave",{}]
			["1","4","echo:a","phx_reply",{"response":{},"status":"ok"}]
			["1","1","echo:a","phx_close",{}]`},
		{"a join with a null join_ref", v2, `
			> [null,"2","echo:a","phx_join",{}]
			["2","2","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> [null,"4","echo:a","phx_leave",{}]
			["2","4","echo:a","phx_reply",{"response":{},"status":"ok"}]
			[null,null,"echo:a","phx_close",{}]`},
		{"the server ends a channel", v2, `
			> ["1","2","echo:a","phx_join",{}]
			["1","2","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> ["1","3","echo:a","end",{}]
			["1","1","echo:a","phx_close",{}]
			> ["1","4","echo:a","echo",{}]
			[null,"4","echo:a","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
		{"the server fails a channel", v2, `
			> ["1","2","echo:a","phx_join",{}]
			["1","2","echo:a","phx_reply",{"response":{},"status":"ok"}]
			> ["1","3","echo:a","fail",{}]
			["1","1","echo:a","phx_error",{}]
			> ["2","4","echo:a","phx_join",{}]
			["2","4","echo:a","phx_reply",{"response":{},"status":"ok"}]`},
		{"version 1.0.0, the default", "", `
			> {"topic":"echo:a","event":"phx_join","payload":{},"ref":"2"}
			{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"2","topic":"echo:a"}
			> {"topic":"echo:a","event":"echo","payload":{"x":1},"ref":"3"}
			{"event":"phx_reply","payload":{"response":{"x":1},"status":"ok"},"ref":"3","topic":"echo:a"}
			> {"topic":"echo:a","event":"phx_leave","payload":{},"ref":"4"}
			{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"4","topic":"echo:a"}
			{"event":"phx_close","payload":{},"ref":null,"topic":"echo:a"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := start(t, nil).dial(t, c.query)
			for line := range strings.Lines(c.talk) {
				line = strings.TrimSpace(line)
				if frame, ok := strings.CutPrefix(line, "> "); ok {
					client.send(frame)
				} else if line != "" {
					client.expect(line)
				}
			}
		})
	}
}

func TestTopics_messageBehindAJoinWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.dial(t, v2)
	c.send(`["1","1","echo:a","phx_join",{"later":true}]`)
	c.send(`["1","2","echo:a","echo",{}]`)
	topic := <-s.echo.later
	topic.Accept(phoenix.EmptyObject)
	topic.Flush()
	c.expect(`["1","1","echo:a","phx_reply",{"response":{},"status":"ok"}]`)
	c.expect(`["1","2","echo:a","phx_reply",{"response":{},"status":"ok"}]`)
}

func TestTopics_aWaitingJoinHoldsNoOtherTopicUp(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.dial(t, v2)
	c.send(`["1","1","echo:slow","phx_join",{"later":true}]`)
	c.send(`["2","2","echo:quick","phx_join",{}]`)
	c.expect(`["2","2","echo:quick","phx_reply",{"response":{},"status":"ok"}]`)
	c.send(`[null,"3","phoenix","heartbeat",{}]`)
	c.expect(`[null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
}

func TestTopics_limitOfChannels(t *testing.T) {
	t.Parallel()
	c := start(t, func(o *socket.Options) { o.MaxChannels = 2 }).dial(t, v2)
	for i := range 2 {
		c.send(fmt.Sprintf(`["%d","%d","echo:%d","phx_join",{}]`, i, i, i))
		c.expect(fmt.Sprintf(`["%d","%d","echo:%d","phx_reply",{"response":{},"status":"ok"}]`, i, i, i))
	}
	c.send(`["7","7","echo:more","phx_join",{}]`)
	c.expect(`["7","7","echo:more","phx_reply",{"response":{"reason":"too many channels joined"},"status":"error"}]`)
	c.send(`["0","8","echo:0","phx_leave",{}]`)
	c.expect(`["0","8","echo:0","phx_reply",{"response":{},"status":"ok"}]`)
	c.expect(`["0","0","echo:0","phx_close",{}]`)
	c.send(`["9","9","echo:more","phx_join",{}]`)
	c.expect(`["9","9","echo:more","phx_reply",{"response":{},"status":"ok"}]`)
}

func TestSocket_carriesEverySizeOfFrame(t *testing.T) {
	t.Parallel()
	c := start(t, nil).dial(t, v2)
	c.send(`["1","1","echo:a","phx_join",{}]`)
	c.expect(`["1","1","echo:a","phx_reply",{"response":{},"status":"ok"}]`)
	// Around 126 and 65,536 bytes, where the header of the answer grows.
	sizes := []int{0, 65535 - 90, 65536 - 80, 200_000}
	for n := 20; n < 80; n++ {
		sizes = append(sizes, n, 65536-n)
	}
	for _, n := range sizes {
		text := strings.Repeat("x", n)
		c.send(`["1","2","echo:a","echo",{"x":"` + text + `"}]`)
		c.expect(`["1","2","echo:a","phx_reply",{"response":{"x":"` + text + `"},"status":"ok"}]`)
	}
}

func TestSocket_closesWithTheReasonsCode(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*socket.Options)
		act    func(*client)
		code   int
	}{
		{"not JSON", nil, func(c *client) { c.send("not json") }, 1011},
		{"an empty frame", nil, func(c *client) { c.send("") }, 1011},
		{"four elements", nil, func(c *client) { c.send(`["1","1","echo:a","phx_join"]`) }, 1011},
		{"an object under 2.0.0", nil, func(c *client) { c.send(`{"topic":"a","event":"b","payload":{},"ref":"1"}`) }, 1011},
		{"broken UTF-8", nil, func(c *client) { c.send("[null,\"1\",\"\xff\",\"x\",{}]") }, 1011},
		{"too large", func(o *socket.Options) { o.MaxFrameBytes = 1000 }, func(c *client) { c.send(`["1","1","echo:a","phx_join",{"x":"` + strings.Repeat("x", 100_000) + `"}]`) }, 1009},
		{"silent", func(o *socket.Options) { o.IdleTimeout = 100 * time.Millisecond }, func(*client) {}, 1002},
		{"a reserved opcode", nil, func(c *client) { _, _ = c.conn.NetConn().Write([]byte{0x83, 0x80, 0, 0, 0, 0}) }, 1002},
		{"an unmasked frame", nil, func(c *client) { _, _ = c.conn.NetConn().Write([]byte{0x81, 0x02, '[', ']'}) }, 1002},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, x.change)
			c := s.dial(t, v2)
			x.act(c)
			c.expectClose(x.code)
		})
	}
}

func TestSocket_anyFrameKeepsItOpen(t *testing.T) {
	t.Parallel()
	const idle = 300 * time.Millisecond
	s := start(t, func(o *socket.Options) { o.IdleTimeout = idle })
	c := s.dial(t, v2)
	pongs := make(chan string, 1)
	c.conn.SetPongHandler(func(data string) error { pongs <- data; return nil })
	go func() { _, _, _ = c.conn.ReadMessage() }()
	for begin := time.Now(); time.Since(begin) < 3*idle; {
		if err := c.conn.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-pongs:
			if got != "p" {
				t.Fatalf("pong %q", got)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("no pong: closed although it was not silent")
		}
		time.Sleep(idle / 4)
	}
	_ = c.conn.Close()
}

func TestSocket_answersAClose(t *testing.T) {
	t.Parallel()
	c := start(t, nil).dial(t, v2)
	_ = c.conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"))
	c.expectClose(1000)
}

func TestSocket_aClientThatReadsNothingIsClosed_andNobodyWaitsForIt(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *socket.Options) { o.QueueBytes = 256 << 10 })
	slow, quick := s.dial(t, v2), s.dial(t, v2)
	for _, c := range []*client{slow, quick} {
		c.send(`["1","1","echo:a","phx_join",{"later":true}]`)
		topic := <-s.echo.later
		topic.Accept(phoenix.EmptyObject)
		topic.Flush()
	}
	// Two topics at hand: what a flow does to its members.
	slow.send(`["2","2","echo:b","phx_join",{"later":true}]`)
	slowTopic := <-s.echo.later
	quick.send(`["2","2","echo:b","phx_join",{"later":true}]`)
	quickTopic := <-s.echo.later
	slowTopic.Accept(phoenix.EmptyObject)
	quickTopic.Accept(phoenix.EmptyObject)
	got := make(chan int, 1)
	go func() {
		n := 0
		for n < 1002 { // two join replies and the frames
			if _, _, err := quick.conn.ReadMessage(); err != nil {
				break
			}
			n++
		}
		got <- n
	}()
	frame := socket.AppendText(nil, func(dst []byte) []byte {
		return append(dst, `[null,null,"echo:b","x","`+strings.Repeat("x", 16<<10)+`"]`...)
	})
	for range 1000 {
		slowTopic.Send(frame)
		quickTopic.Send(frame)
		quickTopic.Flush()
		time.Sleep(100 * time.Microsecond) // a rate that one client follows and the other does not
	}
	select {
	case n := <-got:
		if n != 1002 {
			t.Fatalf("the quick client got %d frames", n)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the quick client waits")
	}
	slow.expectClose(1013)
}

// Who reads nothing has a minute to take some of what is written to it, but not when the edge ends.
func TestServer_doesNotWaitForABlockedClient_whenItEnds(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *socket.Options) { o.QueueBytes = 64 << 20 })
	blocked := s.dial(t, v2)
	blocked.send(`["1","1","echo:a","phx_join",{"later":true}]`)
	topic := <-s.echo.later
	topic.Accept(phoenix.EmptyObject)
	frame := socket.AppendText(nil, func(dst []byte) []byte {
		return append(dst, `[null,null,"echo:a","x","`+strings.Repeat("x", 16<<20)+`"]`...)
	})
	topic.Send(frame) // more than the kernel takes
	topic.Send(frame)
	topic.Flush()
	ended := make(chan struct{})
	go func() {
		s.Drain(context.Background(), socket.Drain{}, nil)
		s.end()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("it waits")
		_ = blocked.conn.Close()
		<-ended
	}
}

// deadlines is a listener whose connections tell their write deadlines.
type deadlines struct {
	net.Listener
	set chan time.Time
}

type deadlineConn struct {
	*net.TCPConn
	set chan time.Time
}

func (l deadlines) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return deadlineConn{c.(*net.TCPConn), l.set}, nil
}

func (c deadlineConn) SetWriteDeadline(t time.Time) error {
	err := c.TCPConn.SetWriteDeadline(t)
	c.set <- t
	return err
}

// A client that was written to slowly once is cut off a minute later if the deadline of that stays.
func TestSocket_aClientThatCatchesUp_hasNoDeadlineAnyMore(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *socket.Options) { o.QueueBytes = 64 << 20 })
	set := make(chan time.Time, 10_000)
	s.http.Close()
	s.http = httptest.NewUnstartedServer(s.Server)
	s.http.Listener = deadlines{s.http.Listener, set}
	s.http.Start()
	c := s.dial(t, v2)
	c.send(`["1","1","echo:a","phx_join",{"later":true}]`)
	topic := <-s.echo.later
	topic.Accept(phoenix.EmptyObject)
	topic.Send(socket.AppendText(nil, func(dst []byte) []byte {
		return append(dst, `[null,null,"echo:a","x","`+strings.Repeat("x", 16<<20)+`"]`...)
	}))
	topic.Flush()
	late := time.After(20 * time.Second)
	for slow := false; ; {
		select {
		case until := <-set:
			if !until.IsZero() && time.Until(until) > 30*time.Second && !slow { // it is written to slowly
				slow = true
				for range 2 {
					if _, _, err := c.conn.ReadMessage(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if slow && until.IsZero() {
				return
			}
		case <-late:
			t.Fatalf("written to slowly: %v; the deadline stays", slow)
		}
	}
}

func TestServer_refusesBeforeTheUpgrade(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	host := strings.TrimPrefix(s.http.URL, "http://")
	list := start(t, func(o *socket.Options) {
		o.AllowedOrigins = []string{"https://app.example.com", "*.example.org", "localhost:3000"}
	})
	all := start(t, func(o *socket.Options) { o.AllowedOrigins = []string{"*"} })
	cases := []struct {
		server *server
		query  string
		origin string
		status int
	}{
		{s, "", "", 101}, {s, "?vsn=1.0.0", "", 101}, {s, "?vsn=1.0.7", "", 101}, {s, "?vsn=2.0.0", "", 101}, {s, "?vsn=2.0.1", "", 101},
		{s, "?vsn=", "", 403}, {s, "?vsn=2", "", 403}, {s, "?vsn=1.5.0", "", 403}, {s, "?vsn=2.1.0", "", 403}, {s, "?vsn=3.0.0", "", 403}, {s, "?vsn=abc", "", 403},
		{s, "", "http://" + host, 101}, {s, "", "https://" + host, 101}, {s, "", "http://evil.example", 403}, {s, "", "null", 403},
		{s, "", "http://" + host + ".evil.example", 403}, {s, "", "http://user@" + host, 403}, {s, "", "http://" + host + "/path", 403},
		{list, "", "https://app.example.com", 101}, {list, "", "http://app.example.com", 403}, {list, "", "https://APP.example.com", 101},
		{list, "", "https://a.example.org", 101}, {list, "", "https://a.b.example.org", 403}, {list, "", "https://example.org", 403},
		{list, "", "https://evilexample.org", 403}, {list, "", "http://localhost:3000", 101}, {list, "", "http://localhost:3001", 403},
		{list, "", "http://" + strings.TrimPrefix(list.http.URL, "http://"), 403},
		{all, "", "http://evil.example", 101}, {all, "", "null", 101},
	}
	for _, c := range cases {
		header := http.Header{}
		if c.origin != "" {
			header.Set("Origin", c.origin)
		}
		conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(c.server.http.URL, "http")+"/"+c.query, header)
		if response == nil {
			t.Fatalf("%s origin %q: %v", c.query, c.origin, err)
		}
		if response.StatusCode != c.status {
			t.Errorf("%s origin %q: status %d, want %d", c.query, c.origin, response.StatusCode, c.status)
		}
		if response.StatusCode == 403 {
			if body, _ := io.ReadAll(response.Body); len(body) > 0 || response.Header.Get("Content-Type") != "" {
				t.Errorf("%s origin %q: a body %q of type %q", c.query, c.origin, body, response.Header.Get("Content-Type"))
			}
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
}

func TestServer_plainRequestIsToldWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	response, err := http.Get(s.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != 400 || !strings.Contains(string(body), "Connection: Upgrade") {
		t.Fatalf("%d %s", response.StatusCode, body)
	}
}

func TestServer_connectDecides(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *socket.Options) {
		o.Connect = func(r *http.Request) (any, error) {
			if r.URL.Query().Get("token") != "good" {
				return nil, fmt.Errorf("no")
			}
			return "somebody", nil
		}
	})
	if _, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+"/?token=bad", nil); err == nil || response.StatusCode != 403 {
		t.Fatalf("a bad token: %v", err)
	}
	c := s.dial(t, "?vsn=2.0.0&token=good")
	c.send(`["1","1","echo:a","phx_join",{"later":true}]`)
	topic := <-s.echo.later
	if topic.Socket().Identity() != "somebody" {
		t.Fatalf("identity %v", topic.Socket().Identity())
	}
	topic.Accept(phoenix.EmptyObject)
}

func TestServer_closeTellsEverySocket_andTurnsNewOnesAway(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	var clients []*client
	for range 20 {
		c := s.dial(t, v2)
		c.send(`["1","1","echo:a","phx_join",{}]`)
		c.expect(`["1","1","echo:a","phx_reply",{"response":{},"status":"ok"}]`)
		clients = append(clients, c)
	}
	closed := make(chan struct{})
	go func() { s.Drain(context.Background(), socket.Drain{}, nil); close(closed) }()
	for _, c := range clients {
		c.expectClose(1012)
	}
	<-closed
	if n := s.echo.left.Load(); n < 20 {
		t.Fatalf("%d channels were told that their client is gone, want 20", n)
	}
	if _, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+"/", nil); err == nil || response == nil || response.StatusCode != 503 {
		t.Fatalf("a new socket: %v", err)
	}
}

func TestSocket_abruptEndLeavesItsTopics(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.dial(t, v2)
	c.send(`["1","1","echo:a","phx_join",{}]`)
	c.expect(`["1","1","echo:a","phx_reply",{"response":{},"status":"ok"}]`)
	_ = c.conn.NetConn().(*net.TCPConn).SetLinger(0)
	_ = c.conn.NetConn().Close()
	for deadline := time.Now().Add(10 * time.Second); s.echo.left.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the channel was not told")
		}
	}
}
