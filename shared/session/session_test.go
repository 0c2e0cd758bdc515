package session_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/redistest"
	"helix/shared/session"
)

var prefixes atomic.Int64

func openLanes(t testing.TB, url string) *lanes.Lanes {
	t.Helper()
	return openLanesOf(t, url, 0)
}

// openLanesOf is openLanes with so many lanes; 0: the usual number.
func openLanesOf(t testing.TB, url string, n int) *lanes.Lanes {
	t.Helper()
	o := redistest.Options(url)
	o.Lanes = n
	o.Prefix = fmt.Sprintf("%s:t%d", redistest.Prefix, prefixes.Add(1))
	l, err := lanes.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// inspect gives a connection that may do more than an edge may, on the Redis of l.
func inspect(t testing.TB, l *lanes.Lanes, url string) redis.UniversalClient {
	t.Helper()
	if l.Embedded() {
		return l.Client()
	}
	i, err := lanes.Open(redistest.InspectorOptions(url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i.Client()
}

// quick has times short enough to watch them pass; patient is for tests of everything else.
var (
	quick   = session.Options{MaxClients: 10, LeaseTTL: 1500 * time.Millisecond, InactivityTimeout: time.Hour, Retention: time.Hour}
	patient = session.Options{MaxClients: 10, LeaseTTL: time.Minute, InactivityTimeout: time.Hour, Retention: time.Hour}
)

func register(t testing.TB, f *session.Flow, r session.Registration) (session.Registered, error) {
	t.Helper()
	type result struct {
		r   session.Registered
		err error
	}
	out := make(chan result, 1)
	f.Register(r, func(r session.Registered, err error) { out <- result{r, err} })
	select {
	case got := <-out:
		return got.r, got.err
	case <-time.After(10 * time.Second):
		t.Fatal("register did not answer")
		return session.Registered{}, nil
	}
}

func mustRegister(t testing.TB, f *session.Flow, r session.Registration) session.Registered {
	t.Helper()
	got, err := register(t, f, r)
	if err != nil {
		t.Fatalf("register: %v", err)
	}
	return got
}

func join(t testing.TB, f *session.Flow, had, more int) session.Registered {
	t.Helper()
	return mustRegister(t, f, session.Registration{Wanted: had + more, Before: had, Joined: more})
}

func TestRegister_countsAcrossNodes_andEndsWithTheLast(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", patient).Flow("f 1")
		b := session.NewStore(l, "b", patient).Flow("f 1")
		first := join(t, a, 0, 1)
		if first.Total != 1 || first.Granted != 1 || first.Token == 0 || first.Epoch == "" || first.Seq != 0 {
			t.Fatalf("first: %+v", first)
		}
		second := join(t, b, 0, 2)
		if second.Total != 3 || second.Token != 0 || second.Version <= first.Version || second.Number != first.Number || !second.Started.Equal(first.Started) {
			t.Fatalf("second: %+v after %+v", second, first)
		}
		if second.Next <= 0 {
			t.Fatalf("the other node has no deadline: %+v", second)
		}
		gone := mustRegister(t, a, session.Registration{Left: 1})
		if gone.Total != 2 {
			t.Fatalf("after a leave: %+v", gone)
		}
		if took := mustRegister(t, b, session.Registration{Wanted: 2, Before: 2}); took.Token <= first.Token {
			t.Fatalf("the lease that a gave back was not taken with a higher token: %+v", took)
		}
		if last := mustRegister(t, b, session.Registration{Left: 2}); last.Total != 0 || last.Number != 0 {
			t.Fatalf("after the last leave: %+v", last)
		}
		status, err := a.Status(context.Background())
		if err != nil || status.Active {
			t.Fatalf("status of an ended session: %+v, %v", status, err)
		}
		if again := join(t, a, 0, 1); again.Number <= first.Number || again.Epoch != first.Epoch || again.Total != 1 {
			t.Fatalf("a new session: %+v after %+v", again, first)
		}
	})
}

func TestRegister_repeatedCallChangesNothing(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		want := session.Registration{Wanted: 3, Joined: 3}
		first := mustRegister(t, f, want)
		if again := mustRegister(t, f, want); again.Total != 3 || again.Granted != 3 || again.Token != first.Token {
			t.Fatalf("repeated: %+v, first %+v", again, first)
		}
	})
}

func TestRegister_neverGrantsMoreThanTheLimit_underConcurrentJoins(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		var granted atomic.Int64
		var wg sync.WaitGroup
		for node := range 4 {
			f := session.NewStore(l, fmt.Sprint("n", node), patient).Flow("f")
			wg.Go(func() {
				had := 0
				for range 8 {
					r := join(t, f, had, 1)
					if r.Granted > had {
						granted.Add(1)
					}
					had = r.Granted
				}
			})
		}
		wg.Wait()
		if granted.Load() != int64(patient.MaxClients) {
			t.Fatalf("%d granted, want %d", granted.Load(), patient.MaxClients)
		}
	})
}

