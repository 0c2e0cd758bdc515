package socket

import (
	"container/list"
	"sync"
)

// wholes bounds what waits, in all, of the large frames that stand for a document or for much that was missed:
// a few bytes ask for one, it may have megabytes, and who asks need not read. Where there is too much of
// it, the socket goes that has had such a frame waiting for longest: whoever reads is soon done.
type wholes struct {
	most int // bytes; 0: no bound

	mu      sync.Mutex
	bytes   int
	waiting list.List // of *Socket, the one that has waited for longest first
}

// leastWhole is a frame that counts, in bytes: the answers of joins without a document do not.
const leastWhole = 4 << 10

// add counts a frame for a socket, whose lock the caller holds. Without its lock it must then trim.
func (w *wholes) add(s *Socket, bytes int) {
	if w.most == 0 || bytes < leastWhole {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += bytes
	s.reserved += bytes
	if s.waits == nil {
		s.waits = w.waiting.PushBack(s)
	}
}

// settle counts what is left of a socket's, whose lock the caller holds.
func (w *wholes) settle(s *Socket, left int) {
	if s.reserved <= left {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes -= s.reserved - left
	s.reserved = left
	if left == 0 {
		w.waiting.Remove(s.waits)
		s.waits = nil
	}
}

// trim lets go of sockets until what waits is within the bound. No lock is held.
func (w *wholes) trim() {
	for {
		s := w.over()
		if s == nil {
			return
		}
		s.mu.Lock()
		if s.waits != nil { // it has not read it meanwhile
			s.abandon()
		}
		s.mu.Unlock()
	}
}

func (w *wholes) over() *Socket {
	if w.most == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bytes <= w.most {
		return nil
	}
	return w.waiting.Front().Value.(*Socket)
}

// abandon ends a socket at once, for what waits for it is needed elsewhere. Where its kernel's buffer is full
// no close frame would reach it. The caller holds the lock.
func (s *Socket) abandon() {
	s.server.metrics.QueueOverflows.Inc()
	if !s.closing {
		s.code = ReasonTooSlow.Code
	}
	s.broken()
}
