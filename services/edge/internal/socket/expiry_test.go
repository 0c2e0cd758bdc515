package socket_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"helix/edge/internal/socket"
)

// until is an identity that ends then.
type until time.Time

func (u until) Expires() time.Time { return time.Time(u) }

// startExpiring starts a server whose sockets live for the milliseconds in the parameter "for".
func startExpiring(t *testing.T) *server {
	t.Helper()
	s := start(t, func(o *socket.Options) {
		o.Connect = func(r *http.Request) (any, error) {
			ms := r.URL.Query().Get("for")
			if ms == "" {
				return "somebody", nil
			}
			n, err := strconv.Atoi(ms)
			return until(time.Now().Add(time.Duration(n) * time.Millisecond)), err
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = s.Serve(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func TestSocket_isClosedWhenItsIdentityEnds_withAReason_andOthersLiveOn(t *testing.T) {
	t.Parallel()
	s := startExpiring(t)
	forever, later := s.dial(t, v2), s.dial(t, v2+"&for=3600000")
	soon := []*client{s.dial(t, v2+"&for=1"), s.dial(t, v2+"&for=100"), s.dial(t, v2+"&for=50")}
	soon[1].send(`["1","1","echo:a","phx_join",{}]`)
	soon[1].expect(`["1","1","echo:a","phx_reply",{"response":{},"status":"ok"}]`)
	for _, c := range soon {
		_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _, err := c.conn.ReadMessage()
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != 1008 || closed.Text != socket.ReasonExpired.Text {
			t.Fatalf("closed with %v", err)
		}
	}
	for _, c := range []*client{forever, later} {
		c.send(`[null,"1","phoenix","heartbeat",{}]`)
		c.expect(`[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
	}
	s.untilEnding(t, 1)
}

// untilEnding waits until so many sockets wait for their end.
func (s *server) untilEnding(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.Ending() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sockets wait for their end, want %d", s.Ending(), want)
		}
	}
}

func TestSocket_thatIsGoneWaitsForNoEnd(t *testing.T) {
	t.Parallel()
	s := startExpiring(t)
	const many = 50
	var clients []*client
	for i := range many {
		clients = append(clients, s.dial(t, v2+"&for="+strconv.Itoa(3_600_000+1000*((i*7)%many))))
	}
	s.untilEnding(t, many)
	for i, c := range clients { // from the middle too
		if i%3 != 0 {
			_ = c.conn.Close()
		}
	}
	s.untilEnding(t, (many+2)/3)
}

func TestTokenOf_findsTheToken_whereClientsPutIt(t *testing.T) {
	t.Parallel()
	bearer := func(token string) string {
		return "base64url.bearer.phx." + strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(token)), "=")
	}
	cases := []struct {
		name, query string
		protocols   []string
		token       string
		refused     bool
		chosen      string
	}{
		{"nowhere", "", nil, "", false, ""},
		{"the parameter", "&token=a.b-c_d", nil, "a.b-c_d", false, ""},
		{"an empty parameter", "&token=", nil, "", false, ""},
		{"two parameters", "&token=a&token=b", nil, "", true, ""},
		{"the subprotocols", "", []string{"phoenix, " + bearer("a.b-c_d")}, "a.b-c_d", false, "phoenix"},
		{"the subprotocols, in two lines", "", []string{"phoenix", bearer("a.b-c_d")}, "a.b-c_d", false, "phoenix"},
		{"the subprotocols, with all of base64", "", []string{"phoenix," + bearer("??>>~~")}, "??>>~~", false, "phoenix"},
		{"the subprotocols without phoenix", "", []string{bearer("t")}, "t", false, ""},
		{"other subprotocols", "", []string{"phoenix, graphql-ws"}, "", false, ""},
		{"no base64", "", []string{"phoenix, base64url.bearer.phx.!!"}, "", true, "phoenix"},
		{"both", "&token=a", []string{"phoenix, " + bearer("b")}, "", true, "phoenix"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/socket/websocket"+v2+c.query, nil)
			r.Header["Sec-Websocket-Protocol"] = c.protocols
			token, err := socket.TokenOf(r)
			if token != c.token || c.refused != (err != nil) {
				t.Errorf("%q, %v", token, err)
			}
			// The upgrade chooses "phoenix" for who sends a token so, whether or not one is asked for.
			s := start(t, nil)
			conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+"/"+v2+c.query, http.Header{"Sec-Websocket-Protocol": c.protocols})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := response.Header.Get("Sec-WebSocket-Protocol"); got != c.chosen {
				t.Errorf("chosen: %q, want %q", got, c.chosen)
			}
		})
	}
}
