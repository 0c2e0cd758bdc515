package socket

import (
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"helix/shared/phoenix"
)

// Socket is one client's WebSocket. One goroutine reads it; the server's Writers write it. It holds
// no buffer while it is idle.
type Socket struct {
	server  *Server
	conn    *websocket.Conn
	net     net.Conn
	raw     syscall.RawConn // nil where the connection has no file descriptor
	version phoenix.Version
	topics  []*Topic  // the read goroutine's alone
	heard   time.Time // when the read deadline was last moved; the read goroutine's alone

	// Identity is what the connect step found out about the client.
	identity any
	started  atomic.Bool // the handshake is over: all writes go through the queue

	mu        sync.Mutex
	queue     queue
	blocked   int  // bytes that the slow path holds
	scheduled bool // a writer or the slow path has it
	closing   bool // a close frame is queued or written: nothing may follow
	reason    Reason
	ended     bool // the reader is gone: close when written
	closed    bool // the connection is closed
}

// Identity is what the connect step found out about the client; nil without one.
func (s *Socket) Identity() any { return s.identity }

// Send queues frames that AppendText made, for the next Flush. It never blocks. A client that does not keep up with its
// queue's bound is closed with ReasonTooSlow; frames for a socket that closes are dropped.
func (s *Socket) Send(frames []byte) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	if s.queue.bytes+s.blocked+len(frames) > s.server.opts.QueueBytes && s.queue.bytes+s.blocked > 0 {
		s.server.metrics.QueueOverflows.Inc()
		s.queue.drop()
		s.shut(ReasonTooSlow)
		s.mu.Unlock()
		return
	}
	s.push(frames)
	s.mu.Unlock()
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
	s.closing, s.reason = true, why
	s.push(closeFrame(why.Code, why.Text))
	// The reader waits for the client's close frame, but not forever.
	_ = s.net.SetReadDeadline(time.Now().Add(closeWait))
}

// broken: writing failed. The reader learns it by the closed connection.
func (s *Socket) broken() {
	s.queue.drop()
	s.closing, s.blocked = true, 0
	s.closeNow()
}

// written: the queue is empty. The caller holds the lock.
func (s *Socket) written() {
	s.scheduled = false
	if s.ended {
		s.closeNow()
	}
}

func (s *Socket) closeNow() {
	if !s.closed {
		s.closed = true
		_ = s.net.Close()
	}
}

// writeSlowly writes to a client whose kernel buffer was full, waiting for it as long as
// writeTimeout allows, until it has caught up.
func (s *Socket) writeSlowly(rest []byte) {
	for {
		err := s.net.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = s.net.Write(rest)
		}
		s.mu.Lock()
		s.blocked = 0
		if err != nil {
			s.broken()
			s.mu.Unlock()
			return
		}
		if s.queue.empty() {
			s.written()
			s.mu.Unlock()
			return
		}
		rest = rest[:0]
		for _, f := range s.queue.take(nil) {
			rest = append(rest, f...)
		}
		s.blocked = len(rest)
		s.mu.Unlock()
	}
}

// serve is the socket's read goroutine.
func (s *Socket) serve() {
	code := s.read()
	for _, t := range s.topics {
		t.gone()
	}
	s.topics = nil
	s.Flush()
	s.mu.Lock()
	if s.reason.Code != 0 {
		code = s.reason.Code
	}
	s.ended = true
	s.closing = true
	if !s.scheduled {
		s.closeNow()
	}
	s.mu.Unlock()
	s.server.remove(s, code)
}

// read takes the client's frames until the connection ends and gives the code that ended it.
func (s *Socket) read() CloseCode {
	for {
		kind, r, err := s.conn.NextReader()
		if err != nil {
			return s.readFailed(err)
		}
		s.alive()
		buf := buffers.Get().(*[]byte)
		data, err := readAll(r, (*buf)[:0])
		if err == nil && !s.isClosing() { // a client that was told to go is not heard any more
			err = s.handle(data, kind == websocket.BinaryMessage)
			s.Flush()
		}
		if cap(data) <= maxPooled {
			*buf = data
		}
		buffers.Put(buf)
		if err != nil {
			return s.readFailed(err)
		}
	}
}

func (s *Socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// alive moves the idle deadline: any frame counts. Not for every frame of a busy client: a deadline
// costs more than reading a small frame does.
func (s *Socket) alive() {
	now := time.Now()
	idle := s.server.opts.IdleTimeout
	if now.Sub(s.heard) < idle/64 {
		return
	}
	s.heard = now
	s.mu.Lock()
	if !s.closing {
		_ = s.net.SetReadDeadline(now.Add(idle))
	}
	s.mu.Unlock()
}

// readFailed tells the client why it is closed, where it does not know, and gives the code.
func (s *Socket) readFailed(err error) CloseCode {
	var closed *websocket.CloseError
	var timeout net.Error
	switch {
	case errors.As(err, &closed):
		return CloseCode(closed.Code)
	case errors.Is(err, websocket.ErrReadLimit):
		return s.end(ReasonTooLarge)
	case errors.Is(err, phoenix.ErrFrame):
		return s.end(ReasonBadFrame)
	case errors.As(err, &timeout) && timeout.Timeout():
		return s.end(ReasonSilent)
	case strings.HasPrefix(err.Error(), "websocket: "): // gorilla has no type for these
		return s.end(ReasonBadClient)
	}
	return 1006 // it went without a word
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
