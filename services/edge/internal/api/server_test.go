package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"helix/edge/internal/api"
)

// start runs a server as main does, on a port of the system's choice.
func start(t *testing.T, h http.Handler) (addr string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := api.NewServer("127.0.0.1:0", h, nil)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-ended
	})
	return l.Addr().String()
}

// dial connects with a deadline that only a hanging server reaches.
func dial(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func TestSocket_isReached_atItsTwoPathsOnly_withNothingAroundIt(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	o.Socket = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Hijacker); !ok {
			t.Error("the socket cannot take the connection over")
		}
		if _, ok := r.Context().Deadline(); ok {
			t.Error("the socket has a deadline")
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, r.URL.RawQuery)
	})
	addr := start(t, api.New(o))
	cases := []struct {
		method, path string
		reached      bool
	}{
		{"GET", "/socket/websocket?vsn=2.0.0&token=a%20b", true},
		{"GET", "/socket/websocket/?vsn=2.0.0&token=a%20b", true},
		{"POST", "/socket/websocket?vsn=2.0.0&token=a%20b", true},
		{"GET", "/socket", false},
		{"GET", "/socket/", false},
		{"GET", "/socket/nowhere", false},
		{"GET", "/socket/websocket/x", false},
		{"GET", "/socket/websocket//", false},
		{"GET", "/socket%2Fwebsocket", false},
		{"GET", "//socket/websocket", false},
	}
	for _, c := range cases {
		conn, in := dial(t, addr)
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nOrigin: https://evil.example\r\n\r\n", c.method, c.path, addr)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if c.reached {
			if res.StatusCode != http.StatusTeapot || string(body) != "vsn=2.0.0&token=a%20b" {
				t.Errorf("%s %s: %d %q", c.method, c.path, res.StatusCode, body)
			}
			if res.Header.Get("X-Request-Id") != "" || res.Header.Get("Content-Security-Policy") != "" {
				t.Errorf("%s %s went through the middleware: %v", c.method, c.path, res.Header)
			}
		} else if res.StatusCode != http.StatusNotFound || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %q", c.method, c.path, res.StatusCode, body)
		}
	}
}

// The attack: announce a body and never send it, on many connections.
func TestSlowBodies_endTheirConnection(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	o.RequestTimeout = 100 * time.Millisecond
	addr := start(t, api.New(o))
	cases := []struct {
		name, head string
		status     int
	}{
		{"a body that is wanted", "POST /api/flows/a/changes HTTP/1.1\r\nContent-Type: application/json\r\n", 408},
		{"a body that is refused unread", "POST /api/flows/a/changes HTTP/1.1\r\nContent-Type: text/plain\r\n", 415},
		{"a body that nobody asked for", "DELETE /api/flows/a/session HTTP/1.1\r\n", 200},
		{"a body to an unknown path", "POST /nope HTTP/1.1\r\n", 404},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, in := dial(t, addr)
			fmt.Fprintf(conn, "%sHost: %s\r\nContent-Length: 100\r\n\r\n{", c.head, addr)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status || !res.Close {
				t.Errorf("status %d, want %d; says that it closes: %v", res.StatusCode, c.status, res.Close)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if _, err := in.ReadByte(); err == nil {
				t.Error("the connection goes on")
			} else if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // bare from the connection
				t.Error("the connection stays open")
			}
		})
	}
}

func TestNewServer_boundsConnections_butNotWhatLivesOnThem(t *testing.T) {
	t.Parallel()
	s := api.NewServer(":4000", http.NotFoundHandler(), nil)
	if s.Addr != ":4000" || s.ReadHeaderTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.ErrorLog == nil {
		t.Errorf("a server without bounds: %+v", s)
	}
	if s.ReadTimeout != 0 || s.WriteTimeout != 0 {
		t.Error("sockets and profiles would be cut off")
	}
}

func TestNew_refusesToStart_withoutWhatItNeeds(t *testing.T) {
	t.Parallel()
	whole := options(&fakeSessions{})
	for name, make := range map[string]func(){
		"flows":    func() { o := whole; o.Flows = nil; api.New(o) },
		"socket":   func() { o := whole; o.Socket = nil; api.New(o) },
		"gatherer": func() { api.NewAdmin(api.AdminOptions{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("started without %s", name)
				}
			}()
			make()
		}()
	}
	api.New(whole)
	api.NewAdmin(api.AdminOptions{Gatherer: prometheus.NewRegistry()})
}
