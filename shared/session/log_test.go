package session_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"helix/shared/flows"
	"helix/shared/redistest"
	"helix/shared/session"
)

// put makes one change from outside a session.
func put(t testing.TB, f *session.Flow, changes string) session.Changed {
	t.Helper()
	got, err := f.ChangeOne(context.Background(), flows.Change{Changes: []byte(changes)}, session.Guard{})
	if err != nil {
		t.Fatalf("change: %v", err)
	}
	return got
}

// run makes a run of changes with ids.
func run(t testing.TB, f *session.Flow, g session.Guard, changes ...session.Change) (session.Changed, error) {
	t.Helper()
	body := &session.Body{}
	body.Start("n", 1)
	for _, c := range changes {
		body.Add(1, c)
	}
	type result struct {
		got session.Changed
		err error
	}
	out := make(chan result, 1)
	f.Change(body, g, func(got session.Changed, err error) { out <- result{got, err} })
	r := <-out
	return r.got, r.err
}

func read(t testing.TB, f *session.Flow, behind session.Held) session.Content {
	t.Helper()
	c, err := f.Read(context.Background(), behind)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return c
}

// history is what a content's changes are, and their seqs.
func history(c session.Content) (all []string) {
	for _, u := range c.Updates {
		for i, change := range u.Changes {
			all = append(all, fmt.Sprintf("%d %s", u.First+uint64(i), change.Changes))
		}
	}
	return all
}

func TestRead_givesTheLogBehindASeq(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		if c := read(t, f, session.Held{}); !reflect.DeepEqual(c, session.Content{}) {
			t.Fatalf("a flow that nobody changed: %+v", c)
		}
		epoch := put(t, f, `{"n":1}`).Epoch
		if _, err := run(t, f, session.Guard{}, session.Change{Changes: `{"n":2}`}, session.Change{Changes: `{"n":3}`}); err != nil {
			t.Fatal(err)
		}
		put(t, f, `{"n":4}`)
		for _, test := range []struct {
			behind session.Position
			log    bool
			want   []string
		}{
			{session.Position{}, false, []string{`1 {"n":1}`, `2 {"n":2}`, `3 {"n":3}`, `4 {"n":4}`}},
			{session.Position{Epoch: epoch, Seq: 0}, true, []string{`1 {"n":1}`, `2 {"n":2}`, `3 {"n":3}`, `4 {"n":4}`}},
			{session.Position{Epoch: epoch, Seq: 1}, true, []string{`2 {"n":2}`, `3 {"n":3}`, `4 {"n":4}`}},
			{session.Position{Epoch: epoch, Seq: 2}, true, []string{`2 {"n":2}`, `3 {"n":3}`, `4 {"n":4}`}}, // runs come whole
			{session.Position{Epoch: epoch, Seq: 3}, true, []string{`4 {"n":4}`}},
			{session.Position{Epoch: epoch, Seq: 4}, true, nil},
			{session.Position{Epoch: epoch, Seq: 5}, false, []string{`1 {"n":1}`, `2 {"n":2}`, `3 {"n":3}`, `4 {"n":4}`}}, // of another history
			{session.Position{Epoch: "other", Seq: 2}, false, []string{`1 {"n":1}`, `2 {"n":2}`, `3 {"n":3}`, `4 {"n":4}`}},
		} {
			c := read(t, f, session.Held{Position: test.behind})
			if c.Behind != test.log || c.Seq != 4 || c.Epoch != epoch || !reflect.DeepEqual(history(c), test.want) {
				t.Errorf("behind %v: %+v, %q", test.behind, c, history(c))
			}
		}
	})
}

