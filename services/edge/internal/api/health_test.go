package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"helix/edge/internal/api"
)

func readyFunc(err error, panics bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if panics {
			panic("asked")
		}
		if _, ok := ctx.Deadline(); !ok {
			return errors.New("asked without a deadline")
		}
		return err
	}
}

func TestReadyz_saysWhy_andThePublicOneOnlyWhatAnyoneMayRead(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name          string
		ready         func(context.Context) error
		status        int
		public, admin string
	}{
		{"no function", nil, 200, "", ""},
		{"ready", readyFunc(nil, false), 200, "", ""},
		{"draining", readyFunc(api.NotReady("the node is draining"), false), 503, "the node is draining", "the node is draining"},
		{
			"a sentence with its cause", readyFunc(fmt.Errorf("%w: dial 10.0.0.7", api.NotReady("Redis cannot be reached")), false), 503,
			"Redis cannot be reached", "Redis cannot be reached: dial 10.0.0.7",
		},
		{
			"a cause alone", readyFunc(errors.New("dial 10.0.0.7"), false), 503,
			"the flow's store cannot be reached now; try again", "dial 10.0.0.7",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := options(&fakeSessions{})
			o.Ready = c.ready
			listeners := []struct {
				handler http.Handler
				detail  string
			}{
				{api.New(o), c.public},
				{api.NewAdmin(api.AdminOptions{Gatherer: prometheus.NewRegistry(), Ready: c.ready}), c.admin},
			}
			for _, l := range listeners {
				w := serve(l.handler, request("GET", "/readyz", ""))
				if w.Code != c.status {
					t.Fatalf("status %d, want %d: %s", w.Code, c.status, w.Body)
				}
				if c.status == http.StatusOK {
					mustBeOK(t, w)
					continue
				}
				if p := mustProblem(t, w); p.Code != "not_ready" || p.Detail != l.detail {
					t.Errorf("problem %+v, want the detail %q", p, l.detail)
				}
				if w.Header().Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
		})
	}
}

func TestHealthz_isWell_whateverReadinessSays(t *testing.T) {
	t.Parallel()
	ready := readyFunc(errors.New("away"), true)
	o := options(&fakeSessions{err: errors.New("away")})
	o.Ready = ready
	for _, h := range []http.Handler{api.New(o), api.NewAdmin(api.AdminOptions{Gatherer: prometheus.NewRegistry(), Ready: ready})} {
		mustBeOK(t, serve(h, request("GET", "/healthz", "")))
	}
}

func mustBeOK(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusOK || w.Body.String() != "ok\n" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("got %d %q as %q", w.Code, w.Body, w.Header().Get("Content-Type"))
	}
}

func TestAdmin_showsMetricsAndProfiles_butNoCommandLine(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "helix_test_things_total", Help: "Things."})
	counter.Add(3)
	registry.MustRegister(counter)
	h := api.NewAdmin(api.AdminOptions{Gatherer: registry})
	cases := []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/metrics", 200, "helix_test_things_total 3"},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof", 301, ""},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"GET", "/debug/pprof/symbol", 200, "num_symbols"},
		{"POST", "/debug/pprof/symbol", 200, "num_symbols"},
		{"GET", "/debug/pprof/cmdline", 404, ""},
		{"GET", "/api/sessions", 404, "not_found"},
		{"POST", "/metrics", 405, "method_not_allowed"},
	}
	for _, c := range cases {
		w := serve(h, request(c.method, c.path, ""))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: %d %.200s, want %d with %q", c.method, c.path, w.Code, w.Body, c.status, c.body)
		}
	}
}
