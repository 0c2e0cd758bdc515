package main

import (
	"context"
	"log/slog"
	"time"

	"helix/shared/session"
)

// sweeper takes flows whose retention is over out of the index of documents: a service of the tree. Redis
// ends their keys by itself, but not their places in a set; a list finds them only where it passes them.
type sweeper struct {
	store *session.Store
	log   *slog.Logger
}

// sweepEvery is between two looks, each at one lane.
const sweepEvery = time.Minute

// Serve implements the supervisor's Service.
func (s sweeper) Serve(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(ctx, sweepEvery/2)
		if _, err := s.store.Sweep(within); err != nil && ctx.Err() == nil {
			s.log.Warn("cannot look for flows whose retention is over", "error", err)
		}
		cancel()
	}
}
