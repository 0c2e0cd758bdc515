package session_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"helix/shared/document"
	"helix/shared/flows"
	"helix/shared/session"
)

// spec is one flow as Redis is to hold it, said once more without Redis: its methods are the steps of
// package session, and answer and publish what those must. Read it as the specification of a session.
//
// Redis has two clocks. What scripts compare are times that TIME told; it may go back, when a server
// takes over whose clock is behind. What ends keys is their TTL, which only ever runs.
type spec struct {
	opts session.Options
	time int64 // ms since 1970, as TIME tells it
	age  int64 // ms that TTLs have run

	lease    *heldLease
	session  *openSession
	head     *flowHead
	log      *flowLog
	snapshot *storedSnapshot
	answered *answeredIDs

	versions *keptVersions
	authors  *notedAuthors

	listed bool // in the index of documents

	told []session.Message // that were published and not yet looked for
}

// heldLease: one node at most has the session's duties.
type heldLease struct {
	node  string
	token int64
	until int64 // in spec.age, as every until
}

// openSession: the time during which the flow has clients.
type openSession struct {
	number            int64
	started, activity int64
	version           int64
	nodes             map[string]nodeClients
	until             int64
}

type nodeClients struct {
	clients  int
	deadline int64 // in spec.time: past it the node is dead
}

// flowHead: where the flow is. The history is what it took since the epoch began with the base document.
type flowHead struct {
	epoch   string
	seq     uint64
	at      time.Time // of the newest run; zero: the epoch has none
	bytes   uint64
	size    int64 // of the document at some seq, less the bytes at that seq
	folded  uint64
	from    session.Position
	deleted string // the epoch that the last deletion ended
	base    string
	history []session.Change

	sessions, closed, fence int64
	until                   int64
}

type flowLog struct {
	runs  []*session.Update
	until int64
}

type storedSnapshot struct {
	epoch    string
	seq      uint64
	bytes    uint64
	document string
	until    int64
}

// answeredIDs: the newest change id of each client, and the seq that it got in this epoch or 0.
type answeredIDs struct {
	newest map[string]answeredID
	until  int64
}

type answeredID struct{ id, seq uint64 }

// keptVersions: what the document was before, and who changed it.
type keptVersions struct {
	number    uint64
	list      []flows.Version
	documents map[string]string // by the version's id
	until     int64
}

type notedAuthors struct {
	known map[string]flows.Author // by client id
	until int64
}

// pass lets time go by, or back: TTLs run on only forwards.
func (s *spec) pass(d time.Duration) {
	s.time += d.Milliseconds()
	s.age += max(d.Milliseconds(), 0)
	drop(&s.lease, s.age, func(v *heldLease) int64 { return v.until })
	drop(&s.session, s.age, func(v *openSession) int64 { return v.until })
	drop(&s.head, s.age, func(v *flowHead) int64 { return v.until })
	drop(&s.log, s.age, func(v *flowLog) int64 { return v.until })
	drop(&s.snapshot, s.age, func(v *storedSnapshot) int64 { return v.until })
	drop(&s.answered, s.age, func(v *answeredIDs) int64 { return v.until })
	drop(&s.versions, s.age, func(v *keptVersions) int64 { return v.until })
	drop(&s.authors, s.age, func(v *notedAuthors) int64 { return v.until })
}

func drop[T any](key **T, age int64, until func(*T) int64) {
	if *key != nil && until(*key) <= age {
		*key = nil
	}
}

// forget is a Redis that comes back empty.
func (s *spec) forget() { *s = spec{opts: s.opts, time: s.time, age: s.age} }

// clone is what a copy of Redis holds.
func (s *spec) clone() *spec {
	c := *s
	c.told = nil
	c.lease, c.snapshot = copied(s.lease), copied(s.snapshot)
	if c.session = copied(s.session); c.session != nil {
		c.session.nodes = maps.Clone(c.session.nodes)
	}
	if c.head = copied(s.head); c.head != nil {
		c.head.history = slices.Clone(c.head.history)
	}
	if c.log = copied(s.log); c.log != nil {
		c.log.runs = slices.Clone(c.log.runs)
	}
	if c.answered = copied(s.answered); c.answered != nil {
		c.answered.newest = maps.Clone(c.answered.newest)
	}
	if c.versions = copied(s.versions); c.versions != nil {
		c.versions.list, c.versions.documents = slices.Clone(c.versions.list), maps.Clone(c.versions.documents)
	}
	if c.authors = copied(s.authors); c.authors != nil {
		c.authors.known = maps.Clone(c.authors.known)
	}
	return &c
}

