package lanes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// TLS says whom to believe to be Redis, and how to prove who we are. It counts for URLs that begin with
// rediss. The files are read anew for each connection, so they may be renewed.
type TLS struct {
	CAFile   string // PEM; empty: the system's authorities
	CertFile string // PEM, with KeyFile, where Redis asks for a certificate
	KeyFile  string
	// ServerName that Redis's certificates must bear. Empty: the name by which a server is reached; one that
	// is reached by its address, as Cluster and Sentinel tell it, may also bear the name in the URL.
	ServerName string
}

// dialer connects to the servers of one URL.
type dialer struct {
	net        net.Dialer
	secure     bool
	skipVerify bool
	tls        TLS
	name       string // host in the URL, the first of them
}

func newDialer(t target, o TLS, timeout time.Duration) (*dialer, error) {
	d := &dialer{
		net:    net.Dialer{Timeout: timeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}},
		secure: t.secure, skipVerify: t.skipVerify, tls: o,
	}
	if !d.secure {
		if o != (TLS{}) {
			return nil, errors.New("there are settings for TLS, but the Redis URL does not begin with rediss")
		}
		return d, nil
	}
	d.name, _, _ = net.SplitHostPort(t.addrs[0])
	if _, err := d.config(t.addrs[0]); err != nil {
		return nil, fmt.Errorf("prepare TLS to Redis: %w", err)
	}
	return d, nil
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.net.DialContext(ctx, network, addr)
	if err != nil || !d.secure {
		return conn, err
	}
	config, err := d.config(addr)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("prepare TLS to Redis: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, d.net.Timeout)
	defer cancel()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS handshake with Redis at %s: %w", addr, err)
	}
	return secured, nil
}

// Check says what is wrong with the files.
func (o TLS) Check() error {
	_, err := o.config()
	return err
}

func (o TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.CAFile)
		}
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read our certificate and its key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// config is for one connection.
func (d *dialer) config(addr string) (*tls.Config, error) {
	c, err := d.tls.config()
	if err != nil {
		return nil, err
	}
	c.InsecureSkipVerify = d.skipVerify
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		c.ServerName = host
		if net.ParseIP(host) != nil && net.ParseIP(d.name) == nil && !d.skipVerify {
			c.ServerName = d.name
			c.InsecureSkipVerify = true // for VerifyConnection does it, for either name
			c.VerifyConnection = func(s tls.ConnectionState) error { return verifyEither(c.RootCAs, s, host, d.name) }
		}
	}
	return c, nil
}

// verifyEither is what crypto/tls does by itself for one name.
func verifyEither(roots *x509.CertPool, s tls.ConnectionState, names ...string) (err error) {
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	for _, o.DNSName = range names {
		if _, err = s.PeerCertificates[0].Verify(o); err == nil {
			return nil
		}
	}
	return err
}
