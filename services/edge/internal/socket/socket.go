package socket

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"helix/edge/internal/bounds"
	"helix/shared/phoenix"
)

// Socket is one client's WebSocket. One goroutine reads it; the server's Writers write it. It holds
// no buffer while it is idle, and its fields are kept few and small: there are tens of thousands, each
// rounded up to a size of the allocator's (384 bytes).
type Socket struct {
	server *Server
	net    net.Conn
	raw    syscall.RawConn // nil where the connection has no file descriptor
	input  input
	topics []*Topic     // the read goroutine's alone
	heard  instant      // when the read deadline was last moved; the read goroutine's alone
	fresh  instant      // when that goroutine was last changed for a fresh one
	pace   pace         // of its messages; the read goroutine's alone
	guest  bounds.Guest // its places; the read goroutine's alone

	// Identity is what the connect step found out about the client.
	identity any
	expiry   *end     // of an identity that ends
	address  [16]byte // of the client; an IPv4 address in the form of IPv6
	version  phoenix.Version
	started  atomic.Bool // the handshake is over: all writes go through the queue

	mu        sync.Mutex
	queue     queue
	blocked   int // bytes that the slow path holds
	whole     int // of what waits, bytes that do not count against the bound
	reserved  int // of those, what counts for all sockets together
	waits     *list.Element
	hungry    []*Topic  // whose Offer was not taken
	composed  bool      // a channel uses Offer: what waits is better here than in the kernel
	scheduled bool      // a writer or the slow path has it
	closing   bool      // a close frame is queued or written: nothing may follow
	ended     bool      // the reader is gone: close when written
	closed    bool      // the connection is closed
	code      CloseCode // that it was closed with from here; 0: it was not
}

// Identity is what the connect step found out about the client; nil without one.
func (s *Socket) Identity() any { return s.identity }

// user is whose the socket is, where that is known.
func (s *Socket) user() string {
	if who, ok := s.identity.(Known); ok {
		return who.UserID()
	}
	return ""
}

// suspect tells of something that an attack may be behind.
func (s *Socket) suspect(event string, attrs ...any) {
	attrs = append(attrs, "address", netip.AddrFrom16(s.address).Unmap().String())
	if user := s.user(); user != "" {
		attrs = append(attrs, "user_id", user)
	}
	s.server.opts.Security.Tell(event, attrs...)
}

// Send queues frames that AppendText made, for the next Flush. It never blocks. A client that does not keep up with its
// queue's bound is closed with ReasonTooSlow; one for which little waits keeps up, however large the frames
// are. Frames for a socket that closes are dropped.
func (s *Socket) Send(frames []byte) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	s.whole = min(s.whole, s.queue.bytes+s.blocked)
	if waiting := s.queue.bytes + s.blocked - s.whole; waiting > s.server.opts.QueueBytes/offerShare && waiting+len(frames) > s.server.opts.QueueBytes {
		s.overflow()
		s.mu.Unlock()
		return
	}
	s.push(frames)
	s.mu.Unlock()
}

// overflow closes a socket whose client does not follow. The caller holds the lock.
func (s *Socket) overflow() {
	s.server.metrics.QueueOverflows.Inc()
	s.queue.drop()
	s.settle()
	s.shut(ReasonTooSlow)
}

// push queues frames and puts the socket in line to be written. The caller holds the lock.
func (s *Socket) push(frames []byte) {
	s.queue.push(frames)
	if !s.scheduled {
		s.scheduled = true
		s.server.writers.add(s)
	}
}

// Flush has everything written that was sent, to this and all other sockets.
func (s *Socket) Flush() { s.server.writers.Flush() }

// Close closes the socket: what is queued goes out, then a close frame with the reason.
func (s *Socket) Close(why Reason) {
	s.mu.Lock()
	s.shut(why)
	s.mu.Unlock()
	s.Flush()
}

// closeWait bounds how long a client may take to answer a close frame.
const closeWait = 2 * time.Second

func (s *Socket) shut(why Reason) {
	if s.closing || s.closed {
		return
	}
	s.closing, s.code = true, why.Code
	s.push(closeFrame(why.Code, why.Text))
	// The reader waits for the client's close frame, but not forever.
	_ = s.net.SetReadDeadline(time.Now().Add(closeWait))
}

// broken: writing failed. The reader learns it by the closed connection.
func (s *Socket) broken() {
	s.queue.drop()
	s.closing, s.blocked, s.whole, s.hungry = true, 0, 0, nil
	s.settle()
	s.closeNow()
}

// written: the queue is empty. The caller holds the lock.
func (s *Socket) written() {
	s.scheduled, s.whole = false, 0
	s.settle()
	if s.ended {
		s.closeNow()
	}
}

// settle counts what still waits. The caller holds the lock.
func (s *Socket) settle() { s.server.wholes.settle(s, min(s.reserved, s.queue.bytes+s.blocked)) }

func (s *Socket) closeNow() {
	if !s.closed {
		s.closed = true
		_ = s.net.Close()
	}
}

// serve is the socket's read goroutine.
func (s *Socket) serve() {
	code, over := s.read()
	if !over {
		go s.serve() // in its place: the readers' WaitGroup counts sockets
		return
	}
	s.input.release()
	for _, t := range s.topics {
		t.gone()
	}
	s.topics = nil
	s.Flush()
	s.mu.Lock()
	if s.code != 0 {
		code = s.code
	}
	s.bound(time.Now().Add(closeWait)) // what is being written to a blocked client
	s.ended = true
	s.closing = true
	if !s.scheduled {
		s.closeNow()
	}
	s.mu.Unlock()
	s.server.remove(s, code)
}

func (s *Socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// end sends the close frame and waits a little for the client's, so that the client reads ours before
// the connection is reset.
func (s *Socket) end(why Reason) CloseCode {
	s.mu.Lock()
	already := s.closing
	s.shut(why)
	s.mu.Unlock()
	s.Flush()
	if !already {
		s.server.drain(s.net)
	}
	return why.Code
}
