package flows

import (
	"strconv"
	"time"
)

// Member is one client's place in a flow as the protocol side sees it. The session side calls its
// methods one at a time, in the order in which they happened in the flow, and with the flow locked:
// an implementation must not block and must not call back into its Membership.
//
// The calls of one member are: Joined or Refused once and first; then any number of Deliver and
// Answered; then Ended at most once and last. After Membership.Leave has returned there are none.
type Member interface {
	// Encoding turns events into frames. Members whose Encodings are equal (==) share the bytes.
	Encoding() Encoding
	// Joined says that the client is in.
	Joined(Joined)
	// Refused says that it is not: ErrMaxClients or ErrUnavailable.
	Refused(error)
	// Answered gives the outcome of one Membership.Change: tag is that change's. Outcomes come in the
	// order of the changes, and each before the Deliver of that change. tag is only lent.
	Answered(tag []byte, receipt Receipt, err error)
	// Deliver hands over one or more frames that Encoding made. The bytes are shared: read only. A client
	// for which too much waits already is given up.
	Deliver(frames []byte)
	// Offer is Deliver for what can be made good later. taken is false where too much waits for the
	// client: it then misses the frames, and Membership.Drained must be called when it took what waited.
	Offer(frames []byte) (taken bool)
	// CatchUp is Deliver for one large frame that stands for all that the client missed.
	CatchUp(frame []byte)
	// Ended says that the server's side is over.
	Ended(End)
}

// Encoding makes the frame of an event for all members that share it. It must be comparable.
type Encoding interface {
	// AppendFrame appends the event's finished frame to dst; frames may stand one behind the other.
	AppendFrame(dst []byte, e Event) []byte
}

// Membership is a client's hold on a flow, from the moment it asked to join.
type Membership interface {
	// Change asks for one change; Member.Answered tells the outcome. c is copied. It blocks only
	// while the flow has more unanswered bytes than its bound, and never longer than the store's
	// deadline.
	Change(c Change)
	// Present replaces what the others see of a member that joined with Presence. meta is copied.
	Present(meta []byte)
	// Signal passes a signal on to the flow's other members. It is not kept; of one member and type the
	// newest wins where they come too fast. s is copied.
	Signal(s Signal)
	// Drained says that the client took what waited for it, after an Offer that was not taken. It never
	// blocks and may be called with locks held.
	Drained()
	// Leave gives the place up. It never blocks on the network and may be called more than once.
	Leave()
}

// JoinOptions are the join parameters of protocol.md, checked.
type JoinOptions struct {
	// ClientID is the client's own stable id; empty means: make one.
	ClientID string
	// NoEcho leaves the client's own changes out of what is delivered to it.
	NoEcho bool
	// Sync asks for the document with the answer. A client that joined with Sync or Resume understands
	// EventSync and EventCatchup.
	Sync bool
	// Presence is what the others may see of the client, a JSON object; nil: it takes no part.
	Presence []byte
	// UserID and UserName are of the client's token; empty: it had none.
	UserID   string
	UserName string
	// Resume asks for what came behind it instead, where that is still known; the zero Position: it does not.
	Resume Position
}

// Follows says that the client understands more than updates: it asked for the document or to resume.
func (o JoinOptions) Follows() bool { return o.Sync || o.Resume != (Position{}) }

// Hears says that the client understands signals: it asked for anything that Helix adds.
func (o JoinOptions) Hears() bool { return o.Follows() || o.Presence != nil }

// Position is a place in a flow's history. The zero Position is none.
type Position struct {
	Epoch string
	Seq   uint64
}

// String is "<epoch> <seq>".
func (p Position) String() string { return p.Epoch + " " + strconv.FormatUint(p.Seq, 10) }

// Joined is what a client learns when it joins.
type Joined struct {
	Membership  Membership // the client's, though Join may not have returned it yet
	ClientID    string
	ClientCount int // in the whole cluster, this client included
	Epoch       string
	Seq         uint64    // the newest change before the first one delivered
	StartedAt   time.Time // when the session began

	// For a client that asked to resume and could: what it missed up to Seq, which may be nothing.
	Resumed bool
	Missed  []Numbered
	// Document at Seq as JSON, for a client that asked for it, or could not resume. Shared: read only.
	Document []byte
}

// Numbered is a change with its seq.
type Numbered struct {
	Seq     uint64
	Changes string // JSON
}

// Change is one merge patch to a flow's document.
type Change struct {
	// Changes is the patch as valid JSON text; that it is valid is the caller's promise.
	Changes []byte
	// Tag comes back with the answer; the boundary does not read it.
	Tag []byte
	// ClientID says who changed it, for changes that come from outside a session; UserID and UserName are of
	// the token that came with it, if one did.
	ClientID string
	UserID   string
	UserName string
	// ID is the change id that its client gave it: rising per client id, so that a change which is sent
	// again counts once. 0: none.
	ID uint64
	// Trace follows the change on its way, where that is wanted; the boundary only passes it on.
	Trace Trace
}

// Trace is where a change is on its way, for who looks later where its time went.
type Trace interface {
	// Parent names the place to those who go on from it: a W3C traceparent, or empty for none.
	Parent() string
}

// Signal is a message from one member to the others: a cursor, typing.
type Signal struct {
	Type string
	Data []byte // valid JSON; that it is valid is the caller's promise
}

// Presence is what one client tells the others of itself.
type Presence struct {
	ClientID string
	Ref      string // changes whenever Meta does
	Meta     string // a JSON object
}

// Receipt says where a change went.
type Receipt struct {
	Seq   uint64
	Epoch string
}

// End says why the server ended a membership.
type End int

const (
	// EndDeleted says that somebody closed the flow's session on purpose. The client was told flow_deleted.
	EndDeleted End = iota + 1
	// EndIdle says that nothing happened in the session for its inactivity timeout.
	EndIdle
	// EndFailed says that this edge's part of the flow failed; joining again helps.
	EndFailed
)

// EventKind tells what an Event is about.
type EventKind int

// What an Event may be about.
const (
	EventUpdate EventKind = iota + 1
	EventClientJoined
	EventClientLeft
	EventDeleted
	// EventSync replaces what the client has by Changes, the document at Seq.
	EventSync
	// EventCatchup stands for all changes after FromSeq up to Seq: Patches, to be applied in turn.
	EventCatchup
	// EventPresenceState tells what all clients tell of themselves: Joins.
	EventPresenceState
	// EventPresenceDiff tells what changed: Joins and Leaves; who tells something new is in both.
	EventPresenceDiff
	// EventSignal is a signal of ClientID: Type and Changes, its data.
	EventSignal
)

// Event is what all members of a flow are told.
type Event struct {
	Kind        EventKind
	Flow        ID
	Timestamp   int64      // Unix seconds: EventUpdate, EventDeleted
	Changes     string     // EventUpdate, EventSignal: JSON as its sender wrote it; EventSync: the document
	Seq         uint64     // EventUpdate, EventSync, EventCatchup
	Epoch       string     // the same
	FromSeq     uint64     // EventCatchup
	Patches     [][]byte   // EventCatchup: one or two merge patches
	ClientID    string     // EventUpdate: who changed it; EventSignal: who sent it
	ClientCount int        // EventClientJoined, EventClientLeft
	Type        string     // EventSignal
	Joins       []Presence // EventPresenceState, EventPresenceDiff; by client id
	Leaves      []Presence // EventPresenceDiff; by client id
}
