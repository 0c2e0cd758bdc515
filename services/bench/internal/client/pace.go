package client

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Pace bounds how fast a connection is read: so a client is slow as a phone in a tunnel is. It may be
// changed while the connection is read.
type Pace struct{ bytesPerSecond atomic.Int64 }

// Set sets the bytes a second; 0: as fast as can be.
func (p *Pace) Set(bytesPerSecond int) { p.bytesPerSecond.Store(int64(bytesPerSecond)) }

// slowConn reads at a pace. The kernel is told to keep little for it, so that the server notices.
type slowConn struct {
	net.Conn
	pace *Pace
}

const (
	slowTick   = 20 * time.Millisecond
	slowBuffer = 64 << 10
	segment    = 1400
)

// smallSegments has a connection get segments as they come over a network. Those of the loopback fill the
// whole buffer: its window would not open before all of it is read, and then only when the server asks.
func smallSegments(_, _ string, c syscall.RawConn) (err error) {
	failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segment)
	})
	return errors.Join(failed, err)
}

func (c *slowConn) Read(b []byte) (int, error) {
	if rate := c.pace.bytesPerSecond.Load(); rate > 0 {
		time.Sleep(slowTick)
		b = b[:min(len(b), max(int(rate*int64(slowTick)/int64(time.Second)), 1))]
	}
	return c.Conn.Read(b)
}
