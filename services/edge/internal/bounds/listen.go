package bounds

import (
	"net"
	"net/netip"
	"sync"

	"helix/edge/internal/peer"
	"helix/shared/telemetry"
)

// Listen gives l's connections, but of one address no more than Options.Connections at a time: what
// connects and says nothing is no socket yet, and costs a file descriptor all the same. Addresses that exempt
// names, which stand for many, may have as many as come.
func (g *Guard) Listen(l net.Listener, exempt func(netip.Addr) bool, security *telemetry.SecurityLog) net.Listener {
	if g.conns.off() {
		return l
	}
	return &listener{l, g, exempt, security}
}

type listener struct {
	net.Listener
	guard    *Guard
	exempt   func(netip.Addr) bool
	security *telemetry.SecurityLog
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, nil
		}
		from, ok := netip.AddrFromSlice(tcp.RemoteAddr().(*net.TCPAddr).IP)
		if from = from.Unmap(); !ok || l.exempt(from) {
			return c, nil
		}
		place, refused := l.guard.conns.open(peer.Network(from))
		if refused == nil {
			return &counted{TCPConn: tcp, place: place}, nil
		}
		l.guard.metrics.UpgradesRefused.WithLabelValues("address_connections").Inc()
		l.security.Tell(telemetry.SecurityLimit, "limit", "address_connections", "address", from.String())
		_ = c.Close()
	}
}

// counted is a connection that has a place.
type counted struct {
	*net.TCPConn
	place *place
	once  sync.Once
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.once.Do(c.place.close)
	return c.TCPConn.Close()
}
