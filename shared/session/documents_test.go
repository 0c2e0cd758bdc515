package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"helix/shared/flows"
	"helix/shared/redistest"
	"helix/shared/session"
)

func summary(t testing.TB, f *session.Flow) (flows.Summary, bool) {
	t.Helper()
	s, exists, err := f.Summary(context.Background())
	if err != nil {
		t.Fatalf("summary: %v", err)
	}
	return s, exists
}

func TestSummary_tellsOfTheDocument_andOfTheSession(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		if s, exists := summary(t, f); exists || s.Position != (session.Position{}) {
			t.Fatalf("of a flow that never was: %+v", s)
		}
		r := join(t, f, 0, 2)
		if s, exists := summary(t, f); exists || s.Epoch != r.Epoch {
			t.Fatalf("of a flow that nobody changed yet: %+v", s)
		}
		first := put(t, f, `{"a":1}`)
		last := put(t, f, `{"b":1}`)
		s, exists := summary(t, f)
		if !exists || s.Position != (session.Position{Epoch: last.Epoch, Seq: 2}) || !s.Active || s.ClientCount != 2 || s.CountedSeq != 0 || s.UpToDate() ||
			!s.CreatedAt.Equal(first.At) || !s.UpdatedAt.Equal(last.At) {
			t.Fatalf("%+v, created %v, updated %v", s, first.At, last.At)
		}
		d := foldOf(last, `{"a":1,"b":1}`)
		d.Title, d.Nodes, d.Edges = "Größe", 3, 4
		if ok, err := f.Lease(r.Token).Fold(context.Background(), d); err != nil || !ok {
			t.Fatalf("%v, %v", ok, err)
		}
		mustRegister(t, f, session.Registration{Left: 2})
		if s, _ := summary(t, f); s.Title != "Größe" || s.Nodes != 3 || s.Edges != 4 || !s.UpToDate() || s.Active || !s.CreatedAt.Equal(first.At) {
			t.Fatalf("%+v", s)
		}
		if _, _, err := f.Delete(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if s, exists := summary(t, f); exists || s.Epoch == last.Epoch {
			t.Fatalf("of a deleted flow: %+v", s)
		}
		again := put(t, f, `{}`)
		if s, exists := summary(t, f); !exists || !s.CreatedAt.Equal(again.At) || s.Title != "" {
			t.Fatalf("of one that began anew: %+v", s)
		}
	})
}

func TestSummary_ofADocumentThatWasPutBack_doesNotInventItsAge(t *testing.T) {
	t.Parallel()
	f := session.NewStore(openLanes(t, ""), "a", patient).Flow("f")
	if _, err := restore(f, session.Position{Epoch: "OLD", Seq: 40}, fold(0, "", 0, `{"kept":true}`), nil); err != nil {
		t.Fatal(err)
	}
	put(t, f, `{"a":1}`)
	if s, exists := summary(t, f); !exists || !s.CreatedAt.IsZero() || s.UpdatedAt.IsZero() || s.Title != "T" {
		t.Fatalf("%+v", s)
	}
}

// foldOf is a document at a change.
func foldOf(c session.Changed, document string) session.Folded {
	d := fold(c.First, c.Epoch, c.Bytes, document)
	d.At = c.At
	return d
}

// score is a flow's place in the index.
func score(ms int64, id flows.ID) redis.Z { return redis.Z{Score: float64(ms), Member: string(id)} }

// pages reads the whole list, page by page.
func pages(t testing.TB, s *session.Store, limit int, between func()) (all []flows.ID) {
	t.Helper()
	var after flows.Place
	for range 1000 {
		list, next, err := s.List(context.Background(), after, limit)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if len(list) > limit {
			t.Fatalf("a page of %d, want at most %d", len(list), limit)
		}
		for i := range list {
			all = append(all, list[i].Flow)
		}
		if next == (flows.Place{}) {
			return all
		}
		after = next
		between()
	}
	t.Fatal("the list does not end")
	return nil
}

func TestList_hasEveryFlowOnce_newestFirst_whateverThePages(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		client := inspect(t, l, url)
		s := session.NewStore(l, "a", patient)
		const many = 60
		var want []flows.ID // newest first
		for i := range many {
			id := flows.ID(fmt.Sprintf("flow %02d", i))
			put(t, s.Flow(id), `{"a":1}`)
			// A tenth of a second for every three: flows of one ms are the rule, in one lane and across lanes.
			client.ZAdd(context.Background(), l.Keys(id).Flows, score(1_700_000_000_000+int64(i/3)*100, id))
			want = append([]flows.ID{id}, want...)
		}
		for _, limit := range []int{4, 25, many, 1000} {
			turned := 0
			got := pages(t, s, limit, func() { turned++ })
			if fmt.Sprint(got) != fmt.Sprint(want) || turned != (many-1)/limit {
				t.Fatalf("in pages of %d, turned %d times: %d flows: %q", limit, turned, len(got), got)
			}
		}
	})
}

