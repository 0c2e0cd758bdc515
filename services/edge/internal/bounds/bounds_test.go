package bounds_test

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"helix/edge/internal/bounds"
	"helix/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is moved by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func guard(o bounds.Options) (*bounds.Guard, *clock) {
	c := &clock{at: time.Unix(1, 0)}
	o.Now, o.Metrics = c.now, telemetry.NewMetrics(prometheus.NewRegistry())
	return bounds.New(o), c
}

var (
	ann = netip.MustParseAddr("192.0.2.1")
	bob = netip.MustParseAddr("192.0.2.2")
)

func why(r *bounds.Refused) string {
	if r == nil {
		return ""
	}
	return r.Why
}

// The attack: open sockets until the edge has no room for anybody else.
func TestConnect_boundsTheOpenSockets_ofAnAddressAndOfAUser(t *testing.T) {
	t.Parallel()
	g, _ := guard(bounds.Options{Address: bounds.Limits{Sockets: 3}, User: bounds.Limits{Sockets: 2}})
	var open []bounds.Guest
	for range 3 {
		q, refused := g.Connect(ann)
		if refused != nil {
			t.Fatal(refused)
		}
		open = append(open, q)
	}
	if _, refused := g.Connect(ann); why(refused) != "address_sockets" || refused.Seconds() < 1 {
		t.Fatalf("the fourth: %v", refused)
	}
	other, refused := g.Connect(bob)
	if refused != nil {
		t.Fatalf("another address: %v", refused)
	}
	for i := range open[:2] {
		if refused := open[i].Identify("ann"); refused != nil {
			t.Fatal(refused)
		}
	}
	if refused := other.Identify("ann"); why(refused) != "user_sockets" {
		t.Fatalf("the user's third, from another address: %v", refused)
	}
	other.Leave()
	other.Leave() // a second time is nothing
	open[0].Leave()
	again, refused := g.Connect(ann)
	if refused != nil || again.Identify("ann") != nil {
		t.Fatalf("a place is free, and %v", refused)
	}
	if refused := again.Identify(""); refused != nil {
		t.Fatalf("nobody: %v", refused)
	}
}

// The attack: have a new address for each socket, of the 2^64 that any IPv6 host has.
func TestConnect_countsAnIPv6NetworkAsOne(t *testing.T) {
	t.Parallel()
	g, _ := guard(bounds.Options{Address: bounds.Limits{Sockets: 2}})
	for i, c := range []struct{ address, want string }{
		{"2001:db8:1:2::1", ""}, {"2001:db8:1:2:ffff::9", ""}, {"2001:db8:1:2::3", "address_sockets"}, {"2001:db8:1:3::1", ""},
	} {
		if _, refused := g.Connect(netip.MustParseAddr(c.address)); why(refused) != c.want {
			t.Errorf("%d %s: %v", i, c.address, refused)
		}
	}
}

// The attack: connect, join or ask as fast as one can.
func TestRates_letABurstThrough_andThenTheRate(t *testing.T) {
	t.Parallel()
	limits := bounds.Limits{SocketRate: 5, JoinRate: 5, RequestRate: 5}
	g, clock := guard(bounds.Options{Address: limits, User: limits})
	joiner, _ := g.Connect(bob)
	user, _ := g.Connect(netip.MustParseAddr("192.0.2.3"))
	if refused := user.Identify("u"); refused != nil {
		t.Fatal(refused)
	}
	cases := []struct {
		name, why string
		do        func() *bounds.Refused
	}{
		{"sockets", "address_socket_rate", func() *bounds.Refused {
			q, refused := g.Connect(ann)
			q.Leave()
			return refused
		}},
		{"joins", "address_join_rate", joiner.Join},
		{"requests", "address_request_rate", func() *bounds.Refused { return g.Request(ann) }},
		{"requests of a user", "user_request_rate", func() *bounds.Refused { return g.UserRequest("u") }},
	}
	for _, c := range cases {
		for i := range 5 * bounds.Burst {
			if refused := c.do(); refused != nil {
				t.Fatalf("%s: the %dth of the burst: %v", c.name, i+1, refused)
			}
		}
		refused := c.do()
		if why(refused) != c.why || refused.RetryAfter <= 0 || refused.RetryAfter > time.Second || refused.Seconds() != 1 {
			t.Fatalf("%s: past the burst: %+v", c.name, refused)
		}
		clock.pass(refused.RetryAfter + time.Millisecond)
		if refused := c.do(); refused != nil {
			t.Fatalf("%s: when it was told to come back: %v", c.name, refused)
		}
		if refused := c.do(); refused == nil {
			t.Fatalf("%s: two for one", c.name)
		}
		clock.pass(time.Hour)
	}
}

