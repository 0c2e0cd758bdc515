package fanout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// Flow is one flow on this edge.
type Flow struct {
	hub   *Hub
	id    flows.ID
	store *session.Flow
	wake  chan struct{} // tells the service's goroutine to look again; never blocks

	mu sync.Mutex
	// What this edge has.
	members   roster
	nextNum   uint64
	left      int       // members that left since the last registration
	joining   []*member // waiting for a registration
	catching  []catching
	lagging   lagging
	following int  // members, and who will be, that understand flow_sync
	syncOwed  bool // to them: what they have is void, and what takes its place is yet to be read
	retired   bool
	stopped   bool  // the edge shuts down
	live      bool  // the subscription is confirmed
	failure   error // of this flow's code; the service ends with it and starts anew

	// What Redis said.
	sessionEpoch string // of the session that this edge is counted in
	number       int64  // of that session; 0: none
	endedEpoch   string // the newest session that was ended on purpose
	endedNumber  int64
	version      int64         // of count
	count        int           // clients of all edges
	heard        session.Count // the newest count that was published, of whichever session
	token        int64         // of the lease, where this edge has it
	release      func()        // ends the lease's duties

	history     history
	content     content
	registering registration
	repairing   repair
	folding     foldings
	keeping     keeping
	outbox      outbox
	presence    presence
	signals     signals
	receiving   *telemetry.Span // of the message that is handled, where it is followed
	runs        uint64          // counts what made calls that were under way void, for presence and signals
	notice      notice
	rested      uint64    // the seq at which nothing was going on
	armed       time.Time // when the service's goroutine looks again by itself
}

func newFlow(h *Hub, id flows.ID) *Flow {
	f := &Flow{hub: h, id: id, store: h.Store.Flow(id), wake: make(chan struct{}, 1)}
	f.outbox.space.L = &f.mu
	f.outbox.number = rand.Uint64() >> 1 // runs of a Flow before this one are not taken for its own
	return f
}

// Serve is the flow's life: it listens while the flow has anything to do on this edge. It returns nil
// when the flow is done, and an error when its code failed; it may be called again after that.
func (f *Flow) Serve(ctx context.Context) error {
	f.mu.Lock()
	f.failure = nil
	f.mu.Unlock()
	for {
		sub := f.store.Listen(f)
		err := f.run(ctx, sub)
		sub.Close()
		if !errors.Is(err, errNotSubscribed) {
			return err
		}
	}
}

// errNotSubscribed: the subscription did not come about; joins were refused, and who comes now may try again.
var errNotSubscribed = errors.New("not subscribed")

func (f *Flow) run(ctx context.Context, sub *lanes.Subscription) error {
	wait, cancel := context.WithTimeout(ctx, subscribeTimeout)
	err := sub.Wait(wait)
	cancel()
	if err != nil {
		f.refuseWaiting(flows.ErrUnavailable.Because(fmt.Errorf("subscribe to the flow: %w", err)))
		switch {
		case ctx.Err() != nil:
			f.stop()
			return ctx.Err()
		case f.hub.retire(f):
			return nil
		}
		return errNotSubscribed
	}
	f.guard(func() { f.live = true; f.register() })
	defer f.guard(func() { f.live = false })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, owed, err := f.look()
		if err != nil {
			return err
		}
		if owed != nil {
			f.part(ctx, owed)
			continue
		}
		if next == 0 && f.hub.retire(f) {
			return nil
		}
		if next > 0 {
			timer.Reset(next)
		}
		select {
		case <-ctx.Done():
			f.stop()
			return ctx.Err()
		case <-f.wake:
		case <-timer.C:
		}
	}
}

// subscribeTimeout bounds how long joins wait for the subscription; a refused connection tells sooner.
const subscribeTimeout = 5 * time.Second

