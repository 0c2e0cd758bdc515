// Package leaseholder does the duties of a held lease, one supervised service per lease: it keeps the
// lease, has the document folded into the snapshot, and ends the session when nothing has happened in it
// for too long. The lease's fencing token
// guards every step, so a holder that lost the lease can do no harm.
package leaseholder

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"helix/shared/session"
	"helix/shared/telemetry"
)

// Folder brings a flow's snapshot up to date, if that is due, and says when to look again.
type Folder interface {
	Fold(ctx context.Context, lease *session.Lease) (next time.Duration, err error)
	// LeaseLost says that the lease with this token is another node's, or nobody's.
	LeaseLost(token int64)
}

// Holder is the service of one lease.
type Holder struct {
	Lease   *session.Lease
	Folder  Folder
	Options session.Options
	Metrics *telemetry.Metrics
	Log     *slog.Logger
	// Released is closed when this edge gave the lease up: the duties are over.
	Released <-chan struct{}
}

// Serve does the duties until the lease is lost or given up, or the session is over; it then returns
// nil. An unreachable Redis is no reason to end: the lease may still be ours when it is back.
func (h *Holder) Serve(ctx context.Context) error {
	third := h.Options.LeaseTTL / 3
	timer := time.NewTimer(third)
	defer timer.Stop()
	folding := time.NewTimer(third)
	defer folding.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.Released:
			return nil
		case <-folding.C:
			folding.Reset(h.fold(ctx, third))
			continue
		case <-timer.C:
		}
		next, err := h.duty(ctx, third)
		switch {
		case errors.Is(err, session.ErrLeaseLost):
			h.Metrics.LeaseLosses.Inc()
			h.Log.Info("lost the lease of a flow", "flow", h.Lease.Flow().ID(), "token", h.Lease.Token())
			h.Folder.LeaseLost(h.Lease.Token())
			return nil
		case err != nil:
			h.Log.Warn("cannot renew the lease of a flow", "flow", h.Lease.Flow().ID(), "error", err)
		case next == 0:
			return nil
		}
		timer.Reset(next)
	}
}

// duty is one round; next is when the following one is due, 0 when the session is over.
func (h *Holder) duty(ctx context.Context, third time.Duration) (next time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, third)
	defer cancel()
	next = third
	idle, err := h.Lease.Renew(ctx)
	if err != nil {
		return third / 2, err
	}
	left := h.Options.InactivityTimeout - idle
	if left > 0 {
		return min(next, left+time.Millisecond), nil
	}
	ended, err := h.Lease.Expire(ctx)
	if err != nil {
		return third / 2, err
	}
	if ended {
		h.Log.Info("ended an idle session", "flow", h.Lease.Flow().ID(), "idle", idle)
		return 0, nil
	}
	return next, nil
}

// fold is one look at the snapshot. A lease that is lost is noticed by the next renewal.
func (h *Holder) fold(ctx context.Context, third time.Duration) (next time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, third)
	defer cancel()
	next, err := h.Folder.Fold(ctx, h.Lease)
	if err != nil && !errors.Is(err, session.ErrLeaseLost) {
		h.Log.Warn("cannot fold a flow's changes into its snapshot", "flow", h.Lease.Flow().ID(), "error", err)
	}
	return min(next, third)
}