func TestChange_thatWasSentBefore_countsOnce(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", patient).Flow("f")
		b := session.NewStore(l, "b", patient).Flow("f")
		change := func(client string, id uint64) session.Change {
			return session.Change{ClientID: client, ID: id, Changes: fmt.Sprintf(`{"%s":%d}`, client, id)}
		}
		plain := session.Change{ClientID: "plain", Changes: `{"p":0}`}
		first, err := run(t, a, session.Guard{}, change("ann", 1), plain, change("ann", 2), change("bob", 7))
		if err != nil || first.First != 1 || len(first.Repeats) != 0 {
			t.Fatalf("%+v, %v", first, err)
		}
		// On another node: two repeats, one of them not the newest of its client, beside what is new.
		again, err := run(t, b, session.Guard{}, plain, plain, change("ann", 1), change("ann", 2), change("ann", 3), change("bob", 7), change("ann", 3))
		want := []session.Repeat{{Index: 2}, {Index: 3, Seq: 3}, {Index: 5, Seq: 4}, {Index: 6, Seq: 7}}
		if err != nil || again.First != 5 || !reflect.DeepEqual(again.Repeats, want) {
			t.Fatalf("%+v, %v", again, err)
		}
		only, err := run(t, a, session.Guard{}, change("ann", 3))
		if err != nil || !reflect.DeepEqual(only.Repeats, []session.Repeat{{Index: 0, Seq: 7}}) {
			t.Fatalf("%+v, %v", only, err)
		}
		c := read(t, a, session.Held{})
		if got := history(c); !reflect.DeepEqual(got, []string{`1 {"ann":1}`, `2 {"p":0}`, `3 {"ann":2}`, `4 {"bob":7}`, `5 {"p":0}`, `6 {"p":0}`, `7 {"ann":3}`}) || c.Seq != 7 {
			t.Fatalf("%q", got)
		}
	})
}

func TestChange_thatWasRefused_isRefusedAgain_unlessItWasCarriedOutBefore(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		send := func(id uint64, refuse bool) session.Changed {
			body := &session.Body{}
			body.Start("n", id)
			if c := (session.Change{ClientID: "ann", ID: id, Changes: `{}`}); refuse {
				body.Refuse(c)
			} else {
				body.Add(1, c)
			}
			out := make(chan session.Changed, 1)
			f.Change(body, session.Guard{}, func(got session.Changed, err error) {
				if err != nil {
					t.Errorf("change %d: %v", id, err)
				}
				out <- got
			})
			return <-out
		}
		send(1, false)
		for _, id := range []uint64{2, 3} {
			if got := send(id, true); len(got.Repeats) != 0 {
				t.Fatalf("%d is refused: %+v", id, got)
			}
		}
		if got := send(3, false); !reflect.DeepEqual(got.Repeats, []session.Repeat{{Refused: true}}) { // another copy, in time to be the newest
			t.Fatalf("%+v", got)
		}
		send(4, false)
		if got := send(4, true); !reflect.DeepEqual(got.Repeats, []session.Repeat{{Seq: 2}}) {
			t.Fatalf("refused after it was carried out: %+v", got)
		}
		send(5, true)
		send(6, false)
		for id, want := range map[uint64]session.Repeat{
			1: {}, 2: {Refused: true}, 3: {Refused: true}, 4: {}, 5: {Refused: true}, 6: {Seq: 3},
		} {
			if got := send(id, false); !reflect.DeepEqual(got.Repeats, []session.Repeat{want}) {
				t.Errorf("%d again: %+v", id, got.Repeats)
			}
		}
		for id := uint64(7); id < 100; id += 2 { // a bounded number is remembered, the newest
			send(id, true)
			send(id+1, false)
		}
		if old, fresh := send(2, false).Repeats[0], send(97, false).Repeats[0]; old.Refused || !fresh.Refused {
			t.Errorf("%+v, %+v", old, fresh)
		}
		if got := len(history(read(t, f, session.Held{}))); got != 50 {
			t.Errorf("%d changes in the history", got)
		}
	})
}

