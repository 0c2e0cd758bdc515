package monitoring

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"helix/shared/redistest"
)

// process starts a program that ends with the test.
func process(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// startEdge builds and starts an edge, and gives the addresses of its listeners.
func startEdge(t *testing.T, environ ...string) (public, admin string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "helix")
	if out, err := exec.Command("go", "build", "-o", binary, "helix/edge").CombinedOutput(); err != nil {
		t.Fatalf("build the edge: %v\n%s", err, out)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "HELIX_HTTP_ADDR=127.0.0.1:0", "HELIX_ADMIN_ADDR=127.0.0.1:0", "HELIX_LOG_FORMAT=json", "HELIX_NODE_ID=edge-a")
	cmd.Env = append(cmd.Env, environ...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var rest sync.WaitGroup
	t.Cleanup(rest.Wait) // after the process has ended
	process(t, cmd)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct{ Msg, HTTP, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "the edge is up" {
			rest.Go(func() { _, _ = io.Copy(io.Discard, stderr) })
			return line.HTTP, line.Admin
		}
	}
	t.Fatal("the edge did not start")
	return "", ""
}

// prometheus is a Prometheus with the rules, that scrapes every second.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	binary, dir := tool(t, "prometheus"), t.TempDir()
	rules, err := filepath.Abs("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n- job_name: helix\n  static_configs: [{targets: [%q]}]\n", rules, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	process(t, exec.Command(binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=error"))
	return &prometheus{t, "http://" + addr}
}

// get asks the HTTP API; an error is the server's, in its words.
func (p *prometheus) get(path string, query url.Values, data any) error {
	response, err := http.Get(p.url + "/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s", answer.Error)
	}
	return nil
}

// query gives how many series a query has.
func (p *prometheus) query(expr string) (int, error) {
	var data struct{ Result []json.RawMessage }
	err := p.get("query", url.Values{"query": {expr}}, &data)
	return len(data.Result), err
}

func (p *prometheus) list(path string) (names []string) {
	p.t.Helper()
	if err := p.get(path, nil, &names); err != nil {
		p.t.Fatal(err)
	}
	return names
}

// await waits until a query has a result.
func (p *prometheus) await(expr string) {
	p.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		n, err := p.query(expr)
		if err == nil && n > 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s has no result: %v", expr, err)
		}
	}
}

// traffic is clients of an edge until the test ends: who changes, who is refused, who goes.
func traffic(t *testing.T, public string) {
	t.Helper()
	socket := "ws://" + public + "/socket/websocket?vsn="
	if _, _, err := websocket.DefaultDialer.Dial(socket+"9.0.0", nil); err == nil {
		t.Fatal("an unknown version was taken")
	}
	if response, err := http.Post("http://"+public+"/api/flows/f/changes", "text/plain", nil); err != nil || response.Body.Close() != nil || response.StatusCode < 400 {
		t.Fatalf("a change that is none was taken: %v %v", response, err)
	}
	dial := func() *websocket.Conn {
		conn, _, err := websocket.DefaultDialer.Dial(socket+"2.0.0", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.WriteMessage(websocket.TextMessage, []byte(`["1","1","flow:f","phx_join",{}]`)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	_ = dial().Close()
	conn := dial()
	var running sync.WaitGroup
	stop := make(chan struct{})
	running.Go(func() {
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	})
	running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 2; ; i++ {
			for _, changes := range []string{`{"n":1}`, `[]`} {
				if conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `["1","%d","flow:f","flow_change",{"changes":%s}]`, i, changes)) != nil {
					return
				}
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	t.Cleanup(func() { close(stop); _ = conn.Close(); running.Wait() })
}

var (
	texts     = regexp.MustCompile(`"[^"]*"`)
	selectors = regexp.MustCompile(`\{([^}]*)\}`)
	groupings = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	ranges    = regexp.MustCompile(`\[[^\]]*\]`)
	words     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
	labelOf   = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)
	numbers   = regexp.MustCompile(`\b[0-9][0-9a-z.]*`)
)

// namesIn gives the metrics and the labels that a query names.
func namesIn(expr string) (metrics, labels []string) {
	expr = texts.ReplaceAllString(expr, "")
	for _, m := range selectors.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, labelOf.FindAllString(m[1], -1)...)
	}
	expr = selectors.ReplaceAllString(expr, "")
	for _, m := range groupings.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, labelOf.FindAllString(m[1], -1)...)
	}
	expr = groupings.ReplaceAllString(expr, "")
	expr = numbers.ReplaceAllString(ranges.ReplaceAllString(expr, ""), "")
	for _, word := range words.FindAllString(expr, -1) {
		if word = strings.TrimSpace(word); !strings.HasSuffix(word, "(") && !slices.Contains([]string{"and", "or", "unless", "bool", "offset"}, word) {
			metrics = append(metrics, word)
		}
	}
	return metrics, labels
}

