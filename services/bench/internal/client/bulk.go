package client

import "bufio"

// Widen has the connection read more at once: for one that is sent much. Call it before reading goes on.
func (c *Conn) Widen(size int) { c.reader = bufio.NewReaderSize(c.reader, size) }

// LastRef is the ref of the newest call. The next ones follow it by one each.
func (c *Channel) LastRef() uint64 { return c.refs.Load() }
