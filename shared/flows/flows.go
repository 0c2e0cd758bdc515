// Package flows is the boundary of Helix: the words (flow id, change, member, event), the refusals,
// and the verbs join, leave, change, status, list and close. It validates, then calls the session
// manager that it was given; it knows no protocol and no store.
package flows

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits bound what a client may ask for.
type Limits struct {
	MaxChangeBytes int // size of one change's JSON text
	MaxDepth       int // nesting of objects and arrays in a change
}

// DefaultLimits are the limits of design.md.
var DefaultLimits = Limits{MaxChangeBytes: 1 << 20, MaxDepth: 128}

// Bounds on what a client tells of itself and to the others, in bytes.
const (
	MaxClientIDBytes   = 128
	MaxPresenceBytes   = 4 << 10
	MaxSignalTypeBytes = 64
	MaxSignalBytes     = 16 << 10
)

// Status is what is known of a flow's session.
type Status struct {
	Flow         ID
	Active       bool
	ClientCount  int       // in the whole cluster
	LastActivity time.Time // zero when not active
	StartedAt    time.Time // zero when not active
}

// Sessions is the session manager that the boundary stands on.
type Sessions interface {
	Documents
	Versions
	Members
	// Join gets or starts the flow's session and asks it for a place. It does not block; m learns
	// the outcome.
	Join(id ID, opts JoinOptions, m Member) Membership
	// Change orders and publishes one change of a client outside the session.
	Change(ctx context.Context, id ID, c Change) (Receipt, error)
	// Status tells of one session; a flow without one is not active, which is no error.
	Status(ctx context.Context, id ID) (Status, error)
	// Active lists the sessions of the whole cluster by flow id.
	Active(ctx context.Context) ([]Status, error)
	// Close ends the flow's session everywhere and says how many clients it had.
	Close(ctx context.Context, id ID) (affected int, err error)
}

// Flows is the boundary. Its methods are safe for concurrent use; their errors are the Errors of
// this package.
type Flows struct {
	sessions Sessions
	limits   Limits
}

// New makes the boundary over sessions.
func New(sessions Sessions, limits Limits) *Flows {
	return &Flows{sessions: sessions, limits: limits}
}

// Join asks for a place in the flow that rawID names. ErrInvalidFlowID and ErrInvalidParams come at
// once; every other outcome is told to m.
func (f *Flows) Join(rawID string, opts JoinOptions, m Member) (Membership, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return nil, err
	}
	if len(opts.ClientID) > MaxClientIDBytes || !utf8.ValidString(opts.ClientID) {
		return nil, ErrInvalidParams
	}
	if opts.Presence != nil {
		if err := f.CheckPresence(opts.Presence); err != nil {
			return nil, err
		}
	}
	return f.sessions.Join(id, opts, m), nil
}

// CheckChange says whether a change may be made at all: an object, not too large, not too deep.
// Members' changes are checked with it before Membership.Change.
func (f *Flows) CheckChange(changes []byte) error {
	switch {
	case len(changes) > f.limits.MaxChangeBytes:
		return ErrChangeTooLarge
	case len(changes) == 0 || changes[0] != '{':
		return ErrInvalidChange
	case depth(changes) > f.limits.MaxDepth:
		return ErrChangeTooDeep
	}
	return nil
}

// CheckPresence says whether a client may tell this of itself: an object, not too large, not too deep.
// Join checks it; Membership.Present must be given what passed.
func (f *Flows) CheckPresence(meta []byte) error {
	switch {
	case len(meta) == 0 || meta[0] != '{':
		return ErrInvalidParams.Because(errors.New("presence must be an object"))
	case len(meta) > MaxPresenceBytes || depth(meta) > f.limits.MaxDepth:
		return ErrInvalidParams.Because(fmt.Errorf("presence of %d bytes is too large or too deep", len(meta)))
	}
	return nil
}

// CheckSignal says whether a signal may be sent. Members' signals are checked with it before
// Membership.Signal.
func (f *Flows) CheckSignal(s Signal) error {
	switch {
	case s.Type == "" || len(s.Type) > MaxSignalTypeBytes || !utf8.ValidString(s.Type):
		return ErrInvalidParams.Because(errors.New("a signal's type is a string of 1 to 64 bytes"))
	case len(s.Data) > MaxSignalBytes || depth(s.Data) > f.limits.MaxDepth:
		return ErrInvalidParams.Because(fmt.Errorf("signal data of %d bytes is too large or too deep", len(s.Data)))
	}
	return nil
}

// Change makes one change from outside a session, as the HTTP API does.
func (f *Flows) Change(ctx context.Context, rawID string, c Change) (Receipt, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Receipt{}, err
	}
	if err := f.CheckChange(c.Changes); err != nil {
		return Receipt{}, err
	}
	r, err := f.sessions.Change(ctx, id, c)
	return r, mask(err)
}

// Status tells of the flow's session.
func (f *Flows) Status(ctx context.Context, rawID string) (Status, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Status{}, err
	}
	s, err := f.sessions.Status(ctx, id)
	return s, mask(err)
}

// ActiveSessions lists the sessions of the whole cluster, in no particular order.
func (f *Flows) ActiveSessions(ctx context.Context) ([]Status, error) {
	s, err := f.sessions.Active(ctx)
	return s, mask(err)
}

// ForceClose ends the flow's session everywhere and says how many clients it had.
func (f *Flows) ForceClose(ctx context.Context, rawID string) (affected int, err error) {
	id, err := ParseID(rawID)
	if err != nil {
		return 0, err
	}
	affected, err = f.sessions.Close(ctx, id)
	return affected, mask(err)
}

func mask(err error) error {
	if err == nil {
		return nil
	}
	return AsError(err)
}

// depth counts how deep valid JSON nests; a scalar has depth 0.
func depth(json []byte) int {
	deepest, now := 0, 0
	for i := 0; i < len(json); i++ {
		switch json[i] {
		case '{', '[':
			if now++; now > deepest {
				deepest = now
			}
		case '}', ']':
			now--
		case '"':
			for i++; i < len(json) && json[i] != '"'; i++ {
				if json[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}