func TestZeroLimits_boundNothing_andKeepNothing(t *testing.T) {
	t.Parallel()
	g, _ := guard(bounds.Options{})
	for range 10_000 {
		q, refused := g.Connect(ann)
		if refused != nil || q.Identify("u") != nil || q.Join() != nil || g.Request(ann) != nil || g.UserRequest("u") != nil {
			t.Fatal(refused)
		}
	}
	if a, u := g.Keys(); a+u > 0 {
		t.Error(a, u)
	}
	var nobody bounds.Guest
	if nobody.Join() != nil || nobody.Identify("u") != nil {
		t.Error("the zero Guest is bounded")
	}
	nobody.Leave()
}

// number makes addresses of networks of their own.
func number(i int) netip.Addr {
	var b [16]byte
	b[0] = 0x20
	binary.BigEndian.PutUint32(b[4:], uint32(i))
	return netip.AddrFrom16(b)
}

// The attack: come from more addresses than the edge has memory for.
func TestTable_isBounded_andForgetsWhoHasNoSocket(t *testing.T) {
	t.Parallel()
	const most = 1600
	g, clock := guard(bounds.Options{Address: bounds.Limits{Sockets: 5, SocketRate: 10, RequestRate: 10}, MostKeys: most})
	kept, refused := g.Connect(ann)
	if refused != nil {
		t.Fatal(refused)
	}
	for i := range 20 * most {
		if refused := g.Request(number(i)); refused != nil {
			t.Fatal(refused)
		}
	}
	if a, _ := g.Keys(); a > most {
		t.Fatalf("%d addresses are known, and %d are room for", a, most)
	}
	for range 4 { // who has a socket was not forgotten for them
		if _, refused := g.Connect(ann); refused != nil {
			t.Fatal(refused)
		}
	}
	if _, refused := g.Connect(ann); why(refused) != "address_sockets" {
		t.Fatal(refused)
	}
	clock.pass(time.Minute)
	g.Sweep()
	if a, _ := g.Keys(); a != 1 {
		t.Fatalf("%d addresses are known when all but one are gone", a)
	}
	kept.Leave()
}

// Who comes when all places are taken by sockets shares one: it is bounded still.
func TestTable_thatIsFullOfSockets_countsTheRestAsOne(t *testing.T) {
	t.Parallel()
	g, _ := guard(bounds.Options{Address: bounds.Limits{Sockets: 2}, MostKeys: 16})
	full := 0
	for i := range 1000 {
		if _, refused := g.Connect(number(i)); refused != nil {
			full++
		}
	}
	if a, _ := g.Keys(); a > 16 || full < 1000-16-2 {
		t.Errorf("%d addresses, %d refused", a, full)
	}
}

func TestGuard_isRightUnderConcurrency(t *testing.T) {
	t.Parallel()
	g, _ := guard(bounds.Options{Address: bounds.Limits{Sockets: 50}, User: bounds.Limits{Sockets: 40}, MostKeys: 64})
	var most, now int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 2000 {
				q, refused := g.Connect(ann)
				if refused != nil {
					continue
				}
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				_ = q.Identify("u")
				_ = q.Join()
				_ = g.Request(number(n*8 + i))
				if n%100 == 0 {
					g.Sweep()
				}
				mu.Lock()
				now--
				mu.Unlock()
				q.Leave()
			}
		})
	}
	wg.Wait()
	if most > 50 {
		t.Errorf("%d at once", most)
	}
	g.Sweep()
	if a, u := g.Keys(); a+u > 0 {
		t.Errorf("%d and %d are known when all left", a, u)
	}
}

func TestJoin_allocatesNothing(t *testing.T) {
	g, clock := guard(bounds.Options{Address: bounds.Limits{JoinRate: 10}, User: bounds.Limits{JoinRate: 10}})
	q, _ := g.Connect(ann)
	_ = q.Identify("u")
	if n := testing.AllocsPerRun(100, func() {
		clock.pass(time.Second)
		if q.Join() != nil {
			t.Fatal("refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// The attack: open connections and say nothing, until there are no file descriptors left.
func TestListen_boundsTheConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		trusted bool
		want    int
	}{{"anybody", false, 3}, {"a trusted proxy", true, 10}} {
		g, _ := guard(bounds.Options{Connections: 3})
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := g.Listen(inner, func(netip.Addr) bool { return c.trusted }, telemetry.NewSecurityLog(slog.New(slog.DiscardHandler), nil))
		accepted := make(chan net.Conn, 100)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, "x")
				accepted <- conn
			}
		}()
		dial := func() (conn net.Conn, taken bool) {
			conn, err := net.Dial("tcp", inner.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, _ := conn.Read(make([]byte, 1))
			return conn, n == 1
		}
		taken := 0
		for range 10 {
			if _, ok := dial(); ok {
				taken++
			}
		}
		if taken != c.want {
			t.Errorf("%s: %d of 10 connections, want %d", c.name, taken, c.want)
		}
		first := <-accepted
		_ = first.Close()
		_ = first.Close() // counts once
		for i, want := range []bool{true, c.trusted} {
			if _, ok := dial(); ok != want {
				t.Errorf("%s: after one was closed, number %d: %v", c.name, i, ok)
			}
		}
		_ = inner.Close()
		<-ended
		close(accepted)
		for conn := range accepted {
			_ = conn.Close()
		}
	}
}
