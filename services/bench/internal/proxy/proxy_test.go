package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"helix/bench/internal/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _, _ = io.Copy(c, c); _ = c.Close() })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type end struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func open(t *testing.T, p *proxy.Proxy) *end {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &end{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (e *end) send(line string) {
	e.t.Helper()
	_, err := io.WriteString(e, line+"\r\n")
	must(e.t, err)
}

// round sends a line and awaits its echo: the proxy has seen it then.
func (e *end) round(line string) {
	e.t.Helper()
	e.send(line)
	_ = e.SetReadDeadline(time.Now().Add(5 * time.Second))
	got, err := e.r.ReadString('\n')
	if err != nil || got != line+"\r\n" {
		e.t.Fatalf("echo of %q: %q, %v", line, got, err)
	}
}

// silent says whether nothing comes for a moment.
func (e *end) silent(d time.Duration) bool {
	_ = e.SetReadDeadline(time.Now().Add(d))
	_, err := e.r.ReadByte()
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func (e *end) reads(b []byte) bool {
	_ = e.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := io.ReadFull(e.r, b)
	return err == nil
}

func (e *end) gone() bool {
	_ = e.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := e.r.ReadByte()
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func start(t *testing.T) *proxy.Proxy {
	t.Helper()
	p, err := proxy.New(echo(t))
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

func TestCut_resetsSubscribersAlone_orCommandsAlone(t *testing.T) {
	t.Parallel()
	p := start(t)
	commands, subscriber := open(t, p), open(t, p)
	commands.round("PING")
	subscriber.round("PING")
	subscriber.round("SUB")
	subscriber.round("*2")
	subscriber.round("$10")
	_, err := io.WriteString(subscriber, "SSub") // the name comes in two pieces
	must(t, err)
	if got := make([]byte, 4); !subscriber.reads(got) {
		t.Fatal("the first piece did not come back")
	}
	subscriber.send("scribe")
	_, _ = subscriber.r.ReadString('\n')
	if n := p.Cut(proxy.PubSub, -1); n != 1 {
		t.Errorf("cut %d subscribers, want 1", n)
	}
	if !subscriber.gone() {
		t.Error("the subscriber's connection lives")
	}
	commands.round("PING")
	if n := p.Cut(proxy.Commands, -1); n != 1 || !commands.gone() {
		t.Errorf("cut %d command connections, want 1, and it must be gone", n)
	}
}

func TestCut_takesTheNewestFirst(t *testing.T) {
	t.Parallel()
	p := start(t)
	older := open(t, p)
	older.round("a")
	newer := open(t, p)
	newer.round("b")
	if n := p.Cut(proxy.Any, 1); n != 1 || !newer.gone() {
		t.Errorf("cut %d, want the newer one", n)
	}
	older.round("c")
}

func TestStall_holdsEverythingBack_andLosesNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := open(t, p)
	c.round("before")
	p.Stall(proxy.Commands, true)
	c.send("while")
	if !c.silent(100 * time.Millisecond) {
		t.Fatal("something came through")
	}
	p.Heal()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if got, err := c.r.ReadString('\n'); err != nil || got != "while\r\n" {
		t.Errorf("after the stall: %q, %v", got, err)
	}
}

func TestDelay_isOfEachDirection(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := open(t, p)
	c.round("before")
	p.Delay(proxy.Any, 60*time.Millisecond)
	began := time.Now()
	c.round("slowly")
	if took := time.Since(began); took < 120*time.Millisecond {
		t.Errorf("the round took %v, want both delays", took)
	}
	p.Delay(proxy.Any, 0)
	c.round("after")
}

func TestClose_endsAllConnections_alsoStalledOnes(t *testing.T) {
	t.Parallel()
	p, err := proxy.New(echo(t))
	must(t, err)
	c := open(t, p)
	c.round("a")
	p.Stall(proxy.Any, true)
	c.send("b")
	p.Close()
	if !c.gone() {
		t.Error("the connection lives")
	}
}
