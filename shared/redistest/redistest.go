// Package redistest starts real redis-servers for tests: one, a Cluster of three masters, or the
// embedded stand-in, each on free ports and ended with its test.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server process of its own.
type Server struct {
	Addr string
	URL  string

	args   []string
	log    string
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a redis-server that ends with the test; args are further settings, as on its command
// line. Without persistence, unless args ask for it.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test needs redis-server (Debian: apt-get install redis-server): %v", err)
	}
	dir := t.TempDir()
	for attempt := 0; ; attempt++ {
		port := freePort(t)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		s := &Server{Addr: addr, URL: "redis://" + addr + "/0", log: filepath.Join(dir, "redis.log")}
		s.args = append([]string{
			binary, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir, "--logfile", s.log,
			"--save", "", "--appendonly", "no", "--cluster-port", strconv.Itoa(freePort(t)),
		}, args...)
		err := s.Run()
		if err == nil {
			t.Cleanup(s.Kill)
			return s
		}
		if attempt == 4 {
			log, _ := os.ReadFile(s.log)
			t.Fatalf("start redis-server: %v\n%s", err, log)
		}
	}
}

// Run starts the process again after Kill, on the same port, and waits until it answers.
func (s *Server) Run() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd = exec.Command(s.args[0], s.args[1:]...) //nolint:gosec // a test starts what it names
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	cmd := s.cmd
	go func() { _ = cmd.Wait(); close(exited) }()

	client := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if client.Ping(ctx).Err() == nil {
			return nil
		}
		select {
		case <-exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			return ctx.Err()
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

func (s *Server) signal(sig syscall.Signal, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Signal(sig)
	if wait {
		<-s.exited
	}
}

// Client gives a connection to the server that ends with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// StartCluster starts three masters that share the slots and gives the cluster's URL.
func StartCluster(t testing.TB) (url string, servers []*Server) {
	t.Helper()
	const masters, slots = 3, 16384
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	clients := make([]*redis.Client, masters)
	for i := range masters {
		s := Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
		servers = append(servers, s)
		clients[i] = s.Client(t)
		must(t, "set the config epoch", clients[i].Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		from, to := i*slots/masters, (i+1)*slots/masters-1
		must(t, "add slots", clients[i].ClusterAddSlotsRange(ctx, from, to).Err())
	}
	for i := 1; i < masters; i++ {
		host, port, _ := net.SplitHostPort(servers[i].Addr)
		bus := clusterPort(servers[i])
		must(t, "meet", clients[0].Do(ctx, "CLUSTER", "MEET", host, port, bus).Err())
	}
	for _, c := range clients {
		for {
			info, err := c.ClusterInfo(ctx).Result()
			must(t, "wait for the cluster", err)
			nodes, err := c.ClusterShards(ctx).Result()
			if ready(info) && err == nil && len(nodes) == masters {
				break
			}
			time.Sleep(20 * time.Millisecond) // between two looks at a condition with a deadline
		}
	}
	return fmt.Sprintf("redis-cluster://%s,%s,%s", servers[0].Addr, servers[1].Addr, servers[2].Addr), servers
}

func ready(info string) bool {
	return len(info) > 16 && info[:16] == "cluster_state:ok"
}

func clusterPort(s *Server) string {
	for i, a := range s.args {
		if a == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, "find a free port", err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// MoveSlot moves the slot of a key, which must hold none, from its master to another one.
func MoveSlot(t testing.TB, servers []*Server, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	clients := make([]*redis.Client, len(servers))
	ids := make([]string, len(servers))
	for i, s := range servers {
		clients[i] = s.Client(t)
		id, err := clients[i].Do(ctx, "CLUSTER", "MYID").Text()
		must(t, "ask for a node's id", err)
		ids[i] = id
	}
	slot, err := clients[0].ClusterKeySlot(ctx, key).Result()
	must(t, "find the key's slot", err)
	from := int(slot) * len(servers) / 16384
	to := (from + 1) % len(servers)
	must(t, "import the slot", clients[to].Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from]).Err())
	must(t, "migrate the slot", clients[from].Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to]).Err())
	for _, i := range []int{to, from} {
		must(t, "give the slot", clients[i].Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", ids[to]).Err())
	}
}
