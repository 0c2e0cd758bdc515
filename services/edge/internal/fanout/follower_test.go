package fanout_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"helix/shared/document"
	"helix/shared/flows"
)

// follower is a client that keeps the document, as the client library does, and checks on its way that
// no seq goes back or is left out.
type follower struct {
	t          testing.TB
	membership flows.Membership

	mu       sync.Mutex
	more     sync.Cond
	joined   *flows.Joined
	refused  error
	at       flows.Position
	doc      *document.Document
	updates  int
	syncs    int
	catchups int
	answers  map[string]string
	took     int // frames

	// A client that is slow takes so many more frames; negative: any number.
	room   int
	missed bool // it did not take one
	counts int  // the newest client count that it was told

	signals string // that it took, one behind the other
}

// wire is what it is sent, as lines of JSON.
type wire struct{}

type wireEvent struct {
	Kind    flows.EventKind
	Epoch   string
	From    uint64
	Seq     uint64
	Changes json.RawMessage   `json:",omitempty"`
	Patches []json.RawMessage `json:",omitempty"`
	Count   int               `json:",omitempty"`
	Type    string            `json:",omitempty"`
}

func (wire) AppendFrame(dst []byte, e flows.Event) []byte {
	w := wireEvent{Kind: e.Kind, Epoch: e.Epoch, From: e.FromSeq, Seq: e.Seq, Count: e.ClientCount, Type: e.Type}
	if e.Changes != "" {
		w.Changes = json.RawMessage(e.Changes)
	}
	for _, p := range e.Patches {
		w.Patches = append(w.Patches, p)
	}
	line, err := json.Marshal(w)
	if err != nil {
		panic(err)
	}
	return append(append(dst, line...), '\n')
}

func (n *node) follow(id string, opts flows.JoinOptions) *follower {
	n.t.Helper()
	f := &follower{t: n.t, answers: map[string]string{}, doc: document.New(), room: -1}
	f.more.L = &f.mu
	m, err := n.flows.Join(id, opts, f)
	if err != nil {
		n.t.Fatal(err)
	}
	f.membership = m
	f.until("its join's answer", func() bool { return f.joined != nil || f.refused != nil })
	if f.refused != nil {
		n.t.Fatalf("the join was refused: %v", f.refused)
	}
	return f
}

func (f *follower) change(id uint64, changes string) {
	f.membership.Change(flows.Change{Changes: []byte(changes), Tag: fmt.Append(nil, id), ID: id})
}

// acked waits for the answer to a change and gives it.
func (f *follower) acked(id uint64) string {
	f.t.Helper()
	f.until(fmt.Sprint("the answer to ", id), func() bool { return f.answers[fmt.Sprint(id)] != "" })
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answers[fmt.Sprint(id)]
}

// reaches waits until the follower's document is this one.
func (f *follower) reaches(want string) {
	f.t.Helper()
	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		f.t.Fatal(err)
	}
	f.until("the document "+want, func() bool {
		var got any
		_ = json.Unmarshal(f.doc.AppendJSON(nil), &got)
		return reflect.DeepEqual(got, wanted)
	})
}

func (f *follower) document() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.doc.AppendJSON(nil))
}

func (f *follower) until(what string, ok func() bool) {
	f.t.Helper()
	late := false
	timer := time.AfterFunc(20*time.Second, func() {
		f.mu.Lock()
		late = true
		f.mu.Unlock()
		f.more.Broadcast()
	})
	defer timer.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for !ok() {
		if late {
			f.t.Fatalf("no %s; at %v: %s", what, f.at, f.doc.AppendJSON(nil))
		}
		f.more.Wait()
	}
}

func (f *follower) note(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
	f.more.Broadcast()
}

func (f *follower) Encoding() flows.Encoding { return wire{} }
func (f *follower) Refused(err error)        { f.note(func() { f.refused = err }) }
func (f *follower) Ended(flows.End)          {}

func (f *follower) Joined(j flows.Joined) {
	f.note(func() {
		f.joined, f.at = &j, flows.Position{Epoch: j.Epoch, Seq: j.Seq}
		if j.Document != nil {
			f.set(j.Document)
		}
	})
}

func (f *follower) set(doc []byte) {
	d, err := document.Parse(doc, document.Limits{})
	if err != nil {
		f.t.Errorf("%s: %v", doc, err)
		return
	}
	f.doc = d
}

func (f *follower) apply(patch []byte) {
	if err := f.doc.Apply(patch); err != nil {
		f.t.Errorf("%s: %v", patch, err)
	}
}

func (f *follower) Answered(tag []byte, r flows.Receipt, err error) {
	answer := fmt.Sprint("ok ", r.Seq)
	if err != nil {
		answer = flows.AsError(err).Code
	}
	key := string(tag)
	f.note(func() { f.answers[key] = answer })
}

func (f *follower) Deliver(frames []byte) {
	f.note(func() {
		for line := range strings.Lines(string(frames)) {
			var e wireEvent
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				f.t.Errorf("%s: %v", line, err)
			}
			f.took++
			f.event(e)
		}
	})
}

// CatchUp implements flows.Member.
func (f *follower) CatchUp(frame []byte) { f.Deliver(frame) }

// Offer implements flows.Member.
func (f *follower) Offer(frames []byte) bool {
	f.mu.Lock()
	if f.room == 0 {
		f.missed = true
		f.mu.Unlock()
		return false
	}
	f.room--
	f.mu.Unlock()
	f.Deliver(frames)
	return true
}

// slow lets the follower take no more than so many frames, until drain.
func (f *follower) slow(room int) { f.note(func() { f.room = room }) }

// drain says that the follower took what waited, and takes so many more.
func (f *follower) drain(room int) {
	f.mu.Lock()
	missed := f.missed
	f.room, f.missed = room, false
	f.mu.Unlock()
	if missed {
		f.membership.Drained()
	}
}

func (f *follower) event(e wireEvent) {
	switch e.Kind {
	case flows.EventClientJoined, flows.EventClientLeft:
		f.counts = e.Count
		return
	case flows.EventSignal:
		f.signals += e.Type + " " + string(e.Changes)
		return
	case flows.EventUpdate:
		f.updates++
		if e.Epoch != f.at.Epoch || e.Seq != f.at.Seq+1 {
			f.t.Errorf("update %s %d behind %v", e.Epoch, e.Seq, f.at)
		}
		f.apply(e.Changes)
	case flows.EventSync:
		f.syncs++
		f.set(e.Changes)
	case flows.EventCatchup:
		f.catchups++
		if e.Epoch != f.at.Epoch || e.From > f.at.Seq || e.Seq <= f.at.Seq {
			f.t.Errorf("catchup %s from %d to %d behind %v", e.Epoch, e.From, e.Seq, f.at)
		}
		for _, p := range e.Patches {
			f.apply(p)
		}
	default:
		return
	}
	f.at = flows.Position{Epoch: e.Epoch, Seq: e.Seq}
}