func copied[T any](v *T) *T {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}

// comeBackOlder is a Redis that restarts with what a copy held; what ended meanwhile has ended.
func (s *spec) comeBackOlder(c *spec) {
	at, age := s.time, s.age
	*s = *c.clone()
	s.time, s.age = at, age
	s.pass(0)
}

// position is the newest that is known; zero where nothing is.
func (s *spec) position() session.Position {
	if s.head == nil {
		return session.Position{}
	}
	return session.Position{Epoch: s.head.epoch, Seq: s.head.seq}
}

// newest is the position with its time.
func (s *spec) newest() session.Held {
	if s.head == nil {
		return session.Held{}
	}
	return session.Held{Position: s.position(), At: s.head.at}
}

// document at a seq of this epoch: the fold of the history.
func (s *spec) document(seq uint64) string {
	doc := document.New()
	if s.head != nil && s.head.base != "" {
		doc = mustParse(s.head.base)
	}
	for i := range seq {
		if err := doc.Apply([]byte(s.head.history[i].Changes)); err != nil {
			panic(err)
		}
	}
	return string(doc.AppendJSON(nil))
}

func mustParse(json string) *document.Document {
	doc, err := document.Parse([]byte(json), document.Limits{})
	if err != nil {
		panic(err)
	}
	return doc
}

// bytesAt is how many bytes the changes of the epoch up to a seq have.
func (s *spec) bytesAt(seq uint64) (bytes uint64) {
	for _, c := range s.head.history[:seq] {
		bytes += sizeOf(c)
	}
	return bytes
}

// sizeOf is what a change adds to a run.
func sizeOf(c session.Change) uint64 {
	var body session.Body
	body.Start("n", 1)
	open := body.Size()
	body.Add(c.Member, c)
	return uint64(body.Size() - open)
}

// retained is until when what outlives sessions lives from now on.
func (s *spec) retained() int64 { return s.age + s.opts.Retention.Milliseconds() }

// retain renews all that belongs to the document.
func (s *spec) retain() {
	until := s.retained()
	if s.head != nil {
		s.head.until = until
	}
	if s.log != nil {
		s.log.until = until
	}
	if s.snapshot != nil {
		s.snapshot.until = until
	}
	if s.answered != nil {
		s.answered.until = until
	}
	if s.versions != nil {
		s.versions.until = until
	}
}

// broken says what must never be true, whatever was done; empty is well.
func (s *spec) broken() string {
	switch {
	case s.session != nil && s.head == nil:
		return "a session without a head"
	case s.lease != nil && s.lease.token > s.head.fence:
		return "a fencing token that was not given"
	case s.session != nil && s.session.number <= s.head.closed:
		return "a session goes on after its end"
	case s.head == nil:
		return ""
	case s.head.seq != uint64(len(s.head.history)):
		return "a seq without a change, or a change without a seq"
	case int64(s.head.bytes)+s.head.size < int64(len(s.document(s.head.seq))):
		return "the document is larger than its bound"
	}
	if s.versions != nil {
		for _, v := range s.versions.list {
			if _, there := s.versions.documents[v.ID]; !there {
				return "a version without a document"
			}
		}
		if len(s.versions.documents) != len(s.versions.list) {
			return "a document of a version that is gone"
		}
	}
	ids := map[string]uint64{}
	for i, c := range s.head.history {
		if c.ID > 0 && c.ID <= ids[c.ClientID] {
			return fmt.Sprintf("change %d of %s is in the history twice, or late, at %d", c.ID, c.ClientID, i+1)
		}
		if c.ID > 0 {
			ids[c.ClientID] = c.ID
		}
	}
	return ""
}
