package fanout

import (
	"context"
	"time"

	"helix/shared/session"
)

// Folder brings a flow's snapshot up to date, as the holder of its lease must.
type Folder interface {
	// Fold writes the snapshot under the lease, if there is enough to write or now asks for it, keeps a
	// version if one is due, and says when to look again. ErrLeaseLost: the lease is another node's.
	Fold(ctx context.Context, lease *session.Lease) (next time.Duration, err error)
	// LeaseLost says that the lease with this token is another node's, or nobody's.
	LeaseLost(token int64)
}

// foldings remembers what was folded when, for the log's bounds.
type foldings struct {
	at    time.Time // the last
	seq   uint64
	bytes uint64
	marks []mark // oldest first
}

type mark struct {
	seq, bytes uint64
	at         time.Time
}

const (
	foldEvery   = 5 * time.Second
	foldAfter   = 30 * time.Second // whatever is new is folded after that
	foldChanges = 1000             // unfolded changes that are folded at once
	foldBytes   = 256 << 10        // the same in bytes; and a quarter of the document
	logBytes    = 16 << 20         // that the log keeps of what the snapshot holds
	maxMarks    = 256
)

// Fold implements Folder.
func (f *Flow) Fold(ctx context.Context, lease *session.Lease) (next time.Duration, err error) {
	if next, err = f.foldInTime(ctx, lease); err != nil {
		return next, err
	}
	if err := f.keepInTime(ctx); err != nil {
		f.hub.Log.Warn("cannot keep a version of a flow", "flow", f.id, "error", err)
	}
	return next, nil
}

func (f *Flow) foldInTime(ctx context.Context, lease *session.Lease) (next time.Duration, err error) {
	var d session.Folded
	due := false
	f.guard(func() {
		if due = f.foldDue(time.Now()); due {
			d = f.folded()
			d.KeepFrom = f.keepFrom(time.Now())
		}
	})
	if !due {
		return foldEvery, nil
	}
	written, err := lease.Fold(ctx, d)
	if err != nil {
		return foldEvery, err
	}
	if written {
		f.hub.Metrics.Folds.Inc()
	}
	f.guard(func() {
		if f.history.Epoch == d.Epoch {
			f.folding.at, f.folding.seq, f.folding.bytes = time.Now(), d.Seq, d.Bytes
		}
	})
	return foldEvery, nil
}

func (f *Flow) foldDue(now time.Time) bool {
	h, last := &f.history, &f.folding
	if f.content.doc == nil || !h.known() || h.Seq == 0 {
		return false
	}
	if h.Seq < last.seq { // another epoch
		*last = foldings{}
	}
	fresh := h.bytes - min(last.bytes, h.bytes)
	switch {
	case h.Seq == last.seq:
		return false
	case h.Seq-last.seq >= foldChanges, fresh >= max(foldBytes, uint64(f.content.doc.Size()/4)):
		return true
	}
	return now.Sub(last.at) >= foldAfter || h.Seq == f.rested
}

// keepFrom is the oldest seq that the log keeps: by count, by age, and by bytes.
func (f *Flow) keepFrom(now time.Time) uint64 {
	h, w := &f.history, &f.folding
	if len(w.marks) == maxMarks { // every other one: coarser, and as far back
		kept := w.marks[:0]
		for i := 1; i < maxMarks; i += 2 {
			kept = append(kept, w.marks[i])
		}
		w.marks = kept
	}
	w.marks = append(w.marks, mark{h.Seq, h.bytes, now})
	from := uint64(1)
	if keep := uint64(f.hub.LogChanges); h.Seq > keep {
		from = h.Seq - keep + 1
	}
	for _, m := range w.marks {
		if now.Sub(m.at) > f.hub.LogAge || h.bytes-min(m.bytes, h.bytes) > logBytes {
			from = max(from, m.seq+1)
		}
	}
	return from
}