func TestChange_remembersABoundedNumberOfClients_theNewest(t *testing.T) {
	t.Parallel()
	l := openLanes(t, redistest.Start(t).URL)
	f := session.NewStore(l, "a", patient).Flow("f")
	const clients, run256 = 4096 + 256, 256
	for from := 0; from < clients; from += run256 {
		var changes []session.Change
		for i := range run256 {
			changes = append(changes, session.Change{ClientID: fmt.Sprint("c", from+i), ID: 1, Changes: `{}`})
		}
		if _, err := run(t, f, session.Guard{}, changes...); err != nil {
			t.Fatal(err)
		}
	}
	n, err := l.Client().HLen(context.Background(), l.Keys("f").Answered).Result()
	if err != nil || n > 4096 || n < 1024 {
		t.Fatalf("%d clients are remembered, %v", n, err)
	}
	newest, err := run(t, f, session.Guard{}, session.Change{ClientID: fmt.Sprint("c", clients-1), ID: 1, Changes: `{}`})
	if err != nil || len(newest.Repeats) != 1 {
		t.Fatalf("the newest client was forgotten: %+v, %v", newest, err)
	}
}

// at is a place whose time the caller does not know.
func at(p session.Position) session.Held { return session.Held{Position: p} }

func fold(seq uint64, epoch string, bytes uint64, document string) session.Folded {
	return session.Folded{Held: at(session.Position{Epoch: epoch, Seq: seq}), Bytes: bytes, Document: []byte(document), Title: "T", KeepFrom: seq + 1}
}

func TestFold_keepsTheDocument_trimsTheLog_andOnlyForTheHolder(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", patient).Flow("f")
		b := session.NewStore(l, "b", patient).Flow("f")
		token := join(t, a, 0, 1).Token
		var last session.Changed
		for i := range 6 {
			last = put(t, a, fmt.Sprintf(`{"n":%d}`, i+1))
		}
		if last.Unfolded != 6 {
			t.Fatalf("%+v", last)
		}
		updates := read(t, a, session.Held{}).Updates
		folded := func(seq int) session.Folded {
			d := fold(uint64(seq), last.Epoch, updates[seq-1].Bytes, fmt.Sprintf(`{"n":%d}`, seq))
			d.At = updates[seq-1].At
			return d
		}
		for who, lease := range map[string]*session.Lease{"another node": b.Lease(token), "an older holder": a.Lease(token - 1)} {
			if _, err := lease.Fold(context.Background(), folded(4)); !errors.Is(err, session.ErrLeaseLost) {
				t.Fatalf("%s: %v", who, err)
			}
		}
		if _, err := b.FoldVacant(context.Background(), folded(4)); !errors.Is(err, session.ErrLeaseLost) {
			t.Fatalf("while the lease is held: %v", err)
		}
		keep := folded(4)
		keep.KeepFrom = 3
		if ok, err := a.Lease(token).Fold(context.Background(), keep); err != nil || !ok {
			t.Fatalf("%v, %v", ok, err)
		}
		if ok, err := a.Lease(token).Fold(context.Background(), folded(2)); err != nil || ok {
			t.Fatalf("an older document over a newer one: %v, %v", ok, err)
		}
		other := folded(5)
		other.Epoch = "other"
		if ok, err := a.Lease(token).Fold(context.Background(), other); err != nil || ok {
			t.Fatalf("of another epoch: %v, %v", ok, err)
		}
		other = folded(5)
		other.At = other.At.Add(-time.Second)
		if ok, err := a.Lease(token).Fold(context.Background(), other); err != nil || ok {
			t.Fatalf("of another history: %v, %v", ok, err)
		}
		c := read(t, b, session.Held{})
		if c.Behind || c.Seq0 != 4 || c.Document != `{"n":4}` || c.Bytes0 != updates[3].Bytes || !reflect.DeepEqual(history(c), []string{`5 {"n":5}`, `6 {"n":6}`}) {
			t.Fatalf("%+v %q", c, history(c))
		}
		if c := read(t, b, at(session.Position{Epoch: last.Epoch, Seq: 2})); !c.Behind || len(history(c)) != 4 {
			t.Fatalf("what the log was to keep: %+v", c)
		}
		if c := read(t, b, at(session.Position{Epoch: last.Epoch, Seq: 1})); c.Behind {
			t.Fatalf("what was trimmed: %+v", c)
		}
		mustRegister(t, a, session.Registration{Left: 1})
		if ok, err := b.FoldVacant(context.Background(), folded(6)); err != nil || !ok {
			t.Fatalf("without a session: %v, %v", ok, err)
		}
		if got := put(t, b, `{"n":7}`); got.Unfolded != 1 || got.First != 7 {
			t.Fatalf("%+v", got)
		}
	})
}

