package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Carry carries out the faults of one round, each at its time, and returns when all are healed and the
// cluster is ready again. tell is told of each, when it begins and when it is healed.
func (c *Cluster) Carry(ctx context.Context, plan []Fault, round time.Duration, tell func(what string)) error {
	began := time.Now()
	hurry := ctx.Done()
	var mu sync.Mutex
	var failed error
	var running sync.WaitGroup
	for _, f := range plan {
		running.Go(func() {
			if !until(ctx, began.Add(f.At)) {
				return
			}
			tell(f.String())
			err := c.carry(f, hurry)
			if f.For > 0 {
				tell(string(f.Kind) + " is over")
			}
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, fmt.Errorf("%v: %w", f, err))
				mu.Unlock()
			}
		})
	}
	until(ctx, began.Add(round))
	running.Wait()
	if failed != nil || ctx.Err() != nil {
		return failed
	}
	return c.Ready()
}

func until(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
