package socket

import (
	"errors"
	"net"
	"os"
	"slices"
	"time"
)

// What a client gets that does not keep up. Send closes it. A channel that can catch its client up later
// asks with Offer instead, leaves out what is not taken, and once Drained is called sends what stands for
// all of it with SendWhole. So a slow client holds no more memory than the bound and one such frame.

// Drained is a Channel that uses Offer.
type Drained interface {
	// Drained says that the client took what waited, after an Offer that was not taken: once for
	// each such time. It is called from any goroutine, and must neither block nor send.
	Drained()
}

const (
	// offerShare: a client for which more waits than the bound divided by this does not keep up. What can
	// be made good later is not offered beyond it; the rest is for replies.
	offerShare = 8
	// composeShare is the same for who can be caught up, and counts what is offered: behind something that
	// waits, the composition of what is missed is shorter than all of it.
	composeShare = 64
	// mostWhole bounds what SendWhole may have waiting for one socket, in bytes: it has many topics.
	mostWhole = 64 << 20
	// slowChunk is written to a blocked client at once; each has writeTimeout, in which the client must take
	// some of it: who takes a little all the time is slow, not dead.
	slowChunk = 64 << 10
)

// offer queues frames if the client keeps up, and else puts the topic down to be told.
func (s *Socket) offer(t *Topic, frames []byte) (taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return true
	}
	if !s.composed && s.raw != nil {
		s.composed = true
		keepUnsentHere(s.raw)
	}
	if waiting := s.queue.bytes + s.blocked; waiting > 0 && waiting+len(frames) > s.server.opts.QueueBytes/composeShare {
		for _, other := range s.hungry {
			if other == t {
				return false
			}
		}
		s.hungry = append(s.hungry, t)
		return false
	}
	s.push(frames)
	return true
}

// sendWhole queues one large frame, which does not count against the queue's bound.
func (s *Socket) sendWhole(frame []byte) {
	s.mu.Lock()
	s.whole = min(s.whole, s.queue.bytes+s.blocked) // what waits longest left first
	switch {
	case s.closing:
	case s.whole > 0 && s.whole+len(frame) > mostWhole:
		s.overflow()
	default:
		s.whole += len(frame)
		s.push(frame)
		s.server.wholes.add(s, len(frame))
	}
	s.mu.Unlock()
	s.server.wholes.trim()
}

// takeHungry gives the topics that may be told of room now. The caller holds the lock.
func (s *Socket) takeHungry() []*Topic {
	if s.hungry == nil || s.closing || s.queue.bytes+s.blocked > s.server.opts.QueueBytes/offerShare/2 {
		return nil
	}
	hungry := s.hungry
	s.hungry = nil
	return hungry
}

// feed tells topics that there is room. No lock is held.
func feed(hungry []*Topic) {
	for _, t := range hungry {
		if d, ok := t.channel.(Drained); ok {
			d.Drained()
		}
	}
}

// writeSlowly writes to a client whose kernel buffer was full, waiting for it, until it has caught up. What
// waits are the frames that all clients share: a thousand slow ones hold them once.
func (s *Socket) writeSlowly(rest [][]byte) {
	for {
		for len(rest) > 0 {
			var chunk net.Buffers
			chunk, rest = split(rest, slowChunk)
			s.mu.Lock()
			s.bound(time.Now().Add(writeTimeout))
			s.mu.Unlock()
			wrote, err := chunk.WriteTo(s.net)
			s.mu.Lock()
			if wrote > 0 && errors.Is(err, os.ErrDeadlineExceeded) && !s.ended {
				rest, err = append(chunk, rest...), nil
			}
			s.blocked = total(rest)
			if s.closed { // abandoned
				s.blocked = 0
			}
			s.settle()
			if err != nil {
				s.broken()
				s.mu.Unlock()
				return
			}
			hungry := s.takeHungry()
			s.mu.Unlock()
			feed(hungry)
		}
		s.mu.Lock()
		if s.queue.empty() {
			s.bound(time.Time{}) // quick writes have none: one from now would fail when this one's is over
			s.written()
			s.mu.Unlock()
			return
		}
		rest = s.queue.take(nil)
		s.blocked = total(rest)
		s.mu.Unlock()
	}
}

// bound says until when writes may take, also one that is under way. Once the reader is gone there is no more
// time than it left. The caller holds the lock.
func (s *Socket) bound(until time.Time) {
	if !s.ended {
		_ = s.net.SetWriteDeadline(until)
	}
}

// split takes some of the first bytes of frames out.
func split(frames [][]byte, bytes int) (first, rest [][]byte) {
	for i, f := range frames {
		if bytes > len(f) {
			bytes -= len(f)
			continue
		}
		first = append(slices.Clip(frames[:i]), f[:bytes])
		if rest = frames[i:]; bytes == len(f) {
			return first, rest[1:]
		}
		rest[0] = f[bytes:]
		return first, rest
	}
	return frames, nil
}

func total(frames [][]byte) (bytes int) {
	for _, f := range frames {
		bytes += len(f)
	}
	return bytes
}