func TestChange_thatMightCrossTheLimit_isRefused_unlessItsSenderKnowsThatItFits(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		guard := session.Guard{Limit: 200}
		write := session.Change{ClientID: "ann", ID: 1, Changes: `{"x":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`}
		var err error
		for ; err == nil; write.ID++ {
			if write.ID > 10 {
				t.Fatal("never refused")
			}
			_, err = run(t, f, guard, write)
		}
		if !errors.Is(err, session.ErrFull) {
			t.Fatal(err)
		}
		write.ID--
		c := read(t, f, session.Held{})
		last := c.Updates[len(c.Updates)-1]
		fits := guard
		fits.Fits, fits.FitsAt = true, c.Seq-1
		if _, err := run(t, f, fits, write); !errors.Is(err, session.ErrFull) {
			t.Fatalf("known for another seq: %v", err)
		}
		fits.FitsAt = c.Seq
		if got, err := run(t, f, fits, write); err != nil || got.First != c.Seq+1 || len(got.Repeats) != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		folded := fold(c.Seq, c.Epoch, last.Bytes, write.Changes)
		folded.At = c.At
		if ok, err := f.FoldVacant(context.Background(), folded); err != nil || !ok {
			t.Fatalf("%v, %v", ok, err)
		}
		write.ID++
		if _, err := run(t, f, guard, write); err != nil {
			t.Fatalf("after the document was folded: %v", err)
		}
	})
}

// restore puts a document back into a Redis that was found empty.
func restore(f *session.Flow, held session.Position, d session.Folded, answered []session.AnsweredChange) (epoch string, err error) {
	done := make(chan struct{})
	f.Restore(held, session.Held{}, d, answered, func(e string, failed error) {
		epoch, err = e, failed
		close(done)
	})
	<-done
	return epoch, err
}

func TestRestore_putsADocumentBack_once_andAnOlderRedisIsNoticed(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		held := session.Position{Epoch: "OLD", Seq: 40} // of a Redis that forgot everything
		ann := session.Change{ClientID: "ann", ID: 3, Changes: `{"x":1}`}
		var lost *session.LostError
		if _, err := run(t, f, session.Guard{Held: at(held)}, ann); !errors.As(err, &lost) || lost.Epoch != "" || lost.Seq != 0 {
			t.Fatalf("%v", err)
		}
		if _, err := register(t, f, session.Registration{Wanted: 1, Joined: 1, Held: at(held)}); !errors.As(err, &lost) {
			t.Fatalf("%v", err)
		}
		messages := listen(t, f)
		document := fold(0, "", 0, `{"kept":true}`)
		answered := []session.AnsweredChange{{ClientID: "ann", ID: 3, At: time.Now()}}
		epoch, err := restore(f, held, document, answered)
		if err != nil || epoch == "" {
			t.Fatalf("%q, %v", epoch, err)
		}
		if m := <-messages; m.Restored != epoch {
			t.Fatalf("told %+v", m)
		}
		if again, err := restore(f, held, document, nil); err != nil || again != "" {
			t.Fatalf("a second node put it back too: %q, %v", again, err)
		}
		c := read(t, f, at(held))
		if c.Behind || c.Epoch != epoch || c.From != held || c.Document != `{"kept":true}` || c.Seq != 0 {
			t.Fatalf("%+v", c)
		}
		now := session.Position{Epoch: epoch}
		got, err := run(t, f, session.Guard{Held: at(now)}, ann, session.Change{ClientID: "ann", ID: 4, Changes: `{"y":1}`})
		if err != nil || got.First != 1 || !reflect.DeepEqual(got.Repeats, []session.Repeat{{Index: 0}}) {
			t.Fatalf("%+v, %v", got, err)
		}
		ahead := session.Position{Epoch: epoch, Seq: 2} // as with a Redis that lost its newest second
		if _, err := run(t, f, session.Guard{Held: at(ahead)}, ann); !errors.As(err, &lost) || lost.Epoch != epoch || lost.Seq != 1 {
			t.Fatalf("%v", err)
		}
	})
}

