package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificates are an authority and what it gave: to the servers, who are 127.0.0.1, localhost and any
// further name, and to a client.
type Certificates struct {
	CAFile                  string
	serverCert, serverKey   string
	ClientCert, ClientKey   string
	authority               *x509.Certificate
	key                     *ecdsa.PrivateKey
	serverTLS               *tls.Config // of who administers the servers
	serial                  int64
	notBefore, notAfterTime time.Time
}

// NewCertificates makes certificates and writes them to a folder; names are further names of the servers.
func NewCertificates(dir string, names ...string) (*Certificates, error) {
	c := &Certificates{
		CAFile: filepath.Join(dir, "ca.pem"), serverCert: filepath.Join(dir, "server.pem"), serverKey: filepath.Join(dir, "server.key"),
		ClientCert: filepath.Join(dir, "client.pem"), ClientKey: filepath.Join(dir, "client.key"),
		notBefore: time.Now().Add(-time.Hour), notAfterTime: time.Now().Add(24 * time.Hour),
	}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Helix test authority"}, NotBefore: c.notBefore, NotAfter: c.notAfterTime,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &c.key.PublicKey, c.key)
	if err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	if c.authority, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	err = errors.Join(
		writePEM(c.CAFile, "CERTIFICATE", der),
		c.give(c.serverCert, c.serverKey, "redis", append([]string{"localhost"}, names...)),
		c.give(c.ClientCert, c.ClientKey, "edge", nil),
	)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("read the client's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c.authority)
	c.serverTLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return c, nil
}

// give writes a certificate that is good for servers and for clients: Redis's own connections are both.
func (c *Certificates) give(certFile, keyFile, name string, names []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	c.serial++
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1 + c.serial), Subject: pkix.Name{CommonName: name}, NotBefore: c.notBefore, NotAfter: c.notAfterTime,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if len(names) > 0 {
		t.DNSNames, t.IPAddresses = names, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, c.authority, &key.PublicKey, c.key)
	if err != nil {
		return fmt.Errorf("make the certificate of %s: %w", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key of %s: %w", name, err)
	}
	return errors.Join(writePEM(certFile, "CERTIFICATE", der), writePEM(keyFile, "PRIVATE KEY", private))
}

func writePEM(file, kind string, der []byte) error {
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("write a certificate: %w", err)
	}
	return nil
}
