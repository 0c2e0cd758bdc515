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

// slowConn reads at a pace.
type slowConn struct {
	net.Conn
	pace *Pace
}

const slowTick = 20 * time.Millisecond

// fewBuffers has the kernels keep little for a slow connection, on both sides, so that the server notices
// that it is slow: a small window, and segments as on a real network. With the loopback's segments of 64
// KiB the sender's kernel would take megabytes, and a window below one segment would hardly open.
func fewBuffers(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = errors.Join(syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1440),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10))
	})
	return errors.Join(err, failed)
}

func (c *slowConn) Read(b []byte) (int, error) {
	if rate := c.pace.bytesPerSecond.Load(); rate > 0 {
		time.Sleep(slowTick)
		b = b[:min(len(b), max(int(rate*int64(slowTick)/int64(time.Second)), 1))]
	}
	return c.Conn.Read(b)
}