func TestRegister_keepsClientsThatAreIn_whenOthersTookTheirPlaces(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", quick).Flow("f")
		b := session.NewStore(l, "b", quick).Flow("f")
		join(t, a, 0, 6)
		waitFor(t, func() bool { return join(t, b, 0, 10).Granted == 10 }) // a's clients count until its deadline
		back := mustRegister(t, a, session.Registration{Wanted: 7, Before: 6, Joined: 1})
		if back.Granted != 6 || back.Total != 16 {
			t.Fatalf("a came back: %+v", back)
		}
	})
}

func TestRegister_removesADeadNodesClients_withinOneLease(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", quick).Flow("f")
		b := session.NewStore(l, "b", quick).Flow("f")
		messages := listen(t, b)
		join(t, a, 0, 2)
		r := join(t, b, 0, 1)
		if r.Next > quick.LeaseTTL {
			t.Errorf("the ghosts are looked for after %v, later than the lease of %v", r.Next, quick.LeaseTTL)
		}
		for r.Next >= 0 {
			time.Sleep(r.Next + time.Millisecond) // what an edge does: it looks again at the deadline
			r = mustRegister(t, b, session.Registration{Wanted: 1, Before: 1, Number: r.Number})
		}
		if r.Total != 1 {
			t.Fatalf("total %d, want 1", r.Total)
		}
		for m := range messages {
			if m.Count != nil && m.Count.Left {
				if m.Count.Total != 1 {
					t.Fatalf("told %+v", m.Count)
				}
				break
			}
		}
	})
}

func TestRegister_takesAnExpiredLease_withAHigherToken(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", quick).Flow("f")
		b := session.NewStore(l, "b", quick).Flow("f")
		old := join(t, a, 0, 1)
		var token int64
		waitFor(t, func() bool {
			token = join(t, b, 1, 0).Token
			return token != 0
		})
		if token <= old.Token {
			t.Fatalf("token %d after %d", token, old.Token)
		}
		if _, err := a.Lease(old.Token).Renew(context.Background()); err != session.ErrLeaseLost { //nolint:errorlint // exactly this
			t.Fatalf("the old holder's renewal: %v", err)
		}
		if _, err := a.Lease(old.Token).Expire(context.Background()); err != session.ErrLeaseLost { //nolint:errorlint // exactly this
			t.Fatalf("the old holder's expiry: %v", err)
		}
		if err := a.Lease(old.Token).HandBack(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Lease(token).Renew(context.Background()); err != nil {
			t.Fatalf("the old holder gave the new one's lease away: %v", err)
		}
	})
}

func TestClose_endsTheSession_andANodeThatMissedItLearnsIt(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", patient).Flow("f")
		b := session.NewStore(l, "b", patient).Flow("f")
		r := join(t, a, 0, 2)
		join(t, b, 0, 1)
		messages := listen(t, a)
		affected, err := b.Close(context.Background())
		if err != nil || affected != 3 {
			t.Fatalf("close: %d, %v", affected, err)
		}
		for m := range messages {
			if m.End != nil {
				if m.End.Number != r.Number || m.End.Epoch != r.Epoch || m.End.Idle {
					t.Fatalf("told %+v, session was %+v", m.End, r)
				}
				break
			}
		}
		if _, err := register(t, a, session.Registration{Wanted: 2, Before: 2, Number: r.Number}); err != session.ErrEnded { //nolint:errorlint // exactly this
			t.Fatalf("a node that missed the end: %v", err)
		}
		if next := join(t, b, 0, 1); next.Total != 1 || next.Number <= r.Number {
			t.Fatalf("the join after: %+v", next)
		}
		if affected, err := a.Close(context.Background()); err != nil || affected != 1 {
			t.Fatalf("close again: %d, %v", affected, err)
		}
		if affected, err := a.Close(context.Background()); err != nil || affected != 0 {
			t.Fatalf("close of no session: %d, %v", affected, err)
		}
	})
}

func TestExpire_endsAnIdleSessionOnly(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		o := patient
		o.InactivityTimeout = 2 * time.Second
		f := session.NewStore(openLanes(t, url), "a", o).Flow("f")
		r := join(t, f, 0, 1)
		messages := listen(t, f)
		lease := f.Lease(r.Token)
		if ended, err := lease.Expire(context.Background()); err != nil || ended {
			t.Fatalf("expired at once: %v, %v", ended, err)
		}
		waitFor(t, func() bool {
			_, err := lease.Renew(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			ended, err := lease.Expire(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return ended
		})
		for m := range messages {
			if m.End != nil {
				if !m.End.Idle {
					t.Fatalf("told %+v", m.End)
				}
				break
			}
		}
	})
}

