package socket

import (
	"testing"
	"time"
	"unsafe"
)

// There is one for each client: it is kept within a size of the allocator's, where a byte more costs 32.
func TestSize(t *testing.T) {
	if got := unsafe.Sizeof(Socket{}); got > 384 {
		t.Errorf("a Socket has %d bytes; the size that it was in is 384", got)
	}
}

func TestPace(t *testing.T) {
	const rate = 10
	var p pace
	now := (&Server{began: time.Now()}).instant(time.Now())
	for _, step := range []struct {
		gone   time.Duration // since the step before
		frames int
		pause  time.Duration
	}{
		{0, rate * paceBurst, 0}, // what may come at once, from the first frame on
		{0, 5, 500 * time.Millisecond},
		{0, 100, mostPause},
		{time.Hour, rate * paceBurst, 0},
		{time.Second, rate, 0},
		{time.Second / 2, rate, 500 * time.Millisecond},
	} {
		now += step.gone
		if got := p.count(step.frames, now, rate); (got - step.pause).Abs() > time.Millisecond {
			t.Errorf("%d frames after %v: paused %v, want %v", step.frames, step.gone, got, step.pause)
		}
	}
}
