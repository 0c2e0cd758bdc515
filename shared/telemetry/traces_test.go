package telemetry_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"helix/shared/telemetry"
)

func newTraces(t *testing.T, endpoint string, sample float64) (*telemetry.Traces, *telemetry.Metrics) {
	t.Helper()
	m := telemetry.NewMetrics(prometheus.NewRegistry())
	traces, err := telemetry.NewTraces(telemetry.TraceOptions{Endpoint: endpoint, Sample: sample, Node: "n", Metrics: m, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return traces, m
}

func TestTraces_areNone_withoutAnEndpoint(t *testing.T) {
	t.Parallel()
	traces, _ := newTraces(t, "", 1)
	if traces != nil {
		t.Fatal("they are there")
	}
	if err := traces.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// What is not followed is the hot path.
func TestTraces_costNoMemory_whereNothingIsFollowed(t *testing.T) {
	unsampled, _ := newTraces(t, "http://127.0.0.1:1", 0)
	defer func() { _ = unsampled.Close(context.Background()) }()
	for name, traces := range map[string]*telemetry.Traces{"off": nil, "on, and not sampled": unsampled} {
		spans := 0
		allocations := testing.AllocsPerRun(1000, func() {
			change := traces.Change("f")
			run := change.Run()
			script := run.Script()
			script.End(nil)
			receive := traces.Receive(run.Parent(), "f")
			deliver := receive.Deliver()
			deliver.Number("members", 7)
			if deliver != nil || traces.Deliver("", "f") != nil || receive.Began("") {
				spans++
			}
			deliver.End(nil)
			run.Link(change)
			change.End(nil)
		})
		if allocations > 0 || spans > 0 {
			t.Errorf("%s: %v allocations, %d spans", name, allocations, spans)
		}
	}
}

func TestReceive_goesOnFromAParent_andFromNothingElse(t *testing.T) {
	t.Parallel()
	traces, _ := newTraces(t, "http://127.0.0.1:1", 1)
	t.Cleanup(func() {
		over, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_ = traces.Close(over)
	})
	parent := traces.Change("f").Run().Parent()
	for _, c := range []struct {
		parent string
		taken  bool
	}{
		{parent, true},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
		{"", false},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", false}, // not sampled
		{"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
		{"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
		{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
		{"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 x", false},
		{"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
		{"gibberish", false},
	} {
		s := traces.Receive(c.parent, "f")
		if (s != nil) != c.taken || s.Began(c.parent) != c.taken {
			t.Errorf("%q: %v", c.parent, s)
		}
	}
}

func TestTraces_end_whereThereIsNoTimeLeft(t *testing.T) {
	t.Parallel()
	traces, m := newTraces(t, "http://127.0.0.1:1", 1)
	traces.Change("f").End(nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := traces.Close(ctx); err == nil {
		t.Error("it says that all was sent")
	}
	if failed := testutil.ToFloat64(m.TraceSpans.WithLabelValues("failed")); failed != 1 {
		t.Errorf("%v failed", failed)
	}
}

func TestTraces_dropAndCountWhatDoesNotFit_andEndInTime(t *testing.T) {
	t.Parallel()
	asked, over := make(chan struct{}, 100), make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-over }))
	t.Cleanup(func() { close(over); stuck.Close() })
	traces, m := newTraces(t, stuck.URL, 1)
	const spans, fit = 5000, 2048
	for range spans {
		traces.Change("f").End(nil)
	}
	<-asked
	if dropped := testutil.ToFloat64(m.TraceSpans.WithLabelValues("dropped")); dropped != spans-fit {
		t.Errorf("%v dropped", dropped)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := traces.Close(ctx); err == nil {
		t.Error("it says that all was sent")
	}
	if failed := testutil.ToFloat64(m.TraceSpans.WithLabelValues("failed")); failed != fit {
		t.Errorf("%v failed", failed)
	}
}

func TestTraces_areSentAgain_whereTheCollectorSaysLater_andOnlyThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		codes   []int
		outcome string
	}{
		{"taken", []int{200}, "sent"},
		{"later", []int{503, 200}, "sent"},
		{"refused", []int{400}, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked > len(c.codes) {
					t.Errorf("asked %d times", asked)
					return
				}
				w.WriteHeader(c.codes[asked-1])
			}))
			defer to.Close()
			traces, m := newTraces(t, to.URL, 1)
			traces.Change("f").End(nil)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := traces.Close(ctx); err != nil {
				t.Fatal(err)
			}
			if n := testutil.ToFloat64(m.TraceSpans.WithLabelValues(c.outcome)); n != 1 || asked != len(c.codes) {
				t.Errorf("%v %s, asked %d times", n, c.outcome, asked)
			}
		})
	}
}

func TestNewTraces_readsTheHeaders_andDoesNotShowThemWhereItCannot(t *testing.T) {
	for value, want := range map[string]string{
		"authorization=Bearer%20s3cret, x-tenant=a": "Bearer s3cret",
		"authorization=Basic czM=":                  "Basic czM=",
		"":                                          "",
		"s3cret":                                    "error",
		"authorization=s3cret%zz":                   "error",
		"=s3cret":                                   "error",
	} {
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", value)
		got := make(chan string, 1)
		to := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
		m := telemetry.NewMetrics(prometheus.NewRegistry())
		traces, err := telemetry.NewTraces(telemetry.TraceOptions{Endpoint: to.URL, Sample: 1, Metrics: m, Log: slog.New(slog.DiscardHandler)})
		switch {
		case want == "error":
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q: %v", value, err)
			}
		case err != nil:
			t.Errorf("%q: %v", value, err)
		default:
			traces.Change("f").End(nil)
			if err := traces.Close(context.Background()); err != nil || <-got != want {
				t.Errorf("%q: %v", value, err)
			}
		}
		to.Close()
	}
}