func TestChange_givesSeqsWithoutGaps_inOneOrderForAll(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		const nodes, each = 3, 40
		watcher := session.NewStore(l, "w", patient).Flow("f")
		messages := listen(t, watcher)
		var wg sync.WaitGroup
		for n := range nodes {
			f := session.NewStore(l, fmt.Sprint("n", n), patient).Flow("f")
			wg.Go(func() {
				for i := range each {
					if _, err := f.ChangeOne(context.Background(), flows.Change{ClientID: fmt.Sprint("c", n), Changes: fmt.Appendf(nil, `{"n":%d}`, i)}, session.Guard{}); err != nil {
						t.Errorf("change: %v", err)
					}
				}
			})
		}
		wg.Wait()
		next, seen := uint64(1), map[string]int{}
		for m := range messages {
			if m.Update == nil {
				continue
			}
			if m.Update.First != next {
				t.Fatalf("seq %d, want %d", m.Update.First, next)
			}
			for _, c := range m.Update.Changes {
				if want := fmt.Sprintf(`{"n":%d}`, seen[c.ClientID]); c.Changes != want {
					t.Fatalf("client %s: %s, want %s", c.ClientID, c.Changes, want)
				}
				seen[c.ClientID]++
				next++
			}
			if next == nodes*each+1 {
				break
			}
		}
	})
}

func TestChange_takesAFreeLease_forACountedNode(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		change := func() session.Changed {
			var body session.Body
			body.Start("a", 1)
			body.Add(7, session.Change{ClientID: "me", Changes: `{"a":1}`})
			out := make(chan session.Changed, 1)
			f.Change(&body, session.Guard{}, func(c session.Changed, err error) {
				if err != nil {
					t.Errorf("change: %v", err)
				}
				out <- c
			})
			return <-out
		}
		if c := change(); c.Counted || c.Token != 0 || c.First != 1 {
			t.Fatalf("a node without clients: %+v", c)
		}
		r := join(t, f, 0, 1)
		if err := f.Lease(r.Token).HandBack(context.Background()); err != nil {
			t.Fatal(err)
		}
		if c := change(); !c.Counted || c.Token <= r.Token || c.First != 2 || c.Epoch != r.Epoch {
			t.Fatalf("after the lease was given back: %+v", c)
		}
	})
}

func TestActive_listsEverySession(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		s := session.NewStore(openLanes(t, url), "a", patient)
		const n = 150
		for i := range n {
			join(t, s.Flow(flows.ID(fmt.Sprint("flow {x} ", i))), 0, 1+i%3)
		}
		list, err := s.Active(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		seen := map[flows.ID]flows.Status{}
		for _, status := range list {
			seen[status.Flow] = status
		}
		for i := range n {
			id := flows.ID(fmt.Sprint("flow {x} ", i))
			if seen[id].ClientCount != 1+i%3 || seen[id].LastActivity.IsZero() {
				t.Fatalf("%s: %+v", id, seen[id])
			}
		}
	})
}

func TestKeys_ofAFlowShareASlot(t *testing.T) {
	t.Parallel()
	l := openLanes(t, "")
	for _, id := range []flows.ID{"a", "{b}", "c}", "{", "ü/#"} {
		k := l.Keys(id)
		lane := fmt.Sprintf("{%d}", l.Lane(id))
		for _, key := range []string{k.Lease, k.Session, k.Head, k.Log, k.Snapshot, k.Presence, k.Channel, k.Index} {
			if i := indexByte(key, '{'); key[i:i+len(lane)] != lane {
				t.Errorf("%q: hash tag is not %s", key, lane)
			}
		}
	}
}

func indexByte(s string, b byte) int {
	for i := range len(s) {
		if s[i] == b {
			return i
		}
	}
	return -1
}

// listen gives the messages of a flow's channel from now on.
func listen(t testing.TB, f *session.Flow) <-chan session.Message {
	t.Helper()
	h := &handler{messages: make(chan session.Message, 1000)}
	s := f.Listen(h)
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatalf("listen: %v", err)
	}
	timeout := time.AfterFunc(20*time.Second, func() { panic("no such message came") })
	t.Cleanup(func() { timeout.Stop() })
	return h.messages
}

type handler struct{ messages chan session.Message }

func (h *handler) Resubscribed() {}
func (h *handler) Message(payload string) {
	m, err := session.ParseMessage(payload)
	if err != nil {
		panic(err)
	}
	h.messages <- m
}

func waitFor(t testing.TB, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !what(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not come in time")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
