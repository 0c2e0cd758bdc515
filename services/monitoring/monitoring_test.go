// Package monitoring is what one watches Helix with: alert rules and a dashboard. It has no code but these
// tests, by which each rule is seen to fire, and each query is run by a Prometheus on a real edge.
package monitoring

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rule is one rule of alerts.yaml.
type rule struct {
	Alert       string
	Record      string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func readRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.Unmarshal(read(t, "alerts.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tool finds a program of Debian's package prometheus.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s (Debian: apt-get install prometheus): %v", name, err)
	}
	return path
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(tool(t, "promtool"), args...).CombinedOutput(); err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRules_passPromtool(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "--lint-fatal", "alerts.yaml")
	promtool(t, "check", "config", "prometheus.yml")
}

// The rules name the scrape job: so must who scrapes.
func TestPrometheus_scrapesTheEdges_underTheJobOfTheRules(t *testing.T) {
	t.Parallel()
	if !regexp.MustCompile(`(?m)job_name:\s*"?helix"?\s*$`).Match(read(t, "prometheus.yml")) {
		t.Error("prometheus.yml has no job with the name helix, which is the one that alerts.yaml asks about")
	}
}

var anchorForm = regexp.MustCompile(`[^a-z0-9 -]`)

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(anchorForm.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

func TestAlerts_sayWhatItIs_howBad_andWhatToDo(t *testing.T) {
	t.Parallel()
	var anchors []string
	_, runbook, _ := strings.Cut(string(read(t, "../../k8s/README.md")), "## Runbook\n")
	for line := range strings.Lines(runbook) {
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			anchors = append(anchors, anchor(strings.TrimSpace(heading)))
		}
	}
	seen := map[string]bool{}
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		if seen[r.Alert] {
			t.Errorf("%s is there twice", r.Alert)
		}
		seen[r.Alert] = true
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a summary or a description", r.Alert)
		}
		at, ok := strings.CutPrefix(r.Annotations["runbook_url"], "k8s/README.md#")
		if !ok || at != strings.ToLower(r.Alert) || !slices.Contains(anchors, at) {
			t.Errorf("%s: the runbook has no %q", r.Alert, r.Annotations["runbook_url"])
		}
	}
	for _, a := range anchors {
		if strings.HasPrefix(a, "helix") && !slices.ContainsFunc(readRules(t), func(r rule) bool { return strings.ToLower(r.Alert) == a }) {
			t.Errorf("the runbook has %s, which is no alert", a)
		}
	}
}

// series are samples 15 s apart, in promtool's notation, by the metric and its labels beside job and instance.
type series map[string]string

