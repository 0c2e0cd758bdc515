package socket

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"helix/shared/phoenix"
	"helix/shared/telemetry"
)

// buffers are lent to sockets while bytes of theirs are handled; an idle socket has none. Not a
// sync.Pool: taking one there may need more stack than a waiting goroutine has.
var buffers free

type free struct {
	mu   sync.Mutex
	list []*[]byte
}

// mostFree bounds the buffers that wait for use.
const mostFree = 256

func (f *free) take() *[]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := len(f.list) - 1
	if last < 0 {
		return newBuffer()
	}
	b := f.list[last]
	f.list = f.list[:last]
	return b
}

//go:noinline
func newBuffer() *[]byte { b := make([]byte, readBuffer); return &b }

func (f *free) give(b *[]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) < mostFree {
		f.list = append(f.list, b)
	}
}

// readBuffer holds most messages whole; a larger one gets a buffer of its own for as long as it takes.
const readBuffer = 4096

// input is what a socket's reader knows. The read goroutine alone uses it.
type input struct {
	decoder decoder
	buffer  *[]byte // nil while there are no bytes
	have    int     // bytes in it that are not taken yet
	got     int     // of the last read
	err     error
	attempt func(fd uintptr) bool // made once
}

// receive waits for bytes. It takes a buffer only when there are some.
func (s *Socket) receive() error {
	in := &s.input
	if s.raw == nil { // a connection without a file descriptor
		if in.buffer == nil {
			in.buffer = buffers.take()
		}
		n, err := s.net.Read((*in.buffer)[in.have:])
		in.have += n
		return err
	}
	if err := s.raw.Read(in.attempt); err != nil {
		return err
	}
	in.have += max(in.got, 0)
	if in.got == 0 && in.err == nil {
		return io.EOF
	}
	return in.err
}

// attemptRead is receive's non-blocking read; false: wait until there is something.
func (s *Socket) attemptRead(fd uintptr) bool {
	in := &s.input
	buffer := in.buffer
	if buffer == nil {
		buffer = buffers.take()
	}
	for {
		in.got, in.err = syscall.Read(int(fd), (*buffer)[in.have:])
		if !errors.Is(in.err, syscall.EINTR) {
			break
		}
	}
	if in.got <= 0 && in.buffer == nil {
		buffers.give(buffer)
	} else {
		in.buffer = buffer
	}
	return !errors.Is(in.err, syscall.EAGAIN)
}

// keep puts what is left of the bytes to the front, with room for a whole frame of need bytes; where
// nothing is left the buffer goes back.
func (in *input) keep(left []byte, need int) {
	if in.have = len(left); in.have == 0 {
		in.release()
		return
	}
	if need <= len(*in.buffer) {
		copy(*in.buffer, left)
		return
	}
	// Grown as the bytes come, not as a header promises: who promises much and sends nothing costs nothing.
	larger := make([]byte, min(need, max(2*len(*in.buffer), 2*in.have)))
	copy(larger, left)
	in.release()
	in.buffer = &larger
}

func (in *input) release() {
	if in.buffer != nil && len(*in.buffer) == readBuffer {
		buffers.give(in.buffer)
	}
	in.buffer = nil
}

// read takes the client's frames until the connection ends and gives the code that ended it; or, with
// over false, until the goroutine should be changed for a fresh one.
func (s *Socket) read() (code CloseCode, over bool) {
	for {
		if err := s.receive(); err != nil {
			return s.readFailed(err), true
		}
		if code, over = s.take(); over {
			return code, true
		}
		if s.stale() {
			return 0, false
		}
	}
}

// freshEvery is how often a busy socket's goroutine is changed for a fresh one.
const freshEvery = 10 * time.Second

// stale says that it is time for a fresh goroutine. Handling a message makes a goroutine's stack grow and
// waiting for the next one never lets it shrink; most clients are silent for most of the time, and a
// fresh goroutine waits on half the memory.
func (s *Socket) stale() bool {
	if s.input.buffer != nil || s.heard-s.fresh < freshEvery {
		return false
	}
	s.fresh = s.heard
	return true
}

