// Package socket serves Phoenix Channels over WebSockets: the upgrade and who may, the read loop, the
// bounded write queue, heartbeats, close reasons, and the topics of a socket with their refs, replies,
// joins and leaves. It knows no flow: a Router says who serves a topic.
//
// The handshake is gorilla's. Reading is not (see decoder), and writing is not: frames are finished
// bytes that many sockets share, and go out by the Writers.
package socket

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"helix/edge/internal/bounds"
	"helix/edge/internal/peer"
	"helix/shared/phoenix"
	"helix/shared/telemetry"
)

// Options of a Server.
type Options struct {
	IdleTimeout   time.Duration // a socket silent for longer is closed
	MaxFrameBytes int64         // of a client's message
	MaxChannels   int           // of one socket
	QueueBytes    int           // of what waits to be written to one client
	WaitingBytes  int           // of documents that wait to be written to all clients together; 0: no bound
	MessageRate   int           // messages a second of one socket, past which it is read more slowly; 0: no bound
	// AllowedOrigins of a browser: empty means the host that it connects to, "*" all. See originAllowed.
	AllowedOrigins []string
	// Connect decides who may connect, before the upgrade; what it returns is the socket's Identity, which
	// may be Expiring. An error is answered with 403. Nil lets everybody in, without an Identity.
	Connect func(*http.Request) (identity any, err error)
	// Guard bounds what one address, and one user (an Identity that is Known), may have; nil: nothing.
	Guard   *bounds.Guard
	Router  Router
	Metrics *telemetry.Metrics
	Log     *slog.Logger
	// Security is told of refusals that an attack may be behind; it may be nil.
	Security *telemetry.SecurityLog
}

// Known is an identity that names its user.
type Known interface {
	// UserID is the user's; empty: nobody's.
	UserID() string
}

// DefaultOptions are the limits of design.md.
var DefaultOptions = Options{IdleTimeout: time.Minute, MaxFrameBytes: 1 << 20, MaxChannels: 128, QueueBytes: 1 << 20, WaitingBytes: 512 << 20, MessageRate: 1000}

// Server upgrades requests and owns the sockets.
type Server struct {
	opts     Options
	metrics  *telemetry.Metrics
	writers  *Writers
	upgrader websocket.Upgrader
	readers  sync.WaitGroup
	ends     ends
	wholes   wholes
	began    time.Time

	mu       sync.Mutex
	sockets  map[*Socket]struct{}
	draining bool
}

// instant is a moment by a Server's own clock, in a third of a time.Time's memory. It does not go back where
// the machine's clock is set back, and 0 is longer ago than anything that is waited for.
type instant = time.Duration

const longAgo = 24 * time.Hour

func (v *Server) instant(t time.Time) instant { return longAgo + t.Sub(v.began) }

// NewServer makes a server whose sockets are written by w.
func NewServer(o Options, w *Writers) *Server {
	return &Server{
		opts: o, metrics: o.Metrics, writers: w, began: time.Now(), wholes: wholes{most: o.WaitingBytes},
		// No EnableCompression: a client that offers permessage-deflate does not get it. A compressed
		// frame may say in a kilobyte what costs a megabyte.
		upgrader: websocket.Upgrader{
			HandshakeTimeout: 5 * time.Second,
			ReadBufferSize:   64, // gorilla reads the handshake alone
			WriteBufferPool:  &sync.Pool{},
			CheckOrigin:      func(*http.Request) bool { return true }, // checked before, for an answer of our own
		},
		sockets: map[*Socket]struct{}{},
	}
}

// ServeHTTP upgrades a request: 403 with an empty body for a version that is not served, a foreign
// origin, or a client that Connect refuses; 429 for an address or a user that has too much; 400 where it
// is no upgrade; 503 while the server drains.
func (v *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		http.Error(w, "this address speaks WebSocket: the request needs the headers 'Connection: Upgrade' and 'Upgrade: websocket'", http.StatusBadRequest)
		return
	}
	// A refusal ends the connection. A proxy that took the upgrade for done passes on whatever the client
	// sends next: none of it may be read as a request.
	w.Header().Set("Connection", "close")
	if r.ContentLength != 0 {
		v.metrics.UpgradesRefused.WithLabelValues("body").Inc()
		http.Error(w, "an upgrade has no body", http.StatusBadRequest)
		return
	}
	s := &Socket{server: v, address: peer.Address(r).As16()}
	if !v.admit(s, w, r) {
		s.guest.Leave()
		return
	}
	if !v.add(s) {
		s.guest.Leave()
		v.metrics.UpgradesRefused.WithLabelValues("draining").Inc()
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, err := v.upgrader.Upgrade(&hijacker{ResponseWriter: w, socket: s}, r, chosen(r))
	if err != nil { // answered by the upgrader
		v.metrics.UpgradesRefused.WithLabelValues("handshake").Inc()
		v.forget(s)
		v.readers.Done()
		return
	}
	s.start()
	// Detached from the request: its goroutine, buffers and context end here, the socket's is small.
	go s.serve()
}

