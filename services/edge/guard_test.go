package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The attack: probes without end, of which none is refused, while Redis is slow.
func TestPing_asksOnceForAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p ping
		var asked atomic.Int64
		slow := func(answer error) func(context.Context) error {
			return func(ctx context.Context) error {
				asked.Add(1)
				select {
				case <-time.After(time.Second):
					return answer
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		away := errors.New("away")
		all := func(answer error) (answers []error) {
			var asking sync.WaitGroup
			var mu sync.Mutex
			leaves, leave := context.WithCancel(t.Context())
			defer leave()
			for i := range 50 {
				asking.Go(func() {
					ctx := t.Context()
					if i == 0 {
						ctx = leaves
					}
					err := p.once(ctx, slow(answer))
					mu.Lock()
					defer mu.Unlock()
					answers = append(answers, err)
				})
				if i == 0 {
					synctest.Wait() // it is the one that asks, and goes away
					leave()
				}
			}
			asking.Wait()
			return answers
		}
		for _, want := range []error{away, nil} {
			asked.Store(0)
			for _, err := range all(want) {
				if !errors.Is(err, want) {
					t.Errorf("answered %v, want %v", err, want)
				}
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		}
		if err := p.once(t.Context(), slow(away)); err != nil {
			t.Errorf("right after it was well: %v", err)
		}
		time.Sleep(pingEvery)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := p.once(ctx, slow(nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("past the time of who asks: %v", err)
		}
	})
}
