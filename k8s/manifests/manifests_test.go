package manifests_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"

	"helix/k8s/manifests"
)

const root = "../.."

var overlays = []string{"local", "production"}

// edge is the real program, asked once about the same variables.
var edge manifests.Edge

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "helix-k8s-test-")
		if err == nil {
			edge, err = manifests.BuildEdge(root, dir)
			defer func() { _ = os.RemoveAll(dir) }()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		edge.Settings = remembering(edge.Settings)
		return m.Run()
	}())
}

func remembering(ask func([]string) (manifests.Settings, error)) func([]string) (manifests.Settings, error) {
	type answer struct {
		settings manifests.Settings
		err      error
	}
	var mu sync.Mutex
	known := map[string]answer{}
	return func(environ []string) (manifests.Settings, error) {
		mu.Lock()
		defer mu.Unlock()
		key := strings.Join(environ, "\n")
		a, ok := known[key]
		if !ok {
			a.settings, a.err = ask(environ)
			known[key] = a
		}
		return a.settings, a.err
	}
}

// rendered gives the documents of an overlay, which are rendered once.
var rendered = func() map[string]func() ([][]byte, error) {
	all := map[string]func() ([][]byte, error){}
	for _, overlay := range overlays {
		all[overlay] = sync.OnceValues(func() ([][]byte, error) { return manifests.Render(filepath.Join(root, "k8s/overlays", overlay)) })
	}
	return all
}()

func render(t *testing.T, overlay string) [][]byte {
	t.Helper()
	documents, err := rendered[overlay]()
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

func load(t *testing.T, overlay string) *manifests.Set {
	t.Helper()
	set, err := manifests.Decode(render(t, overlay))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestOverlays_holdTogether(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob(filepath.Join(root, "k8s/overlays/*/kustomization.yaml"))
	if err != nil || len(found) != len(overlays) {
		t.Fatalf("%v, %v: each overlay must be tested", found, err)
	}
	for _, overlay := range overlays {
		for _, complaint := range manifests.Check(load(t, overlay), edge) {
			t.Errorf("%s: %s", overlay, complaint)
		}
	}
}

func TestOverlays_bringWhatTheyPromise(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		set := load(t, overlay)
		for what, n := range map[string]int{
			"Deployment": len(set.Deployments), "Service": len(set.Services), "ServiceAccount": len(set.ServiceAccounts), "ConfigMap": len(set.ConfigMaps),
			"PodDisruptionBudget": len(set.Budgets), "NetworkPolicy": len(set.NetworkPolicies), "Ingress": len(set.Ingresses),
		} {
			if n == 0 {
				t.Errorf("%s has no %s", overlay, what)
			}
		}
	}
	local, production := load(t, "local"), load(t, "production")
	if len(local.StatefulSets) != 1 || local.Deployments[0].Spec.Template.Spec.Containers[0].Image != "helix:local" {
		t.Error("local must have one Redis, and the image helix:local")
	}
	if len(production.StatefulSets) != 0 || len(production.Namespaces) != 1 || len(production.ServiceMonitors) != 1 || len(production.PrometheusRules) != 1 {
		t.Error("production must have a namespace, monitoring, and no Redis of its own")
	}
	if len(production.Autoscalers) != 1 || *production.Autoscalers[0].Spec.MinReplicas < 3 || len(production.Autoscalers[0].Spec.Metrics) != 2 {
		t.Error("production must scale from three pods up, by CPU and by connections")
	}
	pod := production.Deployments[0].Spec.Template.Spec
	if pod.Affinity == nil || pod.Affinity.PodAntiAffinity == nil || !slices.ContainsFunc(pod.TopologySpreadConstraints, byZone) {
		t.Error("production must spread its pods over zones, and over nodes")
	}
}

func TestSources_nameNoFieldTwice(t *testing.T) {
	t.Parallel()
	if err := manifests.CheckSources(filepath.Join(root, "k8s")); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("kind: Service\n---\nspec: {}\nkind: Service\nspec: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := manifests.CheckSources(dir); err == nil || !strings.Contains(err.Error(), "spec") {
		t.Errorf("a field that is named twice: %v", err)
	}
}

func TestDecode_isStrict(t *testing.T) {
	t.Parallel()
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
	for document, want := range map[string]string{
		service + "spec: {portz: []}":                                              `unknown field "spec.portz"`,
		service + "spec: {type: ClusterIP}\nspec: {}":                              `"spec" already set`,
		service + "spec: {ports: [{port: many}]}":                                  "cannot unmarshal string",
		"apiVersion: v2\nkind: Service":                                            "no kind",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}":                           "no check knows the kind Pod",
		"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nspec: {x: 1}": `unknown field "spec.x"`,
	} {
		if _, err := manifests.Decode([][]byte{[]byte(document)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %s", document, err, want)
		}
	}
}

func TestAdapter_givesTheMetricsThatTheAutoscalerAsksFor(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "k8s/components/monitoring/prometheus-adapter.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Rules struct {
			Custom []struct {
				SeriesQuery string `json:"seriesQuery"`
				Name        struct {
					As string `json:"as"`
				} `json:"name"`
			} `json:"custom"`
		} `json:"rules"`
	}
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	for _, metric := range load(t, "production").Autoscalers[0].Spec.Metrics {
		if metric.Pods == nil {
			continue
		}
		given := false
		for _, rule := range values.Rules.Custom {
			given = given || rule.Name.As == metric.Pods.Metric.Name && strings.HasPrefix(rule.SeriesQuery, metric.Pods.Metric.Name+"{")
		}
		if !given {
			t.Errorf("no rule of the adapter gives %s", metric.Pods.Metric.Name)
		}
	}
}

func TestPrometheusRule_isThatOfTheAlerts(t *testing.T) {
	t.Parallel()
	made, err := manifests.PrometheusRule(filepath.Join(root, "services/monitoring/alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(root, "k8s/components/monitoring/prometheusrule.yaml"))
	if err != nil || !bytes.Equal(made, kept) {
		t.Errorf("components/monitoring/prometheusrule.yaml is stale (%v): go run ./k8s rules", err)
	}
	file := filepath.Join(t.TempDir(), "alerts.yaml")
	if err := os.WriteFile(file, []byte("groups:\n  - name: a\n    rules:\n      - alrt: X\n        expr: up\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := manifests.PrometheusRule(file); err == nil || !strings.Contains(err.Error(), "alrt") {
		t.Errorf("an unknown field of a rule: %v", err)
	}
}
