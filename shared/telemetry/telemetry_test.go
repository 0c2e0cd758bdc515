package telemetry_test

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	var told atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			bus.On(func(e telemetry.Event) {
				if e.Name == "last" {
					told.Add(1)
				}
			})
			for range 100 {
				bus.Emit(telemetry.Event{Name: telemetry.EventClientJoined})
			}
			for range 50 {
				bus.Emit(telemetry.Event{Name: telemetry.EventClientLeft})
			}
			bus.Emit(telemetry.Event{Name: telemetry.EventSessionEnded}) // neither a join nor a leave
		})
	}
	wg.Wait()
	bus.Emit(telemetry.Event{Name: "last"})
	if n := told.Load(); n != 8 {
		t.Fatalf("%d of 8 subscribers are there", n)
	}
	if j, l := testutil.ToFloat64(metrics.Joins), testutil.ToFloat64(metrics.Leaves); j != 800 || l != 400 {
		t.Fatalf("%v joins, %v leaves", j, l)
	}
}

func TestBus_handsOnTheWholeEvent_toAllInTheirOrder(t *testing.T) {
	t.Parallel()
	var bus telemetry.Bus
	var order []string
	var got telemetry.Event
	bus.On(func(e telemetry.Event) { order, got = append(order, "first"), e })
	bus.On(func(telemetry.Event) { order = append(order, "second") })
	want := telemetry.Event{Name: telemetry.EventClientLeft, Node: "a", Flow: "f", ClientID: "c", ClientCount: 2}
	bus.Emit(want)
	if got != want || !slices.Equal(order, []string{"first", "second"}) {
		t.Fatalf("%+v, %v", got, order)
	}
}

func TestBus_thatIsNil_dropsEverything(t *testing.T) {
	t.Parallel()
	var none *telemetry.Bus
	none.On(func(telemetry.Event) { t.Error("told") })
	none.Emit(telemetry.Event{Name: telemetry.EventClientJoined})
}

func TestEmit_allocatesNothing(t *testing.T) {
	var bus telemetry.Bus
	log, err := telemetry.NewLogger(io.Discard, "info", "text", "n")
	if err != nil {
		t.Fatal(err)
	}
	telemetry.CountEvents(&bus, telemetry.NewMetrics(prometheus.NewRegistry()))
	telemetry.LogEvents(&bus, log)
	if n := testing.AllocsPerRun(100, func() { bus.Emit(telemetry.Event{Name: telemetry.EventClientJoined, Flow: "f"}) }); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestNewLogger_bearsTheNode_andTellsEvents(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "debug", "json", "edge-a")
	if err != nil {
		t.Fatal(err)
	}
	var bus telemetry.Bus
	telemetry.LogEvents(&bus, log)
	bus.Emit(telemetry.Event{Name: telemetry.EventClientJoined, Flow: "f", ClientID: "c", ClientCount: 3})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	want := map[string]any{"level": "DEBUG", "msg": "helix.session.client_joined", "node": "edge-a", "flow": "f", "client_id": "c", "client_count": 3.0}
	if !reflect.DeepEqual(line, want) {
		t.Fatalf("%v", line)
	}
}

func TestNewLogger_keepsItsLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		var out bytes.Buffer
		log, err := telemetry.NewLogger(&out, level, "text", "n")
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("a")
		log.Info("b")
		log.Warn("c")
		log.Error("d")
		if got := strings.Count(out.String(), "node=n"); got != want {
			t.Errorf("%s: %d lines:\n%s", level, got, &out)
		}
	}
}

func TestNewLogger_saysWhatALevelAndAFormatMayBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ level, format, want string }{
		{"loud", "text", `log level "loud" is none of debug, info, warn, error`},
		{"INFO", "text", `log level "INFO" is none of`},
		{"debug+2", "text", `log level "debug+2" is none of`},
		{"", "text", `log level "" is none of`},
		{"info", "xml", `log format "xml" is none of text, json`},
		{"info", "", `log format "" is none of`},
	} {
		if _, err := telemetry.NewLogger(io.Discard, c.level, c.format, "n"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %s", c.level, c.format, err, c.want)
		}
	}
}
