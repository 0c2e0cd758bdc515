// Package servers starts real redis-servers as people run them, as processes of their own on free ports of
// the loopback: one, with replicas and sentinels, or a Cluster; with TLS and with a user of few rights. It
// knows no test: redistest does.
package servers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// The client's own log says on standard error what every call returns as an error anyway.
func init() { logging.Disable() }

// Server is a redis-server process of its own.
type Server struct {
	Name   string // a folder of this name holds its data and its log
	Addr   string // host:port
	Socket string // path of its Unix socket, where it has one

	access *access
	args   []string
	log    string
	bus    int // Cluster's second port
	admin  *redis.Client

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// access is how the servers of one Redis let others in: each other, and whoever administers them.
type access struct {
	password string // of the default user, who may do everything; empty: nobody is asked
	tls      *tls.Config
}

func (a *access) options(addr string) *redis.Options {
	return &redis.Options{
		Addr: addr, Password: a.password, TLSConfig: a.tls, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: time.Second, ReadTimeout: 10 * time.Second, ContextTimeoutEnabled: true, PoolSize: 4,
	}
}

func binary() (string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("this needs redis-server (Debian: apt-get install redis-server): %w", err)
	}
	return path, nil
}

// newServer prepares a server on a free port, in a folder of its own.
func newServer(dir, name string, a *access) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, name)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil { // it begins empty
		return nil, fmt.Errorf("make a folder for a Redis: %w", err)
	}
	s := &Server{Name: name, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), access: a, log: filepath.Join(dir, "redis.log")}
	s.admin = redis.NewClient(a.options(s.Addr))
	return s, nil
}

// Dir is the folder of its data.
func (s *Server) Dir() string { return filepath.Dir(s.log) }

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// Admin is a connection of the user who may do everything.
func (s *Server) Admin() *redis.Client { return s.admin }

// Run starts the process, at first or again after Kill, on the same port, and waits until it answers; it
// may still read its data then.
func (s *Server) Run() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	exited := make(chan struct{})
	s.exited = exited
	cmd := s.cmd
	go func() { _ = cmd.Wait(); close(exited) }() // Kill waits for it

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		err := s.admin.Ping(ctx).Err()
		var reply redis.Error
		if err == nil || errors.As(err, &reply) && !redis.IsLoadingError(err) && !redis.IsAuthError(err) {
			return nil
		}
		select {
		case <-exited:
			log, _ := os.ReadFile(s.log)
			return fmt.Errorf("%s ended at once:\n%s", s.Name, log)
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			return fmt.Errorf("%s does not answer: %w", s.Name, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Kill ends the process as a crash would.
func (s *Server) Kill() { s.signal(syscall.SIGKILL, true) }

// Pause stops the process without ending its connections.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP, false) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT, false) }

// Alive says whether the process has not ended.
func (s *Server) Alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.exited:
		return false
	default:
		return s.cmd != nil
	}
}

func (s *Server) signal(sig syscall.Signal, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.exited == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	if wait {
		<-s.exited
	}
}

func (s *Server) stop() {
	s.Kill()
	_ = s.admin.Close()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// until waits for a condition with a deadline.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	for {
		ok, err := holds()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not in time: %w", what, errors.Join(err, ctx.Err()))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
