// Package client is the other end of the wire, made to cost little: a load generator shares its
// machine with the server that it measures. It speaks WebSocket by hand over a TCP connection, and
// Phoenix Channels with ids of its own.
package client

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Conn is a WebSocket to a server, without extensions.
type Conn struct {
	net    net.Conn
	reader *bufio.Reader
	buf    []byte

	// WriteTimeout bounds each Send; 0: none. Set before the first.
	WriteTimeout time.Duration

	mu    sync.Mutex
	write []byte
}

const handshakeTimeout = 20 * time.Second

var longAgo = time.Unix(1, 0)

// Dial opens a WebSocket. from is the address to come from, empty for any: one address has some
// 28,000 ports.
func Dial(ctx context.Context, rawURL, from string) (*Conn, error) {
	return dial(ctx, rawURL, from, nil)
}

func dial(ctx context.Context, rawURL, from string, pace *Pace) (*Conn, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("parse %q: %w", rawURL, err)
	}
	d := net.Dialer{Timeout: handshakeTimeout}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	if pace != nil {
		d.Control = fewBuffers
	}
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", u.Host, err)
	}
	if pace != nil {
		conn = &slowConn{conn, pace}
	}
	c := &Conn{net: conn, reader: bufio.NewReaderSize(conn, 2048)}
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(longAgo) })
	if err := c.handshake(u); err != nil || !stop() {
		_ = conn.Close()
		if err == nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return c, nil
}

func (c *Conn) handshake(u *url.URL) error {
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	request := "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
		base64.StdEncoding.EncodeToString(key) + "\r\n\r\n"
	if _, err := io.WriteString(c.net, request); err != nil {
		return fmt.Errorf("ask for the upgrade: %w", err)
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return fmt.Errorf("read the answer to the upgrade: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the upgrade was answered with %s", response.Status)
	}
	return c.net.SetDeadline(time.Time{})
}

// Close ends the connection without a word.
func (c *Conn) Close() error { return c.net.Close() }

// SetReadDeadline bounds the next reads.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.net.SetReadDeadline(t) }

// Send sends one text message. It is safe for concurrent use.
func (c *Conn) Send(message []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.write[:0]
	b = append(b, 0x81)
	switch n := len(message); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0) // a mask of zeros: as good as any against a server that one trusts
	b = append(b, message...)
	if c.WriteTimeout > 0 {
		_ = c.net.SetWriteDeadline(time.Now().Add(c.WriteTimeout))
	}
	_, err := c.net.Write(b)
	if c.write = b; cap(b) > 64<<10 {
		c.write = nil
	}
	return err
}

// CloseError is a close frame that the server sent.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("closed with %d", e.Code) }

const maxMessage = 64 << 20

// Read gives the next text message; it is only lent. Pings are passed over: the servers measured here
// send none.
func (c *Conn) Read() ([]byte, error) {
	for {
		head, err := c.reader.Peek(2)
		if err != nil {
			return nil, err
		}
		opcode, n := head[0]&15, uint64(head[1]&127)
		size := 2
		switch n {
		case 126:
			size = 4
		case 127:
			size = 10
		}
		if size > 2 {
			if head, err = c.reader.Peek(size); err != nil {
				return nil, err
			}
			if size == 4 {
				n = uint64(binary.BigEndian.Uint16(head[2:]))
			} else if n = binary.BigEndian.Uint64(head[2:]); n > maxMessage {
				return nil, fmt.Errorf("a message of %d bytes", n)
			}
		}
		_, _ = c.reader.Discard(size)
		payload, err := c.payload(int(n))
		if err != nil {
			return nil, err
		}
		switch opcode {
		case 1:
			return payload, nil
		case 8:
			closed := &CloseError{Code: 1005}
			if len(payload) >= 2 {
				closed.Code, closed.Reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			return nil, closed
		}
	}
}

// payload reads n bytes: out of the buffer where they fit, so that an idle connection has no other.
func (c *Conn) payload(n int) ([]byte, error) {
	if n <= c.reader.Size() {
		b, err := c.reader.Peek(n)
		if err == nil {
			_, err = c.reader.Discard(n)
		}
		return b, err
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	_, err := io.ReadFull(c.reader, c.buf[:n])
	return c.buf[:n], err
}
