package load

import (
	"sync"
	"sync/atomic"
	"time"
)

// Place is where one client is in a flow's history. Its reader alone moves it; the seq may be read by
// others.
type Place struct {
	seq     atomic.Uint64
	probes  []time.Duration // when it came to each, from the one behind first
	first   uint64
	Updates int
	Catchup int
	Syncs   int
	Broken  int // frames that do not follow on its place, and changes that were jumped over
}

// probeEvery is the share of the changes whose way to the members is timed: one in so many.
const probeEvery = 16

// NewPlace puts a client at the seq that its join told.
func NewPlace(seq uint64) *Place {
	p := &Place{first: seq / probeEvery}
	p.seq.Store(seq)
	return p
}

// Seq is where the client is.
func (p *Place) Seq() uint64 { return p.seq.Load() }

// Take takes what a frame told at a time, and says whether the frame brings something that the client lacks.
func (p *Place) Take(n News, now time.Duration) (fresh bool) {
	at := p.seq.Load()
	switch n.Kind {
	case Update:
		p.Updates++
		if n.Seq <= at { // it has that: ignored, as the protocol says
			return false
		}
		if n.Seq != at+1 {
			p.Broken++
		}
	case Catchup:
		p.Catchup++
		if n.From > at || n.Seq < at {
			p.Broken++
			return false
		}
	case Sync:
		p.Syncs++
	case Other, Answer, Refusal:
		return false
	}
	for range int(n.Seq/probeEvery) - int(at/probeEvery) {
		p.probes = append(p.probes, now)
	}
	p.seq.Store(n.Seq)
	return true
}

// Sent notes when changes were sent, by the seq that they got. It is safe for concurrent use.
type Sent struct {
	mu     sync.Mutex
	at     map[uint64]time.Duration // of probes
	newest atomic.Uint64
	count  atomic.Int64
}

// NewSent notes nothing yet.
func NewSent() *Sent { return &Sent{at: map[uint64]time.Duration{}} }

// Add notes a change that got its seq.
func (s *Sent) Add(seq uint64, at time.Duration) {
	s.count.Add(1)
	for {
		old := s.newest.Load()
		if seq <= old || s.newest.CompareAndSwap(old, seq) {
			break
		}
	}
	if seq%probeEvery == 0 {
		s.mu.Lock()
		s.at[seq/probeEvery] = at
		s.mu.Unlock()
	}
}

// Newest is the highest seq.
func (s *Sent) Newest() uint64 { return s.newest.Load() }

// Count is how many changes got one.
func (s *Sent) Count() int64 { return s.count.Load() }

// Staleness counts for a client whose reading has ended how long after its sending it came to have each
// probe. What it never had is stale until the end, and is counted.
func (s *Sent) Staleness(p *Place, end time.Duration, h *Histogram) (never int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for probe, sent := range s.at {
		if probe <= p.first {
			continue
		}
		if i := probe - p.first - 1; i < uint64(len(p.probes)) {
			h.Add(p.probes[i] - sent)
			continue
		}
		never++
		h.Add(end - sent)
	}
	return never
}
