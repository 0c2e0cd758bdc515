package process

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What one does to a process to see what the others make of it. One goroutine at a time does it.

// Kill ends the process at once (SIGKILL) and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Pause stops the process without its knowing it (SIGSTOP), until Continue.
func (p *Process) Pause() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a paused process go on.
func (p *Process) Continue() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// Restart starts the process again, with the same port and directory, after it ended. It does not wait
// until it is ready.
func (p *Process) Restart() error { return p.launch() }

// Alive says whether the process has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// AwaitReady waits until the process serves, or has ended, or 15 s are over.
func (p *Process) AwaitReady() error { return p.awaitReady() }

// Goroutines asks a Go server, through its pprof handler, how many goroutines it has.
func (p *Process) Goroutines() (int, error) {
	body, err := p.adminPage("/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	var n int
	if _, err := fmt.Sscanf(body, "goroutine profile: total %d", &n); err != nil {
		return 0, fmt.Errorf("read the goroutines of %s: %w", p.Name, err)
	}
	return n, nil
}

// Metric asks an edge for one of its numbers that has no labels.
func (p *Process) Metric(name string) (float64, error) {
	body, err := p.adminPage("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", p.Name, name)
}

// adminPage gives a page of the process's admin listener.
func (p *Process) adminPage(path string) (string, error) {
	status, body, err := get("http://" + p.admin + path)
	if err == nil && status != 200 {
		err = fmt.Errorf("%s answers %s with %d", p.Name, path, status)
	}
	return body, err
}

// Log opens the file in a directory that a process's words go to, across its restarts.
func Log(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	return f, nil
}

// CloseSession asks an edge to end a flow's session everywhere, and says whether it did.
func (p *Process) CloseSession(flow string) bool {
	request, err := http.NewRequest(http.MethodDelete, "http://"+p.Addr+"/api/flows/"+url.PathEscape(flow)+"/session", nil)
	if err != nil {
		return false
	}
	response, err := pages.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