func TestNamesIn_findsWhatAQueryNames(t *testing.T) {
	t.Parallel()
	metrics, labels := namesIn(`60 * sum by (job, instance) (rate(helix_a_total{reason!~"x|y", job="z"}[5m])) > 0.5 * instance:b:p99 and on (c) d == 1e3 or vector(0)`)
	if !slices.Equal(metrics, []string{"helix_a_total", "instance:b:p99", "d"}) || !slices.Equal(labels, []string{"reason", "job", "job", "instance", "c"}) {
		t.Fatal(metrics, labels)
	}
}

// Every query runs, names only what an edge tells, and every panel shows something.
func TestQueries_runOnARealEdge(t *testing.T) {
	t.Parallel()
	public, admin := startEdge(t, "HELIX_REDIS_URL="+redistest.Start(t).URL, "HELIX_TRACE_OTLP_ENDPOINT=http://127.0.0.1:1", "HELIX_TRACE_SAMPLE=1")
	p := startPrometheus(t, admin)
	traffic(t, public)
	p.await(`count_over_time(helix_sockets_closed_total[1m]) >= 4 and on (instance) helix_deliveries_total > 0`)
	p.await(`rate(helix_redis_script_seconds_count{script="change"}[30s]) > 0`)
	p.await(`instance:helix_delivery_lag_seconds:p99_rate5m >= 0`)

	metrics, labels := p.list("label/__name__/values"), p.list("labels")
	metrics = append(metrics, "ALERTS") // there while one is
	labels = append(labels, "alertname", "alertstate")
	check := func(where, expr string, shows bool) {
		t.Helper()
		usedMetrics, usedLabels := namesIn(expr)
		for _, name := range usedMetrics {
			if !slices.Contains(metrics, name) {
				t.Errorf("%s: an edge has no metric %s", where, name)
			}
		}
		for _, name := range usedLabels {
			if !slices.Contains(labels, name) {
				t.Errorf("%s: an edge has no label %s", where, name)
			}
		}
		switch n, err := p.query(expr); {
		case err != nil:
			t.Errorf("%s: %s\n%v", where, expr, err)
		case n == 0 && shows:
			t.Errorf("%s shows nothing: %s", where, expr)
		}
	}
	for _, r := range readRules(t) {
		check(r.Alert+r.Record, r.Expr, r.Record != "")
	}
	filled := strings.NewReplacer("$__rate_interval", "30s", "$job", "helix", "$instance", ".*")
	d := readDashboard(t)
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			expr := filled.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%q has a variable that the dashboard has not: %s", panel.Title, expr)
			}
			check(fmt.Sprintf("panel %q", panel.Title), expr, true)
		}
	}
	for _, a := range d.Annotations.List {
		check("an annotation", filled.Replace(a.Expr), false)
	}
	for _, v := range d.Templating.List {
		of, ok := strings.CutPrefix(v.Definition, "label_values(")
		metric, label, both := strings.Cut(strings.TrimSuffix(filled.Replace(of), ")"), ", ")
		if v.Type != "query" {
			continue
		}
		if n, err := p.query("count by (" + label + ") (" + metric + ")"); !ok || !both || err != nil || n == 0 {
			t.Errorf("the variable %s has no values: %v", v.Name, err)
		}
	}

	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	if err := p.get("rules", nil, &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" || r.State == "firing" {
				t.Errorf("%s is %s, %s: %s", r.Name, r.Health, r.State, r.LastError)
			}
		}
	}
}