// look does what is due and says when to look again; 0: when told, for there may be nothing left to do. owed
// is a version that is to be made before.
func (f *Flow) look() (next time.Duration, owed *parting, err error) {
	f.guard(func() {
		now := time.Now()
		if !f.registering.due.IsZero() && !now.Before(f.registering.due) {
			f.registering.wanted, f.registering.due = true, time.Time{}
			if f.rested == f.history.Seq {
				f.rest()
			}
			f.rested = f.history.Seq
		}
		if !f.repairing.due.IsZero() && !now.Before(f.repairing.due) {
			f.repairing.due = time.Time{}
		}
		f.register()
		f.read()
		f.serveLagging()
		f.tellNotice(now)
		if !f.presence.retry.IsZero() && !now.Before(f.presence.retry) {
			f.presence.retry = time.Time{}
		}
		f.present()
		f.tellPresences(now)
		f.sendSignals(now)
		f.armed = f.registering.due
		for _, due := range []time.Time{f.notice.due, f.repairing.due, f.presence.retry, f.presence.due, f.signals.due} {
			if !due.IsZero() && (f.armed.IsZero() || due.Before(f.armed)) {
				f.armed = due
			}
		}
		if !f.armed.IsZero() {
			next = max(time.Until(f.armed), time.Microsecond)
		}
		owed, f.keeping.parting = f.keeping.parting, nil
		if f.done() {
			next, f.armed = 0, time.Time{}
		}
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	return next, owed, f.failure
}

// arm makes sure that the service looks again at t. The caller holds the lock.
func (f *Flow) arm(t time.Time) {
	if f.armed.IsZero() || t.Before(f.armed) {
		f.kick()
	}
}

func (f *Flow) kick() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// done says whether nothing is left to do here. The caller holds the lock.
func (f *Flow) done() bool {
	return f.members.count == 0 && len(f.joining) == 0 && len(f.catching) == 0 && !f.registering.wanted && !f.registering.underWay &&
		f.outbox.empty() && len(f.presence.dirty) == 0 && !f.presence.telling && f.left == 0 && f.failure == nil && f.keeping.parting == nil
}

// retire marks a flow that is done, for good. The caller holds the lock of the hub's shard.
func (f *Flow) retire() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.done() {
		return false
	}
	f.retired = true
	f.dropLease()
	return true
}

// stop lets go of everything when the edge shuts down.
func (f *Flow) stop() {
	f.guard(func() {
		f.refuseCatching(flows.ErrUnavailable.Because(context.Canceled))
		f.refuse(f.takeJoining(), flows.ErrUnavailable.Because(context.Canceled))
		f.end(flows.EndFailed)
		f.dropLease()
		f.outbox.stop()
		f.stopped = true
	})
}

// guard runs a part of the flow's work with the lock held. A panic in it fails this flow alone: its
// members are told, and the supervisor starts the flow anew from what Redis holds.
func (f *Flow) guard(work func()) {
	defer f.hub.Flush()
	defer func() {
		if p := recover(); p != nil {
			f.fail(fmt.Errorf("panic in flow %q: %v\n%s", f.id, p, debug.Stack()))
		}
	}()
	f.mu.Lock()
	defer f.mu.Unlock()
	work()
}

func (f *Flow) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
	f.registering = registration{run: f.registering.run + 1, wanted: true}
	f.repairing = repair{run: f.repairing.run + 1}
	f.outbox.fail()
	f.history, f.content = history{}, content{} // they come from Redis, which has it all
	f.notice = notice{}
	f.runs++
	f.presence, f.signals = presence{}, signals{}
	f.dropLease()
	waiting, in := f.takeJoining(), f.members.clear()
	f.left += len(in) + len(f.catching)
	for _, c := range f.catching {
		waiting = append(waiting, c.member)
	}
	f.catching, f.following = nil, 0
	for _, m := range waiting {
		m.state = memberOut
		harmless(func() { m.Refused(flows.ErrUnavailable.Because(err)) })
	}
	for _, m := range in {
		f.unlag(m)
		harmless(func() { m.Ended(flows.EndFailed) })
	}
	f.kick()
}

// harmless runs what may be the very thing that panicked.
func harmless(work func()) {
	defer func() { _ = recover() }()
	work()
}

// end takes all members out and tells them why. The caller holds the lock.
func (f *Flow) end(why flows.End) {
	for _, m := range f.members.clear() {
		f.unlag(m)
		m.Ended(why)
	}
}

func (f *Flow) dropLease() {
	if f.release != nil {
		f.release()
		f.hub.Metrics.SessionsHeld.Dec()
	}
	f.token, f.release = 0, nil
}

// LeaseLost implements Folder.
func (f *Flow) LeaseLost(token int64) {
	f.guard(func() {
		if f.token == token {
			f.dropLease()
			f.registering.wanted = f.registering.wanted || f.members.count > 0
			f.register()
		}
	})
}

// holdLease takes up the duties of a lease that Redis gave. The caller holds the lock.
func (f *Flow) holdLease(token int64) {
	if token == f.token {
		return
	}
	if token == 0 { // another edge has it
		f.dropLease()
		return
	}
	f.dropLease()
	f.token, f.release = token, f.hub.Hold(f.store.Lease(token), f)
	f.hub.Metrics.SessionsHeld.Inc()
	f.hub.Metrics.LeaseGains.Inc()
	if f.content.doc == nil {
		f.repair()
	}
}
