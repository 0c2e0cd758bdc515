package bounds

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	shards = 16
	// mostKeys bounds the keys of a table: some 20 MiB of them. Somebody with that many addresses meets the
	// machine's bounds next.
	mostKeys = 1 << 17
	// looks is how many keys are looked at, where a table is full, for one without a socket to forget.
	looks = 16
)

// table counts for each key of one kind. Keys beyond its size share one place.
type table[K comparable] struct {
	kind   string // begins Refused.Why
	limits Limits
	rates  [kinds]float64
	began  time.Time
	now    func() time.Time
	seed   maphash.Seed
	most   int // keys of one shard
	shards [shards]shard[K]
	rest   place // of keys for which there is no room
}

type shard[K comparable] struct {
	mu     sync.Mutex
	places map[K]*place
	peak   int // of its keys since the map was made: maps do not shrink
}

// place is what is counted for one key. Its lock is taken inside the shard's, or alone by who has a socket
// there: the place is then not forgotten.
type place struct {
	mu      sync.Mutex
	sockets int
	buckets [kinds]bucket
}

func newTable[K comparable](kind string, limits Limits, most int, now func() time.Time) *table[K] {
	t := &table[K]{kind: kind, limits: limits, rates: limits.rates(), began: now(), now: now, seed: maphash.MakeSeed(), most: max(1, most/shards)}
	for i := range t.shards {
		t.shards[i].places = map[K]*place{}
	}
	return t
}

// off says that nothing is bounded, and so nothing need be counted.
func (t *table[K]) off() bool { return t.limits == Limits{} }

// clock is the time since the table began. It is read before locks are taken.
func (t *table[K]) clock() time.Duration { return t.now().Sub(t.began) }

// with calls f with the place of a key, made where there is none, its lock held.
func (t *table[K]) with(key K, now time.Duration, f func(*place) *Refused) (*place, *Refused) {
	s := &t.shards[maphash.Comparable(t.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.places[key]
	if !ok {
		if p = t.room(s, now); p != &t.rest {
			s.places[key] = p
			s.peak = max(s.peak, len(s.places))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p, f(p)
}

// room gives a new place; in a full shard that of some key without a socket, or the one that all share. Its
// lock is the caller's.
func (t *table[K]) room(s *shard[K], now time.Duration) *place {
	if len(s.places) < t.most {
		return &place{}
	}
	looked := 0
	for key, p := range s.places {
		if p.idle(now, t.rates, false) {
			delete(s.places, key)
			return &place{}
		}
		if looked++; looked == looks {
			break
		}
	}
	return &t.rest
}

// idle says whether a place may be forgotten; whole: only if nothing is lost by it.
func (p *place) idle(now time.Duration, rates [kinds]float64, whole bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sockets > 0 {
		return false
	}
	for i := range p.buckets {
		if p.buckets[i].settle(now, rates[i]); whole && rates[i] > 0 && p.buckets[i].spent > 0 {
			return false
		}
	}
	return true
}

// open takes a place for a new socket.
func (t *table[K]) open(key K) (*place, *Refused) {
	now := t.clock()
	return t.with(key, now, func(p *place) *Refused {
		if refused := t.spend(p, ofSockets, now); refused != nil {
			return refused
		}
		if t.limits.Sockets > 0 && p.sockets >= t.limits.Sockets {
			return &Refused{t.kind + "_sockets", fullRetry}
		}
		p.sockets++
		return nil
	})
}

// request spends a request of a key.
func (t *table[K]) request(key K) *Refused {
	if t.rates[ofRequests] == 0 {
		return nil
	}
	now := t.clock()
	_, refused := t.with(key, now, func(p *place) *Refused { return t.spend(p, ofRequests, now) })
	return refused
}

// join spends a join of who has a socket at p.
func (t *table[K]) join(p *place) *Refused {
	if t.rates[ofJoins] == 0 {
		return nil
	}
	now := t.clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.spend(p, ofJoins, now)
}

func (t *table[K]) spend(p *place, kind int, now time.Duration) *Refused {
	if wait := p.buckets[kind].take(now, t.rates[kind]); wait > 0 {
		return &Refused{t.kind + rateNames[kind], wait}
	}
	return nil
}

func (p *place) close() {
	p.mu.Lock()
	p.sockets--
	p.mu.Unlock()
}

// sweep forgets the keys of one shard of which there is nothing to know, and gives back the memory of a
// map that was much larger. It says how many keys are left.
func (t *table[K]) sweep(i int) int {
	now := t.clock()
	s := &t.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, p := range s.places {
		if p.idle(now, t.rates, true) {
			delete(s.places, key)
		}
	}
	if s.peak > 64 && len(s.places) < s.peak/4 {
		kept := make(map[K]*place, len(s.places))
		for key, p := range s.places {
			kept[key] = p
		}
		s.places, s.peak = kept, len(kept)
	}
	return len(s.places)
}