// Each alert in a case in which it fires and in one, as near as may be, in which it does not.
var alertCases = []struct {
	alert string
	at    string
	fires series
	quiet series
}{
	{"HelixNoEdges", "5m", series{"up": "0x40"}, series{"up": "1x40"}},
	{"HelixEdgeDown", "5m", series{"up": "0x40"}, series{"up": "1x8 0x6 1x40"}},
	{"HelixEdgeNotReady", "5m", series{"helix_ready": "0x40", "helix_draining": "0x40"}, series{"helix_ready": "0x40", "helix_draining": "1x40"}},
	{"HelixDrainStuck", "15m", series{"helix_draining": "1x80"}, series{"helix_draining": "0x40 1x30"}},
	{"HelixEdgeCrashLoop", "12m", series{"process_start_time_seconds": "100x10 200x10 300x10 400x40"}, series{"process_start_time_seconds": "100x10 200x60"}},
	{"HelixServiceRestarts", "5m", series{"helix_restarts_total service=flow": "0x10 1x40"}, series{"helix_restarts_total service=flow": "3x50"}},
	{"HelixVersionsMixed", "70m", series{"helix_build_info version=1": "1x300", "helix_build_info version=2": "1x300"}, series{"helix_build_info version=1": "1x10", "helix_build_info version=2": "1x300"}},

	{"HelixRedisUnavailable", "8m", series{"helix_redis_script_errors_total script=change": "0+9x60", "helix_redis_script_seconds_count script=change": "0+10x60"}, series{"helix_redis_script_errors_total script=change": "0+4x60", "helix_redis_script_seconds_count script=change": "0+10x60"}},
	{"HelixRedisErrors", "12m", series{"helix_redis_script_errors_total script=change": "0+1x60", "helix_redis_script_seconds_count script=change": "0+50x60"}, series{"helix_redis_script_errors_total script=change": "0+1x60", "helix_redis_script_seconds_count script=change": "0+500x60"}},
	{"HelixRedisSlow", "20m", series{"helix_redis_script_seconds_bucket le=0.1": "0+90x100", "helix_redis_script_seconds_bucket le=0.5": "0+100x100", "helix_redis_script_seconds_bucket le=+Inf": "0+100x100"}, series{"helix_redis_script_seconds_bucket le=0.1": "0+100x100", "helix_redis_script_seconds_bucket le=0.5": "0+100x100", "helix_redis_script_seconds_bucket le=+Inf": "0+100x100"}},
	{"HelixSubscriberReconnects", "12m", series{"helix_subscriber_reconnects_total": "0+1x60"}, series{"helix_subscriber_reconnects_total": "0x20 2x60"}},
	{"HelixRedisLostChanges", "5m", series{"helix_losses_total": "0x10 1x40"}, series{"helix_losses_total": "2x50"}},
	{"HelixEpochsChanged", "5m", series{"helix_restores_total": "0x10 1x40"}, series{"helix_restores_total": "2x50"}},
	{"HelixLeaseChurn", "18m", series{"helix_lease_losses_total": "0+3x100"}, series{"helix_lease_losses_total": "0+1x100"}},

	{"HelixDeliveryLate", "12m", series{"helix_delivery_lag_seconds_bucket le=1": "0+90x60", "helix_delivery_lag_seconds_bucket le=2.5": "0+100x60", "helix_delivery_lag_seconds_bucket le=+Inf": "0+100x60"}, series{"helix_delivery_lag_seconds_bucket le=1": "0+100x60", "helix_delivery_lag_seconds_bucket le=2.5": "0+100x60", "helix_delivery_lag_seconds_bucket le=+Inf": "0+100x60"}},
	{"HelixDeliveriesStopped", "12m", series{"helix_changes_total": "0+30x60", "helix_deliveries_total": "0x60", "helix_channels": "5x60"}, series{"helix_changes_total": "0+30x60", "helix_deliveries_total": "0+1x60", "helix_channels": "5x60"}},
	{"HelixGapsRepaired", "18m", series{"helix_gaps_total": "0+3x100"}, series{"helix_gaps_total": "0+1x100"}},
	{"HelixSlowClientsClosed", "12m", series{"helix_queue_overflows_total": "0+1x60"}, series{"helix_queue_overflows_total": "0x20 5x60"}},
	{"HelixMembersLag", "15m", series{"helix_lagging_members": "50x80", "helix_channels": "100x80"}, series{"helix_lagging_members": "50x80", "helix_channels": "5000x80"}},

	{"HelixRateLimited", "18m", series{"helix_refusals_total reason=rate_limited": "0+300x100"}, series{"helix_refusals_total reason=rate_limited": "0+30x100"}},
	{"HelixFlowsFull", "22m", series{"helix_refusals_total reason=max_clients_reached": "0+1x100"}, series{"helix_refusals_total reason=max_clients_reached": "3x100"}},
	{"HelixRefusals", "18m", series{"helix_refusals_total reason=invalid_changes": "0+150x100"}, series{"helix_refusals_total reason=unavailable": "0+150x100"}},
	{"HelixUpgradesRefused", "18m", series{"helix_upgrades_refused_total reason=origin": "0+60x100", "helix_sockets_opened_total": "0+15x100"}, series{"helix_upgrades_refused_total reason=origin": "0+60x100", "helix_sockets_opened_total": "0+1500x100"}},
	{"HelixReconnectStorm", "18m", series{"helix_sockets_opened_total": "0+150x100", "helix_sockets": "1000x100"}, series{"helix_sockets_opened_total": "0+150x100", "helix_sockets": "10000x100"}},

	{"HelixSocketsNearLimit", "10m", series{"process_open_fds": "900x60", "process_max_fds": "1000x60"}, series{"process_open_fds": "500x60", "process_max_fds": "1000x60"}},
	{"HelixMemoryNearLimit", "10m", series{"process_resident_memory_bytes": "95x60", "go_gc_gomemlimit_bytes": "100x60"}, series{"process_resident_memory_bytes": "95x60", "go_gc_gomemlimit_bytes": "9.223372036854775807e+18x60"}},
	{"HelixMemoryUnexplained", "20m", series{"process_resident_memory_bytes": "2000000000x90", "helix_sockets": "100x90", "helix_flows": "10x90"}, series{"process_resident_memory_bytes": "1500000000x90", "helix_sockets": "20000x90", "helix_flows": "10x90"}},
	{"HelixTracesFail", "22m", series{"helix_trace_spans_total outcome=failed": "0+5x100"}, series{"helix_trace_spans_total outcome=sent": "0+5x100"}},
}

type promtoolSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type promtoolSample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

type promtoolExpr struct {
	Expr    string           `yaml:"expr"`
	At      string           `yaml:"eval_time"`
	Samples []promtoolSample `yaml:"exp_samples"`
}

type promtoolTest struct {
	Name   string           `yaml:"name"`
	Every  string           `yaml:"interval"`
	Series []promtoolSeries `yaml:"input_series"`
	Exprs  []promtoolExpr   `yaml:"promql_expr_test"`
}

func promtoolCase(alert, at string, s series, fires bool) promtoolTest {
	test := promtoolTest{Name: alert, Every: "15s"}
	for of, values := range s {
		metric, label, _ := strings.Cut(of, " ")
		labels := `job="helix",instance="edge-a"`
		if name, value, ok := strings.Cut(label, "="); ok {
			labels += "," + name + `="` + value + `"`
		}
		test.Series = append(test.Series, promtoolSeries{metric + "{" + labels + "}", values})
	}
	expr := promtoolExpr{Expr: `count by (alertname) (ALERTS{alertname="` + alert + `",alertstate="firing"})`, At: at}
	if fires {
		expr.Samples = []promtoolSample{{`{alertname="` + alert + `"}`, 1}}
	}
	test.Exprs = []promtoolExpr{expr}
	return test
}

func TestAlerts_fire_andDoNot(t *testing.T) {
	t.Parallel()
	rules, err := filepath.Abs("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := struct {
		Rules []string       `yaml:"rule_files"`
		Every string         `yaml:"evaluation_interval"`
		Tests []promtoolTest `yaml:"tests"`
	}{[]string{rules}, "15s", nil}
	tested := map[string]int{}
	for _, c := range alertCases {
		tested[c.alert]++
		file.Tests = append(file.Tests, promtoolCase(c.alert, c.at, c.fires, true), promtoolCase(c.alert, c.at, c.quiet, false))
	}
	for _, r := range readRules(t) {
		if r.Alert != "" && tested[r.Alert] != 1 {
			t.Errorf("%s has %d cases", r.Alert, tested[r.Alert])
		}
		delete(tested, r.Alert)
	}
	if len(tested) > 0 {
		t.Errorf("cases of what is no alert: %v", tested)
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cases.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "test", "rules", path)
}

// dashboard is what is looked at of the dashboard's file.
type dashboard struct {
	UID         string
	Title       string
	Annotations struct {
		List []struct {
			Datasource datasource
			Expr       string
		}
	}
	Templating struct {
		List []struct {
			Name       string
			Type       string
			Query      json.RawMessage
			Definition string
			Datasource datasource
		}
	}
	Panels []panel
}

type datasource struct {
	Type string
	UID  string
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  datasource
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	Targets []struct {
		RefID      string
		Datasource datasource
		Expr       string
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal(read(t, "grafana/dashboards/helix.json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDashboard_isWellFormed(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	if d.UID != "helix" || d.Title == "" {
		t.Errorf("uid %q, title %q", d.UID, d.Title)
	}
	variables := map[string]string{}
	for _, v := range d.Templating.List {
		variables[v.Name] = v.Type
	}
	if variables["datasource"] != "datasource" || variables["job"] != "query" || variables["instance"] != "query" {
		t.Errorf("variables %v", variables)
	}
	prometheus := datasource{"prometheus", "${datasource}"}
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || titles[p.Title] || p.Title == "" {
			t.Errorf("panel %d %q: its id or title is there twice, or none", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		g := p.GridPos
		if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%q is off the grid: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource != prometheus || len(p.Targets) == 0 {
			t.Errorf("%q lacks a description, a unit, the datasource or a query", p.Title)
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if refs[target.RefID] || target.Datasource != prometheus {
				t.Errorf("%q: query %q is there twice, or has another datasource", p.Title, target.RefID)
			}
			refs[target.RefID] = true
		}
	}
}
