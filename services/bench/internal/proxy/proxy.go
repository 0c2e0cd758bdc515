// Package proxy is a small TCP proxy that fails on demand: it cuts single connections, delays what
// passes, or lets nothing through. It tells a Redis connection that subscribes from one that commands
// by what it sees pass.
package proxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is what a connection is used for. It is a command connection until it subscribes.
type Kind int

// The kinds of connections.
const (
	Any Kind = iota
	Commands
	PubSub
)

// Proxy passes connections on to one server.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	links  map[*link]struct{}
	order  uint64
	delay  [3]time.Duration // by kind, of each chunk; Any: of all
	stall  [3]bool          // by kind: nothing passes
	moved  chan struct{}    // closed when delay or stall change
	closed bool
}

// New starts a proxy on a free port of the loopback, in front of a server's host:port.
func New(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a proxy: %w", err)
	}
	p := &Proxy{target: target, listener: l, links: map[*link]struct{}{}, moved: make(chan struct{})}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends the proxy and all its connections, and waits for that.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.reset()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// Cut resets at most n connections of a kind, the newest first, and says how many it were. n < 0: all.
func (p *Proxy) Cut(kind Kind, n int) (cut int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < 0 || cut < n {
		var newest *link
		for l := range p.links {
			if !l.ended.Load() && l.is(kind) && (newest == nil || l.number > newest.number) {
				newest = l
			}
		}
		if newest == nil {
			break
		}
		newest.reset()
		cut++
	}
	return cut
}

// Delay holds every chunk of a kind of connection back for a time, in both directions; 0 ends it.
func (p *Proxy) Delay(kind Kind, d time.Duration) {
	p.change(func() { p.delay[kind] = d })
}

// Stall lets nothing through on a kind of connection while it is on; connecting still succeeds. What was
// sent meanwhile passes when it ends.
func (p *Proxy) Stall(kind Kind, on bool) {
	p.change(func() { p.stall[kind] = on })
}

// Heal ends all delays and stalls.
func (p *Proxy) Heal() {
	p.change(func() { p.delay, p.stall = [3]time.Duration{}, [3]bool{} })
}

func (p *Proxy) change(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
	close(p.moved)
	p.moved = make(chan struct{})
}

// state says what holds for a link now.
func (p *Proxy) state(l *link) (delay time.Duration, stalled bool, moved <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind := l.kind()
	return max(p.delay[Any], p.delay[kind]), p.stall[Any] || p.stall[kind], p.moved
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(conn) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 2*time.Second)
	if err != nil {
		reset(client)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{proxy: p, client: client, server: server, done: ctx.Done(), cancel: cancel}
	p.mu.Lock()
	p.order++
	l.number = p.order
	p.links[l] = struct{}{}
	if p.closed {
		l.reset()
	}
	p.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() { l.pump(client, server, false) })
	l.pump(server, client, true)
	back.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// link is one connection with its two ends.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	number         uint64
	done           <-chan struct{}
	cancel         func()
	pubsub         atomic.Bool
	ended          atomic.Bool
}

func (l *link) kind() Kind {
	if l.pubsub.Load() {
		return PubSub
	}
	return Commands
}

func (l *link) is(kind Kind) bool { return kind == Any || kind == l.kind() }

// pump passes bytes on until either end is gone; then both are.
func (l *link) pump(to, from net.Conn, watch bool) {
	defer l.end(false)
	var sniff sniffer
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if watch && n > 0 && !l.pubsub.Load() && sniff.subscribes(buf[:n]) {
			l.pubsub.Store(true)
		}
		if n > 0 {
			if !l.hold() {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold waits for as long as the proxy says; false: the link ended meanwhile.
func (l *link) hold() bool {
	var late <-chan time.Time
	for began := time.Now(); ; {
		delay, stalled, moved := l.proxy.state(l)
		left := delay - time.Since(began)
		if !stalled && left <= 0 {
			return !l.ended.Load()
		}
		if late = nil; !stalled {
			late = time.After(left)
		}
		select {
		case <-l.done:
			return false
		case <-moved:
		case <-late:
		}
	}
}

// reset ends the link as a broken network does: with a reset, whatever was under way.
func (l *link) reset() { l.end(true) }

func (l *link) end(hard bool) {
	if l.ended.Swap(true) {
		return
	}
	l.cancel()
	for _, conn := range []net.Conn{l.client, l.server} {
		if hard {
			reset(conn)
		} else {
			_ = conn.Close()
		}
	}
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
