package socket

import (
	"context"
	"fmt"
	"time"
)

// Drain says how the clients of a Server are moved to other edges.
type Drain struct {
	Delay time.Duration // before the first wave: balancers learn meanwhile that this edge takes nobody
	Over  time.Duration // from the first wave to the last; 0: all at once
}

const (
	waveEvery = 100 * time.Millisecond
	// fewestInWave is how many may always go at once: a hundred joins a second are no herd, and an edge
	// with few clients is soon done.
	fewestInWave = 10
	// mostAtOnce is how many a second are asked back where all are told at once, and longestSpread by
	// when the last of them is.
	mostAtOnce    = 1000
	longestSpread = 5 * time.Second
)

// restartWithin is ReasonRestart with a hint: a client that understands it waits for a random part of the
// time and then comes back, so that those of a wave do not join in the same moment.
func restartWithin(spread time.Duration) Reason {
	return Reason{ReasonRestart.Code, fmt.Sprintf("%s within %d ms", ReasonRestart.Text, spread.Milliseconds())}
}

// Drain turns new sockets away at once, then closes those that are there with ReasonRestart and a hint, in
// waves as large as they must be, and waits for their end. When ctx ends all that is left is closed at
// once. moving, which may be nil, is called before the first wave.
func (v *Server) Drain(ctx context.Context, d Drain, moving func(sockets int)) {
	v.mu.Lock()
	v.draining = true
	there := len(v.sockets)
	v.mu.Unlock()
	defer v.readers.Wait()
	if there > 0 {
		pause(ctx, d.Delay)
	}
	left := v.all()
	if moving != nil {
		moving(len(left))
	}
	size, spread := d.waves(len(left))
	if ctx.Err() != nil {
		size, spread = Drain{}.waves(len(left))
	}
	next := time.Now()
	for len(left) > 0 {
		wave := left[:min(size, len(left))]
		left = left[len(wave):]
		v.move(wave, restartWithin(spread))
		if len(left) == 0 {
			return
		}
		next = next.Add(waveEvery)
		if !pause(ctx, time.Until(next)) {
			size, spread = Drain{}.waves(len(left))
		}
	}
}

// waves says how many of so many clients go in each wave, and over which time they are asked back.
func (d Drain) waves(clients int) (size int, spread time.Duration) {
	if n := int(d.Over / waveEvery); n > 0 {
		return max((clients+n-1)/n, fewestInWave), waveEvery
	}
	return clients, min(max(time.Duration(clients)*time.Second/mostAtOnce, waveEvery), longestSpread)
}

// all gives the sockets whose handshake is over, in no order. Whose is not is closed when it is.
func (v *Server) all() []*Socket {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]*Socket, 0, len(v.sockets))
	for s := range v.sockets {
		if s.started.Load() {
			all = append(all, s)
		}
	}
	return all
}

func (v *Server) move(wave []*Socket, why Reason) {
	for _, s := range wave {
		s.mu.Lock()
		if !s.closing && !s.closed {
			v.metrics.SocketsMoved.Inc()
		}
		s.shut(why)
		s.mu.Unlock()
	}
	v.writers.Flush()
}

// pause waits; false: ctx ended before, or has.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
