package fanout

import (
	"context"
	"errors"
	"time"

	"helix/shared/session"
)

// keeping is what a flow needs to keep versions of its document in time. Guarded by the flow's lock.
type keeping struct {
	at    session.Position // that a version holds, as far as this edge knows
	since time.Time        // when it was first seen behind; zero: it was not
	seen  uint64           // seq at which the flow was when one looked last
	moved time.Time        // when it came there, about

	// fresh says that changes came since the last version: it is worth one when the session ends.
	fresh   bool
	parting *parting
}

// parting is the version that is owed when a session has ended.
type parting struct{ changed []noted }

const (
	partWithin = 3 * time.Second // that a flow takes for it before it ends
	mostParts  = 8               // at once on an edge: a document is read for each
)

// keepInTime makes a version, as the holder of the lease must, if one is due: some while after the first
// change that no version holds, or when the flow came to rest after it.
func (f *Flow) keepInTime(ctx context.Context) error {
	var d session.Folded
	var changed []noted
	due := false
	f.guard(func() {
		if due = f.keepDue(time.Now()); due {
			d, changed = f.folded(), f.history.authors.newest()
		}
	})
	if !due {
		return nil
	}
	if _, err := f.hub.keepVersion(ctx, f.store, d, "", changed); err != nil && !errors.Is(err, session.ErrGone) {
		return err
	}
	f.guard(func() {
		k := &f.keeping
		k.at, k.since = d.Position, time.Time{}
		if f.history.Epoch == d.Epoch {
			f.history.authors.forget(d.Seq)
			k.fresh = f.history.Seq > d.Seq
		}
	})
	return nil
}

func (f *Flow) keepDue(now time.Time) bool {
	h, k, bounds := &f.history, &f.keeping, f.hub.VersionBounds
	if bounds.Interval == 0 || f.content.doc == nil || !h.known() || h.Seq == 0 || h.Position == k.at {
		k.since = time.Time{}
		return false
	}
	if k.seen != h.Seq {
		k.seen, k.moved = h.Seq, now
	}
	if k.since.IsZero() {
		k.since = now
	}
	return now.Sub(k.since) >= bounds.Interval || now.Sub(k.moved) >= bounds.Rest()
}

// oweVersion has a version made of what the session's last member leaves behind. The caller holds the lock.
func (f *Flow) oweVersion() {
	if k := &f.keeping; k.fresh && f.hub.VersionBounds.Interval > 0 && k.at != f.history.Position {
		k.parting, k.fresh = &parting{f.history.authors.newest()}, false
		f.kick()
	}
}

// part makes the version that is owed, on the service's own goroutine: the flow is not done before.
func (f *Flow) part(ctx context.Context, owed *parting) {
	ctx, cancel := context.WithTimeout(ctx, partWithin)
	defer cancel()
	select {
	case f.hub.parting <- struct{}{}:
		defer func() { <-f.hub.parting }()
	case <-ctx.Done():
		return
	}
	if err := f.hub.keepNow(ctx, f.store, owed.changed); err != nil {
		f.hub.Log.Warn("cannot keep a version of a flow whose session has ended", "flow", f.id, "error", err)
	}
}
