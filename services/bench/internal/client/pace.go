package client

import (
	"net"
	"sync/atomic"
	"time"
)

// Pace bounds how fast a connection is read: so a client is slow as a phone in a tunnel is. It may be
// changed while the connection is read.
type Pace struct{ bytesPerSecond atomic.Int64 }

// Set sets the bytes a second; 0: as fast as can be.
func (p *Pace) Set(bytesPerSecond int) { p.bytesPerSecond.Store(int64(bytesPerSecond)) }

// slowConn reads at a pace. The kernel is told to keep little for it, so that the server notices; less
// than a segment of the loopback would make it crawl, for its window would never open.
type slowConn struct {
	net.Conn
	pace *Pace
}

const (
	slowTick   = 20 * time.Millisecond
	slowBuffer = 64 << 10
)

func (c *slowConn) Read(b []byte) (int, error) {
	if rate := c.pace.bytesPerSecond.Load(); rate > 0 {
		time.Sleep(slowTick)
		b = b[:min(len(b), max(int(rate*int64(slowTick)/int64(time.Second)), 1))]
	}
	return c.Conn.Read(b)
}
