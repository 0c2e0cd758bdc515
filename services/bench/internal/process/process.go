// Package process starts the servers that are measured, as processes of their own on free ports, and
// reads from /proc what they use.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a server that runs.
type Process struct {
	Name string
	Addr string // host:port that it serves
	Pid  int

	admin  string
	cmd    *exec.Cmd
	exited chan struct{}
}

func start(name, addr string, ready func() bool, environ []string, binary string, args ...string) (*Process, error) {
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we end it
	var log strings.Builder
	cmd.Stderr = &limited{w: &log, left: 4096}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{Name: name, Addr: addr, Pid: cmd.Process.Pid, cmd: cmd, exited: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.exited) }() // Stop waits for it
	for deadline := time.Now().Add(15 * time.Second); ; {
		if ready() {
			return p, nil
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("%s ended at once: %s", name, log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.Stop()
			return nil, fmt.Errorf("%s is not ready after 15 s: %s", name, log.String())
		}
	}
}

type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, _ = l.w.Write(p[:n])
	return len(p), nil
}

// Redis starts a redis-server that keeps nothing.
func Redis() (*Process, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed")
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	return start("redis", addr, func() bool { return listening(addr) }, nil, binary, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", "/dev/null")
}

// Edge starts an edge of Helix on a Redis.
func Edge(binary, id string, redis *Process, environ ...string) (*Process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	environ = append([]string{
		"HELIX_HTTP_ADDR=" + addr, "HELIX_ADMIN_ADDR=" + admin, "HELIX_NODE_ID=" + id, "HELIX_REDIS_URL=redis://" + redis.Addr + "/0",
		"HELIX_SOCKET_ALLOWED_ORIGINS=*", "HELIX_LOG_LEVEL=warn",
	}, environ...)
	p, err := start(id, addr, func() bool { return answers("http://" + addr + "/readyz") }, environ, binary)
	if p != nil {
		p.admin = admin
	}
	return p, err
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
	p, err := start("floor", addr, func() bool { return listening(addr) }, nil, binary, "floor", "--addr", addr)
	if p != nil {
		p.admin = addr
	}
	return p, err
}

// Stop ends the process and waits for it.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
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
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
