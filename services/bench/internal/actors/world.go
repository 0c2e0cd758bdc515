// Package actors are the clients of bench check: writers and readers of every kind, which live through
// whatever happens to Helix, and tell the judge what they send and see. They keep to the wire: what they
// do, any client may.
package actors

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// World is what all actors share.
type World struct {
	Edges  []string // host:port where clients reach each edge, through what may fail
	Direct []string // host:port of the edges themselves
	Lease  time.Duration
	Stats  Stats
	// LateSignals says that a signal may come behind newer ones: a master that was paused until another took
	// its place passes on what it finds in its sockets, and a Cluster takes that to all subscribers.
	LateSignals bool

	began time.Time

	mu     sync.Mutex
	busy   bool
	turned chan struct{} // closed when busy turns
	note   []event       // faults, for the traces
	fail   func(*Flow, error)
}

// Stats count what the actors did.
type Stats struct {
	Changes, Acked, Repeats, Refused, Unknown      atomic.Int64
	Connects, Resumes, Syncs, Catchups, Deliveries atomic.Int64
	Errors                                         atomic.Int64 // phx_error: a flow's code failed, or its edge stopped
	TooSlow                                        atomic.Int64 // closed with 1013
	Epochs                                         atomic.Int64 // new ones
	TooLarge                                       atomic.Int64 // changes refused for good, for the document was full
	Signals                                        atomic.Int64 // heard
	Slowest                                        atomic.Int64 // nanoseconds until all counts were right
	Longest                                        atomic.Int64 // nanoseconds that a flow went without an acknowledged change
}

// CountsWithin notes how long it took until all counts were right.
func (s *Stats) CountsWithin(d time.Duration) { atLeast(&s.Slowest, d) }

func atLeast(to *atomic.Int64, d time.Duration) {
	for {
		old := to.Load()
		if int64(d) <= old || to.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// NewWorld makes a world at rest. fail is told of every broken promise; it must not block.
func NewWorld(edges, direct []string, lease time.Duration, fail func(*Flow, error)) *World {
	return &World{Edges: edges, Direct: direct, Lease: lease, began: time.Now(), turned: make(chan struct{}), fail: fail}
}

// SetBusy has the writers write and the restless move, or all come to rest.
func (w *World) SetBusy(busy bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy != busy {
		w.busy = busy
		close(w.turned)
		w.turned = make(chan struct{})
	}
}

// mood says whether the world is busy, and when that turns.
func (w *World) mood() (busy bool, turned <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy, w.turned
}

// rest waits for a time, in which the world may come to rest: then it returns at once.
func (w *World) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	busy, turned := w.mood()
	if !busy {
		turned = nil
		d = 0
	}
	if d == 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-turned:
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
