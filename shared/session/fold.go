package session

import (
	"context"
	"strconv"
	"time"

	"helix/shared/lanes"
)

// Folded is a document at one position, with what a list of flows shows of it.
type Folded struct {
	Held
	Bytes    uint64 // of all changes of the epoch up to the position
	Document []byte
	Title    string
	Nodes    int
	Edges    int
	// KeepFrom is the oldest seq that the log keeps at most; what the snapshot does not hold stays anyway.
	KeepFrom uint64
}

// Fold writes the document as the flow's snapshot and trims the log behind it. written is false where a
// snapshot as new is there or the epoch is over. ErrLeaseLost: nothing was done.
func (l *Lease) Fold(ctx context.Context, d Folded) (written bool, err error) {
	return l.flow.fold(ctx, l.token, d)
}

// FoldVacant is Fold for a flow whose lease nobody holds: one that is changed without a session.
func (f *Flow) FoldVacant(ctx context.Context, d Folded) (written bool, err error) {
	return f.fold(ctx, 0, d)
}

func (f *Flow) fold(ctx context.Context, token int64, d Folded) (written bool, err error) {
	s, k := f.store, f.keys
	reply, err := s.lanes.Run(ctx, foldScript, []string{k.Lease, k.Head, k.Log, k.Snapshot, k.Answered, k.Versions},
		s.argNode, token, d.Epoch, d.Seq, d.Bytes, d.Document, len(d.Document), d.Title, d.Nodes, d.Edges, d.KeepFrom, s.argRetention, d.at())
	if err != nil {
		return false, err
	}
	r := reader{values: []any{reply}}
	switch r.integer() {
	case 1:
		return true, nil
	case -1:
		return false, ErrLeaseLost
	}
	return false, r.failed("fold")
}

// AnsweredChange is the newest change id that was answered for a client.
type AnsweredChange struct {
	ClientID string
	ID       uint64
	At       time.Time
}

// Restore puts a document back that Redis lost. held is where the node held it, found what Redis has
// now. done, which must not block, gets the new epoch, or an empty one where Redis changed meanwhile and
// nothing was done.
func (f *Flow) Restore(held Position, found Held, d Folded, answered []AnsweredChange, done func(epoch string, err error)) {
	s, k := f.store, f.keys
	args := []any{
		f.argID, found.Epoch, found.Seq, newEpoch(), d.Document, len(d.Document), d.Title, d.Nodes, d.Edges,
		held.String(), s.argRetention, s.argPublish,
	}
	for _, a := range answered {
		args = append(args, a.ClientID, strconv.FormatUint(a.ID, 10)+" "+strconv.FormatInt(a.At.UnixMilli(), 10))
	}
	s.lanes.Start(restoreScript, []string{k.Head, k.Log, k.Snapshot, k.Answered, k.Flows, k.Channel, k.Versions}, args, func(reply any, err error) {
		switch {
		case lanes.IsNil(err):
			done("", nil)
		case err != nil:
			done("", err)
		default:
			r := reader{values: []any{reply}}
			done(r.text(), r.failed("restore"))
		}
	})
}

// Delete ends the flow's session and removes its document. With only, it does so in exactly that place,
// else ErrMoved and nothing was done.
func (f *Flow) Delete(ctx context.Context, only *Position) (existed bool, affected int, err error) {
	s, k := f.store, f.keys
	reply, err := s.lanes.Run(ctx, deleteScript,
		[]string{k.Lease, k.Session, k.Head, k.Index, k.Channel, k.Log, k.Snapshot, k.Answered, k.Flows, k.Versions, k.Presence, k.Authors},
		f.argID, s.argRetention, s.argPublish, newEpoch(), onlyAt(only))
	if err != nil {
		return false, 0, err
	}
	r := reader{values: asList(reply)}
	if r.text() == "moved" {
		return false, 0, ErrMoved
	}
	return r.integer() == 1, int(r.integer()), r.failed("delete")
}
