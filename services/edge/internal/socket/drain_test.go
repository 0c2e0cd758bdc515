package socket_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"helix/edge/internal/socket"
)

func TestDrain_plansItsWaves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		drain   socket.Drain
		clients int
		size    int
		spread  time.Duration
	}{
		{"evenly over the time", socket.Drain{Over: 15 * time.Second}, 15_000, 100, 100 * time.Millisecond},
		{"the last wave may be smaller", socket.Drain{Over: time.Second}, 1001, 101, 100 * time.Millisecond},
		{"few are soon done", socket.Drain{Over: 15 * time.Second}, 30, 10, 100 * time.Millisecond},
		{"all at once, few", socket.Drain{}, 7, 7, 100 * time.Millisecond},
		{"all at once, asked back a thousand a second", socket.Drain{}, 3000, 3000, 3 * time.Second},
		{"all at once, but not for ever", socket.Drain{}, 50_000, 50_000, 5 * time.Second},
	} {
		if size, spread := c.drain.Waves(c.clients); size != c.size || spread != c.spread {
			t.Errorf("%s: %d within %v, want %d within %v", c.name, size, spread, c.size, c.spread)
		}
	}
}

// draining starts a drain of a server with clients, and gives what each is told when it is.
func draining(t *testing.T, s *server, clients int, d socket.Drain) (told chan *websocket.CloseError, hurry func(), ended chan struct{}) {
	t.Helper()
	told, ended = make(chan *websocket.CloseError, clients), make(chan struct{})
	var reading sync.WaitGroup
	for range clients {
		c := s.dial(t, v2)
		reading.Go(func() {
			_ = c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, _, err := c.conn.ReadMessage()
			var closed *websocket.CloseError
			if !errors.As(err, &closed) {
				t.Errorf("a client was not closed but got: %v", err)
				closed = &websocket.CloseError{}
			}
			told <- closed
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { s.Drain(ctx, d, nil); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended; reading.Wait() })
	return told, cancel, ended
}

func TestDrain_movesTheClientsInWaves_andTheRestAtOnceWhenItMustHurry(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	told, hurry, ended := draining(t, s, 30, socket.Drain{Over: time.Hour})
	for range 10 {
		if c := <-told; c.Code != 1012 || !strings.HasSuffix(c.Text, "come back within 100 ms") {
			t.Fatalf("told %d %q", c.Code, c.Text)
		}
	}
	hurry()
	for range 20 {
		if c := <-told; c.Code != 1012 || !strings.Contains(c.Text, "come back within") {
			t.Fatalf("told %d %q", c.Code, c.Text)
		}
	}
	<-ended
}

func TestDrain_takesNobodyWhileItWaits_andServesThoseWhoAreThere(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.dial(t, v2)
	c.send(`["1","1","echo:a","phx_join",{}]`)
	c.expect(`["1","1","echo:a","phx_reply",{"response":{},"status":"ok"}]`)
	_, hurry, ended := draining(t, s, 0, socket.Drain{Delay: time.Hour, Over: time.Hour})
	for {
		extra, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+"/", nil)
		if err != nil {
			if response == nil || response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
				t.Fatalf("turned away with %v %v", response, err)
			}
			break
		}
		_ = extra.Close() // it came before the drain had begun
	}
	c.send(`["1","2","echo:a","echo",{"still":"here"}]`)
	c.expect(`["1","2","echo:a","phx_reply",{"response":{"still":"here"},"status":"ok"}]`)
	hurry()
	c.expectClose(1012)
	<-ended
}

func TestDrain_isOverAtOnce_whereNobodyIs(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	_, _, ended := draining(t, s, 0, socket.Drain{Delay: time.Hour, Over: time.Hour})
	<-ended
}
