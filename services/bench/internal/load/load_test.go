package load_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"helix/bench/internal/load"
)

func TestHistogram_quantilesAreWithinABucket(t *testing.T) {
	t.Parallel()
	var h load.Histogram
	random := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(5*time.Millisecond))
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))]
		if got := h.Quantile(q); float64(got) < 0.96*float64(want) || float64(got) > 1.01*float64(want) {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != 20_000 {
		t.Errorf("max %v, count %d", h.Max(), h.Count())
	}
}

func TestMark_isFoundInAFrame(t *testing.T) {
	t.Parallel()
	want := load.Mark{Writer: 12, Number: 345, Sent: 6789 * time.Microsecond}
	changes := want.Changes(200)
	if len(changes) != 200 {
		t.Errorf("%d bytes", len(changes))
	}
	frame := append(append([]byte(`[null,null,"flow:f","flow_update",{"changes":`), changes...), `,"timestamp":1,"seq":77,"epoch":"E"}]`...)
	if got, _, ok := load.Find(frame); !ok || got != want {
		t.Errorf("%+v", got)
	}
	if seq := load.Seq(frame); seq != 77 {
		t.Errorf("seq %d", seq)
	}
	if _, _, ok := load.Find([]byte(`[null,null,"flow:f","client_joined",{}]`)); ok {
		t.Error("found a mark where there is none")
	}
}

func TestReceiver_seesLossAndDisorder(t *testing.T) {
	t.Parallel()
	type step struct {
		writer, number int
		seq            uint64
	}
	cases := []struct {
		name             string
		steps            []step
		lost, outOfOrder int
	}{
		{"in order", []step{{0, 0, 1}, {1, 0, 2}, {0, 1, 3}, {1, 1, 4}}, 0, 0},
		{"one is missing", []step{{0, 0, 1}, {1, 0, 2}, {1, 1, 4}}, 1, 1},
		{"two change places", []step{{0, 1, 2}, {0, 0, 1}, {1, 0, 3}, {1, 1, 4}}, 1, 3},
		{"one comes twice", []step{{0, 0, 1}, {0, 0, 1}, {0, 1, 2}, {1, 0, 3}, {1, 1, 4}}, 0, 2},
		{"nothing comes", nil, 4, 0},
		{"without seqs", []step{{0, 0, 0}, {0, 1, 0}, {1, 0, 0}, {1, 1, 0}}, 0, 0},
	}
	for _, c := range cases {
		r := load.NewReceiver(2)
		for _, s := range c.steps {
			r.Take(load.Mark{Writer: s.writer, Number: s.number}, s.seq)
		}
		r.Finish([]int{2, 2})
		if r.Lost != c.lost || r.OutOfOrder != c.outOfOrder {
			t.Errorf("%s: lost %d, out of order %d", c.name, r.Lost, r.OutOfOrder)
		}
	}
}
