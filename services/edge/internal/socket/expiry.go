package socket

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Expiring is an identity that ends: its socket is then closed with ReasonExpired.
type Expiring interface {
	// Expires is when; the zero time: never.
	Expires() time.Time
}

// sweepEvery is how late a socket may be closed whose identity has ended.
const sweepEvery = time.Second

// Serve closes sockets whose identity has ended, until ctx ends: a service of the tree. One sweep looks at
// those that are due and no others, so a socket that waits for its end costs a place in a heap and no timer.
func (v *Server) Serve(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			// By the wall clock: that is what the ends are told in, and it goes on while a machine sleeps.
			v.expire(now.Round(0))
		}
	}
}

func (v *Server) expire(now time.Time) {
	closed := false
	for s := v.ends.due(now); s != nil; s = v.ends.due(now) {
		s.mu.Lock()
		s.shut(ReasonExpired)
		s.mu.Unlock()
		closed = true
	}
	if closed {
		v.writers.Flush()
	}
}

// ends are the sockets that will end, the next one first.
type ends struct {
	mu   sync.Mutex
	heap endHeap
}

// end is one socket's; the socket has it too, to take it back.
type end struct {
	at     time.Time
	socket *Socket
	place  int // in the heap; -1: not there
}

func (e *ends) add(s *Socket) {
	identity, ok := s.identity.(Expiring)
	if !ok || identity.Expires().IsZero() {
		return
	}
	s.expiry = &end{at: identity.Expires(), socket: s}
	e.mu.Lock()
	heap.Push(&e.heap, s.expiry)
	e.mu.Unlock()
}

func (e *ends) remove(s *Socket) {
	if s.expiry == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.expiry.place >= 0 {
		heap.Remove(&e.heap, s.expiry.place)
	}
}

// due takes one socket whose time has come; nil: there is none.
func (e *ends) due(now time.Time) *Socket {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heap) == 0 || e.heap[0].at.After(now) {
		return nil
	}
	return heap.Pop(&e.heap).(*end).socket
}

type endHeap []*end

func (h endHeap) Len() int           { return len(h) }
func (h endHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h endHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *endHeap) Push(x any) {
	e := x.(*end)
	e.place = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *endHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	e.place = -1
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
