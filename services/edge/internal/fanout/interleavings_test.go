package fanout

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// Interleavings of what Redis answers and what it publishes, put together by hand: on a real machine each
// needs its moment. The caller plays Redis.

// notes is a member that writes down what it is told.
type notes struct{ lines []string }

type notesEncoding struct{}

func (notesEncoding) AppendFrame(dst []byte, e flows.Event) []byte {
	name := map[flows.EventKind]string{flows.EventUpdate: "update", flows.EventSync: "sync", flows.EventClientJoined: "joined", flows.EventClientLeft: "left"}[e.Kind]
	return fmt.Appendf(dst, "%s %s %d %s count=%d\n", name, e.Epoch, e.Seq, e.Changes, e.ClientCount)
}

func (*notes) Encoding() flows.Encoding { return notesEncoding{} }
func (n *notes) Deliver(frames []byte)  { n.lines = append(n.lines, strings.TrimSpace(string(frames))) }
func (n *notes) Offer(f []byte) bool    { n.Deliver(f); return true }
func (n *notes) CatchUp(f []byte)       { n.Deliver(f) }
func (n *notes) Joined(j flows.Joined)  { n.lines = append(n.lines, fmt.Sprintf("welcome %d", j.Seq)) }
func (n *notes) Refused(error)          { n.lines = append(n.lines, "refused") }
func (n *notes) Ended(flows.End)        { n.lines = append(n.lines, "ended") }
func (n *notes) Answered([]byte, flows.Receipt, error) {
	n.lines = append(n.lines, "answered")
}

func (n *notes) all() string { return strings.Join(n.lines, "\n") }

