package telemetry_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"helix/shared/telemetry"
)

// Dashboards and alerts are written against these names: one that changes here breaks them.
var names = []string{
	"helix_catchups_total",
	"helix_changes_total",
	"helix_channels",
	"helix_delivered_bytes_total",
	"helix_deliveries_total",
	"helix_delivery_lag_seconds",
	"helix_draining",
	"helix_flows",
	"helix_folds_total",
	"helix_gaps_total",
	"helix_guarded{kind}",
	"helix_joins_total",
	"helix_lagging_members",
	"helix_lease_gains_total",
	"helix_lease_losses_total",
	"helix_leaves_total",
	"helix_losses_total",
	"helix_queue_overflows_total",
	"helix_redis_script_errors_total{script}",
	"helix_redis_script_seconds{script}",
	"helix_refusals_total{reason}",
	"helix_requests_refused_total{reason}",
	"helix_restarts_total{service}",
	"helix_restores_total",
	"helix_sessions_held",
	"helix_slow_writes_total",
	"helix_sockets",
	"helix_sockets_closed_total{code}",
	"helix_sockets_moved_total",
	"helix_sockets_opened_total",
	"helix_subscriber_reconnects_total",
	"helix_trace_spans_total{outcome}",
	"helix_upgrades_refused_total{reason}",
	"helix_versions_total",
}

// filled is a registry in which every metric has a value, also those by label.
func filled() *prometheus.Registry {
	registry := prometheus.NewPedanticRegistry()
	m := reflect.ValueOf(telemetry.NewMetrics(registry)).Elem()
	for i := range m.NumField() {
		switch metric := m.Field(i).Interface().(type) {
		case *prometheus.CounterVec:
			metric.WithLabelValues("x").Inc()
		case *prometheus.GaugeVec:
			metric.WithLabelValues("x").Set(1)
		case *prometheus.HistogramVec:
			metric.WithLabelValues("x").Observe(0.001)
		}
	}
	return registry
}

func TestMetrics_bearTheirNamesAndLabels_oneForEachField(t *testing.T) {
	t.Parallel()
	families, err := filled().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		name := f.GetName()
		for _, l := range f.GetMetric()[0].GetLabel() {
			name += "{" + l.GetName() + "}"
		}
		got = append(got, name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
	if fields := reflect.TypeFor[telemetry.Metrics]().NumField(); fields != len(got) {
		t.Errorf("%d fields, %d metrics", fields, len(got))
	}
}

func TestMetrics_passTheLinter(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(filled())
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v %v", problems, err)
	}
}

func TestNewMetrics_refusesToBeMadeTwice(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	telemetry.NewMetrics(registry)
	defer func() {
		if recover() == nil {
			t.Fatal("two edges would count as one")
		}
	}()
	telemetry.NewMetrics(registry)
}