// A Redis that lost its newest changes and was given others has another history under the same seqs: the
// time of a run tells them apart.
func TestHistory_anotherOneUnderTheSameSeqs_isNoticed(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		var at []session.Held
		for i := range 3 {
			got := put(t, f, fmt.Sprintf(`{"n":%d}`, i+1))
			at = append(at, session.Held{Position: session.Position{Epoch: got.Epoch, Seq: got.First}, At: got.At})
			if i > 0 && !got.Before.Equal(at[i-1].At) {
				t.Fatalf("the run before it was at %v, not at %v", got.Before, at[i-1].At)
			}
		}
		for i, known := range at {
			if c := read(t, f, known); !c.Behind || c.Forked || len(history(c)) != 2-i || !c.At.Equal(at[2].At) {
				t.Errorf("behind %d: %+v", i+1, c)
			}
			known.At = known.At.Add(-time.Second)
			if c := read(t, f, known); c.Behind || !c.Forked || len(history(c)) != 3 || c.Updates[2].Before != at[1].At {
				t.Errorf("behind another %d: %+v", i+1, c)
			}
		}
		other := at[2]
		other.At = other.At.Add(-time.Second)
		var lost *session.LostError
		if _, err := run(t, f, session.Guard{Held: other}, session.Change{Changes: `{}`}); !errors.As(err, &lost) || lost.Seq != 3 {
			t.Errorf("a change behind another history: %v", err)
		}
		if _, err := register(t, f, session.Registration{Wanted: 1, Joined: 1, Held: other}); !errors.As(err, &lost) {
			t.Errorf("a registration: %v", err)
		}
		if got, err := run(t, f, session.Guard{Held: at[2]}, session.Change{Changes: `{}`}); err != nil || got.First != 4 {
			t.Errorf("behind this one: %+v, %v", got, err)
		}
		if got, err := register(t, f, session.Registration{Wanted: 1, Joined: 1}); err != nil || got.At.Before(at[2].At) || got.Seq != 4 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestDelete_removesTheDocument_andIsNoLoss(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		if existed, affected, err := f.Delete(context.Background(), nil); err != nil || existed || affected != 0 {
			t.Fatalf("%v, %d, %v", existed, affected, err)
		}
		r := join(t, f, 0, 2)
		before := put(t, f, `{"a":1}`)
		messages := listen(t, f)
		if existed, affected, err := f.Delete(context.Background(), nil); err != nil || !existed || affected != 2 {
			t.Fatalf("%v, %d, %v", existed, affected, err)
		}
		for m := range messages {
			if m.End != nil {
				if m.End.Number != r.Number || m.End.Epoch != before.Epoch {
					t.Fatalf("told %+v", m.End)
				}
				break
			}
		}
		c := read(t, f, at(session.Position{Epoch: before.Epoch, Seq: 1}))
		if c.Behind || c.Epoch == before.Epoch || c.Document != "" || len(c.Updates) != 0 || c.From != (session.Position{Epoch: before.Epoch, Seq: 1}) {
			t.Fatalf("%+v", c)
		}
		if after := put(t, f, `{"b":1}`); after.First != 1 || after.Epoch == before.Epoch {
			t.Fatalf("%+v", after)
		}
	})
}