func TestList_inOneLane_whereManyChangedAtOnce(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanesOf(t, url, 1)
		client := inspect(t, l, url)
		s := session.NewStore(l, "a", patient)
		seen := map[flows.ID]int{}
		for i := range 60 {
			id := flows.ID(fmt.Sprint("f", i))
			put(t, s.Flow(id), `{}`)
			client.ZAdd(context.Background(), l.Keys(id).Flows, score(1_700_000_000_000+int64(i/40), id))
		}
		// What is changed while the pages are read goes to the front; the others stay where they are.
		got := pages(t, s, 8, func() { put(t, s.Flow("f7"), `{}`) })
		for _, id := range got {
			seen[id]++
		}
		delete(seen, "f7")
		if len(seen) != 59 {
			t.Fatalf("%d of 59: %q", len(seen), got)
		}
		for id, n := range seen {
			if n != 1 {
				t.Fatalf("%s came %d times", id, n)
			}
		}
	})
}

func TestList_leavesOutWhatIsGone_andTheIndexForgetsIt(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		client := inspect(t, l, url)
		short := patient
		short.Retention = 50 * time.Millisecond
		passing, lasting := session.NewStore(l, "a", short), session.NewStore(l, "b", patient)
		for i := range 30 {
			put(t, passing.Flow(flows.ID(fmt.Sprint("p", i))), `{}`)
			if i%10 == 0 {
				put(t, lasting.Flow(flows.ID(fmt.Sprint("l", i))), `{}`)
			}
		}
		waitFor(t, func() bool {
			for i := range 30 {
				if _, exists := summary(t, passing.Flow(flows.ID(fmt.Sprint("p", i)))); exists {
					return false
				}
			}
			return true
		})
		for i := range 30 { // as if nobody had looked
			id := flows.ID(fmt.Sprint("p", i))
			client.ZAdd(context.Background(), l.Keys(id).Flows, score(1_700_000_000_000, id))
		}
		if got := pages(t, lasting, 2, func() {}); fmt.Sprint(got) != "[l20 l10 l0]" {
			t.Fatalf("%q", got)
		}
		indexed := 0
		for _, key := range l.FlowsKeys() {
			indexed += int(client.ZCard(context.Background(), key).Val())
		}
		if indexed != 3 {
			t.Fatalf("%d flows are in the index, want 3", indexed)
		}
	})
}

func TestSweep_forgetsWhatIsGone_andKeepsWhatIsOnlyOld(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanesOf(t, url, 1)
		client := inspect(t, l, url)
		s := session.NewStore(l, "a", patient)
		index := l.Keys("f").Flows
		old := time.Now().Add(-2 * patient.Retention).UnixMilli()
		for i := range 20 {
			put(t, s.Flow(flows.ID(fmt.Sprint("old", i))), `{}`)
			client.ZAdd(context.Background(), index, score(old-int64(i), flows.ID(fmt.Sprint("old", i))))
		}
		put(t, s.Flow("fresh"), `{}`)
		for i := range 300 { // of them only their places are left
			client.ZAdd(context.Background(), index, score(old-int64(i%40), flows.ID(fmt.Sprint("gone", i))))
		}
		waitFor(t, func() bool {
			if _, err := s.Sweep(context.Background()); err != nil {
				t.Fatal(err)
			}
			return client.ZCard(context.Background(), index).Val() == 21
		})
		if gone, err := s.Sweep(context.Background()); err != nil || gone != 0 {
			t.Fatalf("%d, %v", gone, err)
		}
		if got := pages(t, s, 1000, func() {}); len(got) != 21 || got[0] != "fresh" {
			t.Fatalf("%q", got)
		}
	})
}

func TestChange_forOnePosition_countsThereAlone(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		only := func(p session.Position) session.Guard { return session.Guard{Only: &p} }
		change := session.Change{Changes: `{"a":1}`}
		for _, wrong := range []session.Position{{Epoch: "other"}, {Seq: 1}} {
			if _, err := run(t, f, only(wrong), change); !errors.Is(err, session.ErrMoved) {
				t.Fatalf("at %v: %v", wrong, err)
			}
		}
		// Many at once for the same position: one of them is first.
		position := session.Position{}
		for round := range 5 {
			var won sync.Map
			var writers sync.WaitGroup
			for writer := range 8 {
				other := session.NewStore(l, fmt.Sprint("n", writer), patient).Flow("f")
				writers.Go(func() {
					got, err := other.ChangeOne(context.Background(), flows.Change{Changes: []byte(`{"a":1}`)}, only(position))
					if err == nil {
						won.Store(writer, got)
					} else if !errors.Is(err, session.ErrMoved) {
						t.Errorf("%v", err)
					}
				})
			}
			writers.Wait()
			winners := 0
			won.Range(func(_, got any) bool {
				winners++
				position = session.Position{Epoch: got.(session.Changed).Epoch, Seq: got.(session.Changed).First}
				return true
			})
			if winners != 1 || position.Seq != uint64(round+1) {
				t.Fatalf("round %d: %d counted, now at %v", round, winners, position)
			}
		}
	})
}

