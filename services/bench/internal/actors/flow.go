package actors

import (
	"context"
	"sync"
	"time"

	"helix/bench/internal/judge"
)

// Flow is one flow with its actors.
type Flow struct {
	ID    string
	world *World

	mu      sync.Mutex // guards what follows, and all actors' readers
	history *judge.History
	trace   trace
	phase   int
	last    judge.Position // where the phase before ended
	broken  bool
	acked   time.Time // the newest acknowledgement of this phase
	peers   []*Peer
	posters []*Poster
	running sync.WaitGroup
}

// NewFlow makes a flow without actors.
func (w *World) NewFlow(id string) *Flow {
	return &Flow{ID: id, world: w, history: judge.NewHistory()}
}

// Run starts all actors; Wait waits for their end, which comes with the context's.
func (f *Flow) Run(ctx context.Context) {
	for _, p := range f.peers {
		f.running.Go(func() { p.run(ctx) })
	}
	for _, p := range f.posters {
		f.running.Go(func() { p.run(ctx) })
	}
}

// Wait waits until all actors have ended.
func (f *Flow) Wait() { f.running.Wait() }

// say notes an event. The caller holds the lock.
func (f *Flow) say(who, what string, m judge.Mark, p judge.Position) {
	f.trace.add(event{at: time.Since(f.world.began), who: who, what: what, mark: m, pos: p})
}

// tookOne notes that a change was acknowledged while the writers write. The caller holds the lock.
func (f *Flow) tookOne() {
	now := time.Now()
	if busy, _ := f.world.mood(); busy && !f.acked.IsZero() {
		atLeast(&f.world.Stats.Longest, now.Sub(f.acked))
	}
	f.acked = now
}

// check tells of a broken promise. The caller holds the lock.
func (f *Flow) check(err error) {
	if err == nil || f.broken {
		return
	}
	f.broken = true // what follows from it would only hide it
	f.world.fail(f, err)
}
