package telemetry_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"helix/shared/telemetry"
)

func TestBus_tellsEverySubscriber_alsoConcurrently(t *testing.T) {
	t.Parallel()
	var bus telemetry.Bus
	metrics := telemetry.NewMetrics(prometheus.NewRegistry())
	telemetry.CountEvents(&bus, metrics)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			bus.On(func(telemetry.Event) {})
			for range 100 {
				bus.Emit(telemetry.Event{Name: telemetry.EventClientJoined})
				bus.Emit(telemetry.Event{Name: telemetry.EventClientLeft})
			}
		})
	}
	wg.Wait()
	if j, l := testutil.ToFloat64(metrics.Joins), testutil.ToFloat64(metrics.Leaves); j != 800 || l != 800 {
		t.Fatalf("%v joins, %v leaves", j, l)
	}
	var none *telemetry.Bus
	none.Emit(telemetry.Event{}) // an edge without telemetry works
}

func TestEmit_allocatesNothing(t *testing.T) {
	var bus telemetry.Bus
	telemetry.CountEvents(&bus, telemetry.NewMetrics(prometheus.NewRegistry()))
	if n := testing.AllocsPerRun(100, func() { bus.Emit(telemetry.Event{Name: telemetry.EventClientJoined, Flow: "f"}) }); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestMetrics_passTheLinter(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := telemetry.NewMetrics(registry)
	m.Refusals.WithLabelValues("unavailable").Inc()
	m.RedisLatency.WithLabelValues("change").Observe(0.001)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v %v", problems, err)
	}
}

func TestNewLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "debug", "json", "edge-a")
	if err != nil {
		t.Fatal(err)
	}
	var bus telemetry.Bus
	telemetry.LogEvents(&bus, log)
	bus.Emit(telemetry.Event{Name: telemetry.EventClientJoined, Flow: "f", ClientCount: 3})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["msg"] != "helix.session.client_joined" || line["node"] != "edge-a" || line["flow"] != "f" || line["client_count"] != 3.0 {
		t.Fatalf("%v", line)
	}
	for _, bad := range [][2]string{{"loud", "text"}, {"info", "xml"}} {
		if _, err := telemetry.NewLogger(&out, bad[0], bad[1], "n"); err == nil || !strings.Contains(err.Error(), "none of") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
