package client

import (
	"bufio"
	"net"
)

// Widen has the connection read more at once: for one that is sent much. Call it before reading goes on.
func (c *Conn) Widen(size int) { c.reader = bufio.NewReaderSize(c.reader, size) }

// Narrow has the kernel keep little of what is not read yet, and not the megabytes that it may: what a
// client does not take is to wait at the server.
func (c *Conn) Narrow(size int) {
	if tcp, ok := c.net.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(size)
	}
}

// LastRef is the ref of the newest call. The next ones follow it by one each.
func (c *Channel) LastRef() uint64 { return c.refs.Load() }