// byHand is a flow whose service does not run and whose calls nobody answers but the test.
func byHand(t *testing.T) *Flow {
	t.Helper()
	l, err := lanes.Open(lanes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return newFlow(NewHub(Options{
		Store: session.NewStore(l, "a", session.DefaultOptions), Metrics: telemetry.NewMetrics(prometheus.NewRegistry()), Events: &telemetry.Bus{},
		Log: slog.New(slog.DiscardHandler), Supervise: func(string, Service) {}, Hold: func(*session.Lease, Folder) func() { return func() {} },
		MaxDocument: 8 << 20, LogChanges: 10_000, LogAge: time.Hour,
	}), "f")
}

func timeOf(seq uint64) time.Time {
	if seq == 0 {
		return time.Time{}
	}
	return time.UnixMilli(1000 + int64(seq))
}

func update(seq uint64, changes string) *session.Update {
	return &session.Update{Epoch: "E", First: seq, At: timeOf(seq), Before: timeOf(seq - 1), Node: "x", Changes: []session.Change{{ClientID: "c", Changes: changes}}}
}

func held(seq uint64) session.Held {
	return session.Held{Position: session.Position{Epoch: "E", Seq: seq}, At: timeOf(seq)}
}

// reading has a read under way that was asked for now.
func (f *Flow) reading() {
	f.repairing.underWay, f.repairing.wanted, f.repairing.asked = true, false, f.history.Held
}

func TestRead_answeredBehindALargeChange_losesNothing(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.following = 1
	f.history.start(held(0))
	var all []*session.Update
	for i := uint64(1); i <= 10; i++ {
		u := update(i, fmt.Sprintf(`{"n%d":1}`, i))
		all = append(all, u)
		f.update(u)
	}
	f.reading()
	large := update(11, `{"n11":"`+strings.Repeat("x", 2*maxRecent)+`"}`)
	f.update(large) // Redis answered at 10, this came before the answer
	f.wasRead(&session.Content{Held: held(10), Updates: all}, nil)
	f.update(update(12, `{"n12":1}`))
	if f.content.doc == nil { // it is read again
		f.reading()
		f.wasRead(&session.Content{Held: held(12), Updates: append(all, large, update(12, `{"n12":1}`))}, nil)
	}
	if doc := string(f.documentJSON()); !strings.Contains(doc, "n11") || !strings.Contains(doc, "n12") {
		t.Errorf("the document has %.60s…", doc)
	}
}

func TestRead_ofAnotherHistory_isNoticed_wheresoeverItBegins(t *testing.T) {
	t.Parallel()
	third, fourth := update(3, `{"new3":1}`), update(4, `{"new4":1}`)
	third.At, fourth.Before, fourth.At = time.UnixMilli(5000), time.UnixMilli(5000), time.UnixMilli(5001)
	for name, test := range map[string]struct {
		holds  bool
		behind bool
		want   string
	}{
		"of the document, by who does not hold it": {want: "sync E 4 "},
		"for who resumes, by who holds it":         {holds: true, behind: true, want: ""},
	} {
		f := byHand(t)
		f.mu.Lock()
		f.history.start(held(0))
		if test.holds {
			if err := f.load(&session.Content{}); err != nil {
				t.Fatal(err)
			}
		}
		told := &notes{}
		f.members.add(&member{Member: told, flow: f, follows: true})
		f.following = 1
		for i := uint64(1); i <= 3; i++ {
			f.update(update(i, map[uint64]string{1: `{"n1":1}`, 2: `{"n2":1}`, 3: `{"lost3":1}`}[i]))
		}
		f.reading()
		f.wasRead(&session.Content{Held: session.Held{Position: session.Position{Epoch: "E", Seq: 4}, At: fourth.At}, Behind: test.behind, Updates: []*session.Update{update(1, `{"n1":1}`), update(2, `{"n2":1}`), third, fourth}}, nil)
		switch {
		case test.want != "" && !strings.Contains(told.all(), test.want):
			t.Errorf("%s: told %q", name, told.lines)
		case test.want == "" && (strings.Contains(told.all(), "new4") || !f.repairing.underWay || f.repairing.asked != held(3)):
			t.Errorf("%s: it is not read again from where this edge is: %+v, told %q", name, f.repairing, told.lines)
		}
		f.mu.Unlock()
	}
}

func TestRedis_empty_andNobodyHoldsTheDocument_membersAreToldThatItIsAnotherOne(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history.start(held(5))
	told := &notes{}
	f.members.add(&member{Member: told, flow: f, follows: true})
	f.following = 1
	f.reading()
	f.wasRead(&session.Content{}, nil)
	f.registering.before = 1
	f.admit(nil, session.Registered{Granted: 1, Total: 1, Version: 1, Number: 1, Epoch: "NEW"})
	first := update(1, `{"z":1}`)
	first.Epoch, first.Before = "NEW", time.Time{}
	f.update(first) // before the document was read
	f.reading()
	f.wasRead(&session.Content{Held: session.Held{Position: session.Position{Epoch: "NEW", Seq: 1}, At: first.At}, Updates: []*session.Update{first}}, nil)
	if want := `sync NEW 1 {"z":1}`; len(told.lines) == 0 || !strings.HasPrefix(told.lines[len(told.lines)-1], want) || strings.Contains(told.all(), "update NEW") {
		t.Errorf("told %q, want %s", told.lines, want)
	}
}

func TestCount_thatCameWhileAMemberWaitedForTheDocument_isTold(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history.start(held(5))
	told := &notes{}
	f.reading()
	f.admit([]*member{{Member: told, flow: f, follows: true}}, session.Registered{Granted: 1, Total: 1, Version: 1, Number: 1, Epoch: "E", Seq: 5, At: timeOf(5), More: true})
	f.countMessage(&session.Count{Epoch: "E", Number: 1, Version: 2, Total: 2, Joined: true})
	f.wasRead(&session.Content{Held: held(5), Document: `{"a":1}`, Seq0: 5}, nil)
	if !strings.Contains(told.all(), "count=2") {
		t.Errorf("told %q", told.lines)
	}
}

func TestNotice_whoseWindowGrew_isNotLookedAtAllTheTime(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.mu.Lock()
	now := time.Now()
	for range 10 {
		f.members.add(&member{Member: &notes{}, flow: f})
	}
	f.notice = notice{joined: true, last: now}
	f.tellNotice(now)
	for range 490 {
		f.members.add(&member{Member: &notes{}, flow: f})
	}
	f.tellNotice(now.Add(f.hub.NoticeWindow))
	if wait := f.notice.due.Sub(now); wait != f.noticeWindow() {
		t.Errorf("looked at after %v, told after %v", wait, f.noticeWindow())
	}
	f.mu.Unlock()
}

func TestLeave_thatRedisWasNotTold_keepsTheFlowUntilItIs(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.live = true
	f.number, f.sessionEpoch = 1, "E"
	f.registering.underWay, f.registering.left, f.registering.run = true, 1, 7
	f.guard(func() { f.registered(7, session.Registered{}, errors.New("connection lost")) })
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done() || f.registering.due.IsZero() {
		t.Error("the flow is done with")
	}
}

func TestRun_thatRedisRefusedForItsSize_afterItsSenderLeft_leavesNothingBehind(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.hub.MaxDocument = 100
	text := strings.Repeat("x", 80)
	f.mu.Lock()
	f.history.start(held(0))
	if err := f.load(&session.Content{Document: `{"a":"` + text + `"}`}); err != nil {
		t.Fatal(err)
	}
	m := &member{Member: &notes{}, flow: f}
	f.members.add(m)
	f.outbox.held = true
	f.mu.Unlock()
	m.Change(flows.Change{Changes: []byte(`{"b":"` + text + `"}`)})
	m.Change(flows.Change{Changes: []byte(`{"c":"` + text + `"}`)})
	f.mu.Lock()
	f.outbox.held = false
	f.nextRun()
	f.outbox.sending = true
	f.members.remove(m)
	for len(f.wake) > 0 {
		<-f.wake
	}
	number := f.outbox.number
	f.mu.Unlock()
	f.guard(func() { f.sent(number, session.Changed{}, session.ErrFull) })
	if len(f.wake) == 0 {
		t.Error("the flow's goroutine is not woken to end")
	}
}

func TestLoss_withNothingKnown_isNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live = true
	f.history.start(held(5))
	f.members.add(&member{Member: &notes{}, flow: f})
	f.registering.underWay = true // it told a document that was let go of since
	f.reading()
	f.wasRead(&session.Content{}, nil)
	f.registered(f.registering.run, session.Registered{}, &session.LostError{})
	if f.outbox.held || !f.registering.underWay {
		t.Errorf("held %v, registering %v", f.outbox.held, f.registering.underWay)
	}
}

