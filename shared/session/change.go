package session

import (
	"context"
	"fmt"

	"helix/shared/flows"
)

// Changed says where a run of changes went.
type Changed struct {
	Epoch   string
	First   uint64 // seq of the run's first change; the others follow without gaps
	Counted bool   // the node's clients are counted in the session
	Token   int64  // fencing token where this node holds the lease, else 0
}

// Change orders and publishes a run of changes in one step. done must not block. body is read until
// done is called. An error that is no reply of Redis leaves open whether the run was carried out.
func (f *Flow) Change(body Body, done func(Changed, error)) {
	s := f.store
	args := []any{s.argNode, body.count, body.bytes, s.argLeaseTTL, s.argRetention, newEpoch(), s.argPublish}
	s.lanes.Start(changeScript, f.changeKeys, args, func(reply any, err error) {
		if err != nil {
			done(Changed{}, err)
			return
		}
		r := reader{values: asList(reply)}
		out := Changed{Epoch: r.text(), First: uint64(r.integer()), Counted: r.integer() == 1, Token: r.integer()}
		done(out, r.failed("change"))
	})
}

// ChangeOne makes one change from outside the session and waits.
func (f *Flow) ChangeOne(ctx context.Context, c flows.Change) (flows.Receipt, error) {
	var body Body
	body.Start(f.store.node, 0)
	body.Add(0, c.ClientID, c.Changes)
	type result struct {
		changed Changed
		err     error
	}
	out := make(chan result, 1)
	f.Change(body, func(changed Changed, err error) { out <- result{changed, err} })
	select {
	case r := <-out:
		return flows.Receipt{Seq: r.changed.First, Epoch: r.changed.Epoch}, r.err
	case <-ctx.Done():
		return flows.Receipt{}, fmt.Errorf("change the flow: %w", ctx.Err())
	}
}
