package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestHealthcheck_succeedsWhileTheEdgeIsReady(t *testing.T) {
	t.Parallel()
	r := start(t)
	ask := func() error {
		return run([]string{"healthcheck"}, []string{"HELIX_HTTP_ADDR=" + r.public.addr()}, io.Discard, io.Discard)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	r.draining.Store(true)
	if err := ask(); err == nil || !strings.Contains(err.Error(), "the edge is not ready: 503") {
		t.Fatalf("of a draining edge: %v", err)
	}
}

func TestHealthcheck_failsInTime_whereNobodyAnswers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	var cfg Config
	cfg.HTTP.Addr = l.Addr().String()
	began := time.Now()
	if err := healthcheck(cfg, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), "ask the edge") {
		t.Errorf("of a silent edge: %v", err)
	}
	if took := time.Since(began); took > healthcheckTimeout {
		t.Errorf("it took %v", took)
	}
	_ = l.Close()
	if err := healthcheck(cfg, healthcheckTimeout); err == nil || !strings.Contains(err.Error(), "ask the edge") {
		t.Errorf("of no edge: %v", err)
	}
}
