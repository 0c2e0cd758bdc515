package session

import (
	"context"
	"errors"
	"time"
)

// ErrLeaseLost says that another node holds the lease, or nobody: the caller's fencing token is worth
// nothing any more.
var ErrLeaseLost = errors.New("the lease is lost")

// Lease is a lease that this node was given; its fencing token guards every write that is made under it.
type Lease struct {
	flow  *Flow
	token int64
}

// Lease makes the handle of a lease from the token that Register or Change gave.
func (f *Flow) Lease(token int64) *Lease { return &Lease{flow: f, token: token} }

// Flow is the flow that the lease is of.
func (l *Lease) Flow() *Flow { return l.flow }

// Token is the fencing token.
func (l *Lease) Token() int64 { return l.token }

// Renew keeps the lease for another TTL and says how long nothing has happened in the session.
// ErrLeaseLost ends the holder's duties.
func (l *Lease) Renew(ctx context.Context) (idle time.Duration, err error) {
	s, k := l.flow.store, l.flow.keys
	reply, err := s.lanes.Run(ctx, renewScript, []string{k.Lease, k.Session}, s.argNode, l.token, s.argLeaseTTL)
	if err != nil {
		return 0, err
	}
	r := reader{values: []any{reply}}
	ms := r.integer()
	if ms < 0 {
		return 0, ErrLeaseLost
	}
	return time.Duration(ms) * time.Millisecond, r.failed("renew")
}

// Expire ends the session if nothing has happened in it for the inactivity timeout; ended says whether
// it did. ErrLeaseLost: the lease is not the caller's any more, and nothing was done.
func (l *Lease) Expire(ctx context.Context) (ended bool, err error) {
	s := l.flow.store
	reply, err := s.lanes.Run(ctx, expireScript, l.flow.registerKeys,
		s.argNode, l.token, s.opts.InactivityTimeout.Milliseconds(), string(l.flow.id), s.argRetention, s.argPublish)
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
	return false, r.failed("expire")
}

// HandBack gives the lease up before its TTL does, so that another node takes it at once. Where the
// lease is lost already nothing happens.
func (l *Lease) HandBack(ctx context.Context) error {
	s, k := l.flow.store, l.flow.keys
	_, err := s.lanes.Run(ctx, handbackScript, []string{k.Lease, k.Channel}, s.argNode, l.token, s.argPublish)
	return err
}
