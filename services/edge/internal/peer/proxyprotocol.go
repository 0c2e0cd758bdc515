package peer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// headerTimeout is how long a trusted proxy may take to say whom it connects for. It says so at once.
const headerTimeout = 5 * time.Second

// Listen gives l's connections. Those of trusted proxies must begin with a header of the PROXY protocol
// (version 1 or 2): its address is then their RemoteAddr. Those of others are as they are, for whom such a
// header is no HTTP.
//
// The library parses the header. Its listener is not used: its connections hide the file descriptor
// that sockets are read and written by, and keep a buffer for as long as they live.
func (p *Proxies) Listen(l net.Listener) net.Listener { return &listener{l, p} }

type listener struct {
	net.Listener
	proxies *Proxies
}

// Accept implements net.Listener. It does not wait for headers: who first asks a connection does.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok || !l.proxies.Trusts(parseAddrPort(tcp.RemoteAddr().String())) {
		return c, nil
	}
	return &proxied{TCPConn: tcp}, nil
}

// proxied is a connection of a trusted proxy.
type proxied struct {
	*net.TCPConn
	once   sync.Once
	client net.Addr
	rest   *bufio.Reader // what came with the header; nil when it is read
	err    error
}

func (c *proxied) begin() {
	c.client = c.TCPConn.RemoteAddr()
	c.rest = bufio.NewReaderSize(c.TCPConn, 1024) // less than net/http reads at once: nothing is left when a socket takes over
	_ = c.SetReadDeadline(time.Now().Add(headerTimeout))
	header, err := proxyproto.Read(c.rest)
	if err != nil {
		c.err = fmt.Errorf("read the PROXY header of %v: %w", c.client, err)
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if header.Command.IsLocal() {
		return // the proxy speaks for itself: it asks how we are
	}
	source, ok := header.SourceAddr.(*net.TCPAddr)
	if !ok {
		return // a kind of address that limits know nothing of
	}
	if addr, ok := netip.AddrFromSlice(source.IP); ok {
		c.client = net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr.Unmap(), uint16(source.Port)))
	}
}

// RemoteAddr is the client's address. The first call, or the first Read, waits for the header.
func (c *proxied) RemoteAddr() net.Addr {
	c.once.Do(c.begin)
	return c.client
}

// Read implements net.Conn.
func (c *proxied) Read(b []byte) (int, error) {
	c.once.Do(c.begin)
	if c.err != nil {
		return 0, c.err
	}
	if c.rest != nil && c.rest.Buffered() > 0 {
		return c.rest.Read(b[:min(len(b), c.rest.Buffered())])
	}
	c.rest = nil
	return c.TCPConn.Read(b)
}

// WriteTo implements io.WriterTo, which is the TCP connection's otherwise and passes Read by.
func (c *proxied) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}