func TestLease_thatAnotherEdgeHas_isLetGoOf(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.mu.Lock()
	f.holdLease(7)
	f.holdLease(0)
	if f.token != 0 || f.release != nil {
		t.Error("kept when Redis said that another edge has it")
	}
	f.holdLease(8)
	f.mu.Unlock()
	f.LeaseLost(7)
	f.mu.Lock()
	if f.token != 8 {
		t.Error("let go of for an older one's sake")
	}
	f.mu.Unlock()
	f.LeaseLost(8)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token != 0 {
		t.Error("kept when its holder found it lost")
	}
}

func TestRead_ofALongLog_isNotKeptInMemory(t *testing.T) {
	t.Parallel()
	f := byHand(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.following = 1
	f.history.start(held(100))
	var all []*session.Update
	for i := uint64(1); i <= 100; i++ {
		all = append(all, update(i, fmt.Sprintf(`{"n%d":"%s"}`, i, strings.Repeat("x", 4000))))
	}
	f.reading()
	f.wasRead(&session.Content{Held: held(100), Updates: all}, nil)
	if f.history.recentBytes > maxRecent || f.content.doc == nil || !strings.Contains(string(f.documentJSON()), `"n100"`) {
		t.Errorf("%d bytes are kept of what is in the document", f.history.recentBytes)
	}
}