// admit says whether a client may have its socket, and answers it where it may not. The address comes first:
// who is turned away by it must not cost a signature.
func (v *Server) admit(s *Socket, w http.ResponseWriter, r *http.Request) bool {
	if v.opts.Guard != nil {
		var refused *bounds.Refused
		if s.guest, refused = v.opts.Guard.Connect(peer.Address(r)); refused != nil {
			v.tooMuch(s, w, refused)
			return false
		}
	}
	query := r.URL.Query()
	var err error
	if s.version, err = phoenix.ParseVersion(query.Get("vsn"), query.Has("vsn")); err != nil {
		s.suspect(telemetry.SecurityVersion, "vsn", query.Get("vsn"))
		v.refuse(w, "version")
		return false
	}
	if !originAllowed(r, v.opts.AllowedOrigins) {
		s.suspect(telemetry.SecurityOrigin, "origin", r.Header.Get("Origin"), "host", r.Host)
		v.refuse(w, "origin")
		return false
	}
	if v.opts.Connect == nil {
		return true
	}
	identity, err := v.opts.Connect(r)
	if err != nil {
		s.suspect(telemetry.SecurityToken, "error", err.Error())
		v.refuse(w, "token")
		return false
	}
	s.identity = identity
	if refused := s.guest.Identify(s.user()); refused != nil {
		v.tooMuch(s, w, refused)
		return false
	}
	return true
}

// tooMuch answers an address or a user that has too much: they may come back.
func (v *Server) tooMuch(s *Socket, w http.ResponseWriter, why *bounds.Refused) {
	s.suspect(telemetry.SecurityLimit, "limit", why.Why)
	v.metrics.UpgradesRefused.WithLabelValues(why.Why).Inc()
	w.Header().Set("Retry-After", strconv.Itoa(why.Seconds()))
	w.WriteHeader(http.StatusTooManyRequests)
}

// refuse answers with 403 and nothing else, as the original does.
func (v *Server) refuse(w http.ResponseWriter, why string) {
	v.metrics.UpgradesRefused.WithLabelValues(why).Inc()
	w.WriteHeader(http.StatusForbidden)
}

func (v *Server) add(s *Socket) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.draining {
		return false
	}
	v.readers.Add(1)
	v.sockets[s] = struct{}{}
	return true
}

func (v *Server) forget(s *Socket) {
	v.ends.remove(s)
	s.guest.Leave()
	v.mu.Lock()
	delete(v.sockets, s)
	v.mu.Unlock()
}

// remove ends the bookkeeping of a socket whose reader is gone.
func (v *Server) remove(s *Socket, code CloseCode) {
	v.forget(s)
	v.metrics.Sockets.Dec()
	v.metrics.SocketsClosed.WithLabelValues(codeLabel(code)).Inc()
	v.readers.Done()
}

// start takes over an upgraded connection. Nothing of the upgrade is kept but the connection itself.
func (s *Socket) start() {
	v := s.server
	if c, ok := s.net.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.input.decoder.limit = int(v.opts.MaxFrameBytes)
	s.input.attempt = s.attemptRead
	s.alive(time.Now())
	v.metrics.SocketsOpened.Inc()
	v.metrics.Sockets.Inc()
	s.started.Store(true)
	v.ends.add(s)
	v.mu.Lock()
	draining := v.draining
	v.mu.Unlock()
	if draining {
		s.Close(restartWithin(waveEvery))
	}
}

// drainFor bounds how long, and drainBytes how much, is read from a client that was told to go.
const (
	drainFor   = time.Second
	drainBytes = 4 << 20
)

// drain reads and forgets what a client that was told to go still sends: closing a connection with
// unread bytes resets it, and a reset may overtake the close frame.
func (v *Server) drain(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(drainFor))
	_, _ = io.CopyN(io.Discard, c, drainBytes)
}

// hijacker keeps the connection that the upgrade takes over.
type hijacker struct {
	http.ResponseWriter
	socket *Socket
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err == nil {
		h.socket.net = conn
	}
	return conn, rw, err
}
