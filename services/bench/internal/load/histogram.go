// Package load is the arithmetic of a measurement: what a change carries, what a receiver must see,
// and latencies. It opens no connection.
package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets that are at most 3% wide, in bounded memory. It is safe for
// concurrent use.
type Histogram struct {
	counts [64 * perOctave]atomic.Uint64
	max    atomic.Int64
}

const perOctave = 32

func bucket(d time.Duration) int {
	n := uint64(max(d, 1))
	octave := bits.Len64(n) - 1
	if octave < 5 {
		return int(n)
	}
	return octave*perOctave + int(n>>(octave-5))&(perOctave-1)
}

func value(bucket int) time.Duration {
	octave, part := bucket/perOctave, bucket%perOctave
	if octave < 5 {
		return time.Duration(bucket)
	}
	return time.Duration(uint64(perOctave+part) << (octave - 5))
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(d)].Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Count is how many durations were added.
func (h *Histogram) Count() (n uint64) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Max is the largest duration.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Quantile is the duration that a part q of all do not exceed, within the width of a bucket.
func (h *Histogram) Quantile(q float64) time.Duration {
	want := uint64(q * float64(h.Count()))
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen > want {
			return min(value(i), h.Max())
		}
	}
	return h.Max()
}