// take acts on the frames that came; over says that the connection ends.
func (s *Socket) take() (code CloseCode, over bool) {
	now := time.Now()
	bytes := (*s.input.buffer)[:s.input.have]
	need, frames, whole := 0, 0, false
	var ping []byte
	for len(bytes) > 0 {
		f, err := s.input.decoder.next(bytes)
		if err != nil {
			return s.readFailed(err), true
		}
		if f.used == 0 {
			need = f.need
			break
		}
		if f.opcode == opPing {
			ping = f.payload[:len(f.payload):len(f.payload)]
		} else if code, err := s.frame(f); err != nil {
			return s.readFailed(err), true
		} else if code != 0 {
			return code, true
		}
		frames++
		whole = whole || s.input.decoder.opcode == 0
		bytes = bytes[f.used:]
	}
	if ping != nil { // of several the last one alone: RFC 6455, section 5.5.3
		s.Send(control(opPong, ping))
	}
	s.input.keep(bytes, need)
	if whole {
		s.alive(now)
	}
	s.Flush()
	s.pace.keep(frames, s.server.instant(now), s.server.opts.MessageRate)
	return 0, false
}

// frame acts on one frame; a code says that the client closed.
func (s *Socket) frame(f frame) (CloseCode, error) {
	switch f.opcode {
	case opClose:
		return s.answerClose(f.payload), nil
	case opText, opBinary:
		if !s.isClosing() { // a client that was told to go is not heard any more
			return 0, s.handle(f.payload, f.opcode == opBinary)
		}
	}
	return 0, nil
}

// noCode stands for a close frame without a code (RFC 6455, section 7.4.1).
const noCode CloseCode = 1005

// answerClose answers the client's close frame with its own code, as RFC 6455 5.5.1 wants.
func (s *Socket) answerClose(payload []byte) CloseCode {
	code, answer := noCode, control(opClose, nil)
	if len(payload) >= 2 {
		code = CloseCode(binary.BigEndian.Uint16(payload))
		answer = closeFrame(code, "")
	}
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		s.push(answer)
	}
	s.mu.Unlock()
	s.Flush()
	return code
}

// alive moves the idle deadline: any whole message counts, and any control frame between messages. Bytes do
// not, nor what comes in the midst of a message: who sends a byte now and then, or fragments without an end,
// would keep a socket and its buffer for ever. Not for every frame of a busy client: a deadline costs more
// than reading a small frame does.
func (s *Socket) alive(now time.Time) {
	idle := s.server.opts.IdleTimeout
	at := s.server.instant(now)
	if at-s.heard < idle/64 {
		return
	}
	s.heard = at
	s.mu.Lock()
	if !s.closing {
		_ = s.net.SetReadDeadline(now.Add(idle))
	}
	s.mu.Unlock()
}

// readFailed tells the client why it is closed, where it does not know, and gives the code.
func (s *Socket) readFailed(err error) CloseCode {
	var timeout net.Error
	if errors.Is(err, errTooLarge) || errors.Is(err, phoenix.ErrFrame) || errors.Is(err, errProtocol) {
		s.suspect(telemetry.SecurityFrame, "error", err.Error())
	}
	switch {
	case errors.Is(err, errTooLarge):
		return s.end(ReasonTooLarge)
	case errors.Is(err, phoenix.ErrFrame):
		return s.end(ReasonBadFrame)
	case errors.Is(err, errProtocol):
		return s.end(ReasonBadClient)
	case errors.As(err, &timeout) && timeout.Timeout():
		return s.end(ReasonSilent)
	}
	return 1006 // it went without a word
}

// codeLabel bounds the values of the metric's label: clients choose codes too.
func codeLabel(code CloseCode) string {
	if code >= 1000 && code <= 1015 {
		return strconv.Itoa(int(code))
	}
	return "other"
}