func TestDelete_forOnePosition_andWhatIsLeftOfTheFlow(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		client := inspect(t, l, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		r := join(t, f, 0, 1)
		got, err := run(t, f, session.Guard{}, session.Change{ClientID: "ann", ID: 1, Changes: `{"a":1}`})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := f.Lease(r.Token).Fold(context.Background(), foldOf(got, `{"a":1}`)); err != nil || !ok {
			t.Fatal(err)
		}
		here := session.Position{Epoch: got.Epoch, Seq: 1}
		for _, wrong := range []session.Position{{}, {Epoch: got.Epoch}, {Epoch: got.Epoch, Seq: 2}, {Epoch: "other", Seq: 1}} {
			if _, _, err := f.Delete(context.Background(), &wrong); !errors.Is(err, session.ErrMoved) {
				t.Fatalf("at %v: %v", wrong, err)
			}
		}
		if c := read(t, f, session.Held{}); c.Document != `{"a":1}` {
			t.Fatalf("%+v", c)
		}
		if existed, affected, err := f.Delete(context.Background(), &here); err != nil || !existed || affected != 1 {
			t.Fatalf("%v, %d, %v", existed, affected, err)
		}
		k := l.Keys("f")
		for _, key := range []string{k.Lease, k.Session, k.Log, k.Snapshot, k.Answered, k.Presence, k.Index, k.Flows} {
			if n := client.Exists(context.Background(), key).Val(); n != 0 {
				t.Errorf("%s is left", key)
			}
		}
		if ttl := client.PTTL(context.Background(), k.Head).Val(); ttl <= 0 || ttl > patient.Retention {
			t.Errorf("the head lives for %v", ttl)
		}
		after := read(t, f, session.Held{})
		if existed, affected, err := f.Delete(context.Background(), nil); err != nil || existed || affected != 0 {
			t.Fatalf("again: %v, %d, %v", existed, affected, err)
		}
		if c := read(t, f, session.Held{}); c.Epoch != after.Epoch {
			t.Error("deleting nothing began another epoch")
		}
	})
}

// An edge to which the message of the deletion did not come learns at its next registration that its
// members are out. It would else take the empty document for their session's.
func TestRegister_afterADeletionThatTheNodeMissed(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		r := join(t, f, 0, 2)
		last := put(t, f, `{"a":1}`)
		if _, _, err := f.Delete(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		missed := session.Registration{Wanted: 2, Before: 2, Number: r.Number, Held: session.Held{Position: session.Position{Epoch: last.Epoch, Seq: 1}, At: last.At}}
		if got, err := register(t, f, missed); !errors.Is(err, session.ErrEnded) {
			t.Fatalf("%+v, %v", got, err)
		}
		if s, err := f.Status(context.Background()); err != nil || s.Active {
			t.Fatalf("%+v, %v", s, err)
		}
		// Who joins there after that is in another session; the document it held is no loss either.
		var lost *session.LostError
		if _, err := register(t, f, session.Registration{Wanted: 1, Joined: 1, Held: missed.Held}); !errors.As(err, &lost) {
			t.Fatal(err)
		}
		if again := join(t, f, 0, 1); again.Total != 1 || again.Epoch == r.Epoch {
			t.Fatalf("%+v", again)
		}
	})
}

// Changes without a session keep the snapshot alive with the log that stands on it.
func TestChange_withoutASession_keepsTheWholeDocument(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		client := inspect(t, l, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		got := put(t, f, `{"a":1}`)
		if ok, err := f.FoldVacant(context.Background(), foldOf(got, `{"a":1}`)); err != nil || !ok {
			t.Fatal(err)
		}
		k := l.Keys("f")
		for _, key := range []string{k.Head, k.Log, k.Snapshot} { // most of the retention has gone by
			client.PExpire(context.Background(), key, time.Minute)
		}
		put(t, f, `{"b":1}`)
		for _, key := range []string{k.Head, k.Log, k.Snapshot} {
			if ttl := client.PTTL(context.Background(), key).Val(); ttl <= time.Minute {
				t.Errorf("%s lives for %v only", key, ttl)
			}
		}
	})
}
