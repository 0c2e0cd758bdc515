package faults_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"helix/bench/internal/faults"
)

var options = faults.Options{Kinds: faults.Single.Kinds(), Edges: 3, Flows: 4, Lease: 2 * time.Second, Timeout: time.Second, Duration: 8 * time.Second}

func plans(t *testing.T, check func(t *testing.T, seed uint64, plan []faults.Fault)) {
	t.Helper()
	for _, mode := range faults.Modes {
		for seed := range uint64(150) {
			o := options
			o.Seed, o.Kinds = seed, mode.Kinds()
			for round := range 5 {
				check(t, seed, faults.Plan(o, round))
			}
		}
	}
}

func TestPlan_isTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	seen := map[faults.Kind]bool{}
	plans(t, func(t *testing.T, seed uint64, plan []faults.Fault) {
		for _, f := range plan {
			seen[f.Kind] = true
		}
	})
	for _, k := range faults.Kinds {
		if !seen[k] {
			t.Errorf("no plan has a %s", k)
		}
	}
	o := options
	o.Seed = 7
	if a, b := faults.Plan(o, 3), faults.Plan(o, 3); !reflect.DeepEqual(a, b) {
		t.Errorf("%v is not %v", a, b)
	}
	if a, b := faults.Plan(o, 3), faults.Plan(o, 4); reflect.DeepEqual(a, b) {
		t.Errorf("two rounds have the same plan: %v", a)
	}
}

func TestPlan_leavesOneEdgeUp_andHealsAll(t *testing.T) {
	t.Parallel()
	outage := map[faults.Kind]bool{faults.EdgeKill: true, faults.EdgeStop: true, faults.EdgePause: true}
	plans(t, func(t *testing.T, seed uint64, plan []faults.Fault) {
		for _, f := range plan {
			if f.At+f.For > options.Duration {
				t.Fatalf("seed %d: %v at %v is not over in time", seed, f, f.At)
			}
			down := map[int]bool{}
			for _, g := range plan {
				if outage[g.Kind] && g.At <= f.At && f.At <= g.At+g.For {
					down[g.Edge] = true
				}
			}
			if len(down) == options.Edges {
				t.Fatalf("seed %d: all edges are down at %v: %v", seed, f.At, plan)
			}
		}
	})
}

func TestPlan_leavesEverythingElseAlone_whereRedisForgets(t *testing.T) {
	t.Parallel()
	forgets := map[faults.Kind]bool{faults.Flush: true, faults.RedisEmpty: true, faults.RedisOlder: true, faults.MasterLost: true}
	plans(t, func(t *testing.T, seed uint64, plan []faults.Fault) {
		for i, f := range plan {
			for k, g := range plan {
				if forgets[f.Kind] && i != k && g.At < f.At+f.For+2*time.Second && g.At+g.For > f.At-2*time.Second {
					t.Fatalf("seed %d: %v at %v, and %v at %v", seed, f, f.At, g, g.At)
				}
			}
		}
	})
}

func TestPlan_hasOneFailoverInARound_andNothingThatCannotMeetIt(t *testing.T) {
	t.Parallel()
	failover := map[faults.Kind]bool{faults.MasterKill: true, faults.MasterPause: true, faults.MasterLost: true, faults.Failover: true}
	alone := map[faults.Kind]bool{faults.Reshard: true, faults.Flush: true, faults.SentinelKill: true}
	plans(t, func(t *testing.T, seed uint64, plan []faults.Fault) {
		var failovers, others int
		for _, f := range plan {
			if failover[f.Kind] {
				failovers++
			} else if alone[f.Kind] {
				others++
			}
		}
		if failovers > 1 || failovers == 1 && others > 0 {
			t.Fatalf("seed %d: %v", seed, plan)
		}
	})
}

func TestKinds_ofEachMode(t *testing.T) {
	t.Parallel()
	for mode, want := range map[faults.Mode][]faults.Kind{
		faults.Single: {faults.RedisKill, faults.CutPubSub, faults.StallCommands}, faults.TLS: {faults.RedisOlder, faults.CutCommands},
		faults.Sentinel: {faults.MasterKill, faults.MasterLost, faults.SentinelKill, faults.Flush}, faults.Cluster3: {faults.MasterPause, faults.Reshard, faults.Failover},
	} {
		kinds := mode.Kinds()
		for _, k := range want {
			if !slices.Contains(kinds, k) {
				t.Errorf("%s has no %s", mode, k)
			}
		}
		if slices.Contains(kinds, faults.RedisKill) == slices.Contains(kinds, faults.MasterKill) {
			t.Errorf("%s: %v", mode, kinds)
		}
	}
}

func TestParseKinds_addsAndTakesOut(t *testing.T) {
	t.Parallel()
	all := len(faults.Single.Kinds())
	for text, want := range map[string]int{"all": all, "none": 0, "": 0, "flush": 1, "flush,flush": 1, "all,-flush": all - 1, "edge-kill, redis-kill": 2} {
		if got, err := faults.ParseKinds(text, faults.Single); err != nil || len(got) != want {
			t.Errorf("%q: %v, %v; want %d kinds", text, got, err, want)
		}
	}
	for _, text := range []string{"earthquake", "master-kill"} {
		if _, err := faults.ParseKinds(text, faults.Single); err == nil {
			t.Errorf("%s passes", text)
		}
	}
}
