// Package process starts the servers that are measured, as processes of their own on free ports, and
// reads from /proc what they use.
package process

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a server that runs.
type Process struct {
	Name string
	Addr string // host:port that it serves
	Pid  int

	admin   string
	ready   func() bool
	environ []string
	binary  string
	args    []string
	log     io.Writer // beside the first words that an error quotes

	said   *limited
	cmd    *exec.Cmd
	exited chan struct{}
}

// start starts a process and waits until it is ready.
func start(p *Process) (*Process, error) {
	if err := p.launch(); err != nil {
		return nil, err
	}
	if err := p.awaitReady(); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Process) launch() error {
	p.cmd = exec.Command(p.binary, p.args...)
	p.cmd.Env = append(os.Environ(), p.environ...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we end it
	p.said = &limited{left: 4096}
	p.cmd.Stderr = p.said
	if p.log != nil {
		p.cmd.Stderr = io.MultiWriter(p.said, p.log)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.Pid = p.cmd.Process.Pid
	cmd, exited := p.cmd, make(chan struct{})
	p.exited = exited
	go func() { _ = cmd.Wait(); close(exited) }() // Stop and Kill wait for it
	return nil
}

func (p *Process) awaitReady() error {
	for deadline := time.Now().Add(15 * time.Second); ; {
		if p.ready() {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended at once: %s", p.Name, p.said)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after 15 s: %s", p.Name, p.said)
		}
	}
}

// limited keeps the first bytes that are written to it.
type limited struct {
	mu   sync.Mutex
	text []byte
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(p), l.left)
	l.left -= n
	l.text = append(l.text, p[:n]...)
	return len(p), nil
}

func (l *limited) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// Redis starts a redis-server that keeps nothing.
func Redis() (*Process, error) {
	p, err := redis("--appendonly", "no", "--logfile", "/dev/null")
	if err != nil {
		return nil, err
	}
	p.ready = func() bool { return listening(p.Addr) }
	return start(p)
}

func redis(args ...string) (*Process, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed")
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	args = append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--daemonize", "no"}, args...)
	return &Process{Name: "redis", Addr: addr, binary: binary, args: args}, nil
}

// Edge starts an edge of Helix on a Redis.
func Edge(binary, id string, redis *Process, environ ...string) (*Process, error) {
	return EdgeAt(binary, id, "redis://"+redis.Addr+"/0", nil, environ...)
}

// EdgeAt starts an edge of Helix on the Redis of a URL; log, if not nil, gets what it says.
func EdgeAt(binary, id, redisURL string, log io.Writer, environ ...string) (*Process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	environ = append([]string{
		"HELIX_HTTP_ADDR=" + addr, "HELIX_ADMIN_ADDR=" + admin, "HELIX_NODE_ID=" + id, "HELIX_REDIS_URL=" + redisURL,
		"HELIX_SOCKET_ALLOWED_ORIGINS=*", "HELIX_LOG_LEVEL=warn",
		// All clients come from one address here. What they cost is counted, but nothing is refused.
		"HELIX_ADDRESS_MAX_SOCKETS=1000000", "HELIX_ADDRESS_SOCKET_RATE=1000000", "HELIX_ADDRESS_JOIN_RATE=1000000",
		"HELIX_ADDRESS_REQUEST_RATE=1000000", "HELIX_SOCKET_MESSAGE_RATE=1000000", "HELIX_HTTP_MAX_CONNECTIONS=1000000",
	}, environ...)
	return start(&Process{
		Name: id, Addr: addr, admin: admin, binary: binary, environ: environ, log: log,
		ready: func() bool { return answers("http://" + addr + "/readyz") },
	})
}

// Floor starts the bare server that everything is held against: this program's own command.
func Floor() (*Process, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return start(&Process{
		Name: "floor", Addr: addr, admin: addr, binary: binary, args: []string{"floor", "--addr", addr},
		ready: func() bool { return listening(addr) },
	})
}

// Stop ends the process and waits for it. It says whether it ended by itself, and was not killed for
// taking longer than 15 s.
func (p *Process) Stop() (byItself bool) {
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may be paused
	_, byItself = p.Terminate(15 * time.Second)
	return byItself
}

// Terminate asks the process to end (SIGTERM) and waits for that. It gives the exit code, and whether the
// process ended by itself: past the grace period it is killed.
func (p *Process) Terminate(grace time.Duration) (code int, byItself bool) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
		byItself = true
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	return p.cmd.ProcessState.ExitCode(), byItself
}

// CPU is the time that the process has used, user and system. The kernel counts in steps of 10 ms.
func (p *Process) CPU() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Resident is the memory that the process has in RAM, in bytes.
func (p *Process) Resident() int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// Collect has a Go server collect its garbage, through its pprof handler.
func (p *Process) Collect() { _ = answers("http://" + p.admin + "/debug/pprof/heap?gc=1") }

func listening(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func answers(url string) bool {
	status, _, err := get(url)
	return err == nil && status == http.StatusOK
}

// pages keeps no connection open: a server that is asked how many goroutines it has counts those too.
var pages = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

func get(url string) (status int, body string, err error) {
	response, err := pages.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
