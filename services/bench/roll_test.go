package main

import (
	"errors"
	"testing"
	"time"
)

func TestRoll_findsThePeakOfTheJoins(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	for _, c := range []struct {
		name  string
		joins []time.Duration
		want  int
	}{
		{"none", nil, 0},
		{"a second does not hold its own end", []time.Duration{0, 1000 * ms}, 1},
		{"in any order", []time.Duration{1500 * ms, 900 * ms, 100 * ms, 1099 * ms}, 3},
		{"across the clock's seconds", []time.Duration{0, 900 * ms, 1100 * ms, 1200 * ms, 3000 * ms}, 3},
	} {
		r := &rollRun{joins: c.joins}
		if got := r.peak(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestBalance_choosesTheReadyEdgeWithTheFewestConnections(t *testing.T) {
	t.Parallel()
	b := &balance{}
	if _, err := b.open(); !errors.Is(err, errNobodyReady) {
		t.Fatal(err)
	}
	b.add("ws://a")
	b.add("ws://b")
	for range 4 {
		if _, err := b.open(); err != nil {
			t.Fatal(err)
		}
	}
	if b.on("ws://a") != 2 || b.on("ws://b") != 2 {
		t.Fatalf("a has %d, b has %d", b.on("ws://a"), b.on("ws://b"))
	}
	b.backend[0].ready = false
	if x, err := b.open(); err != nil || x.edge != "ws://b" {
		t.Fatal(x, err)
	}
	b.remove("ws://b")
	if _, err := b.open(); !errors.Is(err, errNobodyReady) {
		t.Fatal("an edge that is not ready was chosen")
	}
}
