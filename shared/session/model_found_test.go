package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"helix/shared/redistest"
	"helix/shared/session"
)

// What the model test found, told as short as it can be. Tests whose clock jumps run on a stand-in.

// clockedRedis is a stand-in whose clock moves only when it is told to.
type clockedRedis struct {
	*miniredis.Miniredis
	now time.Time
}

var clockStart = time.UnixMilli(1_750_000_000_000)

func startClocked(t *testing.T) *clockedRedis {
	t.Helper()
	r := &clockedRedis{miniredis.NewMiniRedis(), clockStart}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.SetTime(r.now)
	return r
}

// url is how lanes.Open finds it.
func (r *clockedRedis) url() string { return "redis://" + r.Addr() }

// jump moves TIME by d, as for a server that takes over and whose clock differs; TTLs run on forwards only.
func (r *clockedRedis) jump(d time.Duration) {
	if d > 0 {
		r.FastForward(d)
	}
	r.now = r.now.Add(d)
	r.SetTime(r.now)
}

func TestRenew_keepsTheLease_whenTheClockWentBack(t *testing.T) {
	t.Parallel()
	r := startClocked(t)
	f := session.NewStore(openLanes(t, r.url()), "a", patient).Flow("f")
	lease := f.Lease(join(t, f, 0, 1).Token)
	r.jump(-time.Minute)
	if idle, err := lease.Renew(context.Background()); err != nil || idle != 0 {
		t.Fatalf("idle for %v, %v", idle, err)
	}
}

func TestDelete_isLearntByANodeThatMissedIt(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", patient).Flow("f")
		b := session.NewStore(l, "b", patient).Flow("f")
		r := join(t, b, 0, 1)
		for range 2 { // the flow gets another epoch each time
			if _, _, err := a.Delete(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
		}
		missed := session.Registration{Wanted: 1, Before: 1, Number: r.Number}
		if got, err := register(t, b, missed); !errors.Is(err, session.ErrEnded) {
			t.Fatalf("%+v, %v", got, err)
		}
		if got := join(t, b, 0, 1); got.Number <= r.Number {
			t.Fatalf("the session after: %+v", got)
		}
	})
}

func TestRegister_removesADeadNodesClients_whenTheClockWentBack(t *testing.T) {
	t.Parallel()
	r := startClocked(t)
	l := openLanes(t, r.url())
	a := session.NewStore(l, "a", patient).Flow("f")
	b := session.NewStore(l, "b", patient).Flow("f")
	join(t, a, 0, 2) // and is dead
	join(t, b, 0, 1)
	r.jump(-time.Hour)
	got := join(t, b, 1, 0)
	if got.Next < 0 || got.Next > patient.NodeTTL() {
		t.Fatalf("the dead node is looked for after %v", got.Next)
	}
	r.jump(got.Next + time.Millisecond)
	if got := join(t, b, 1, 0); got.Total != 1 || !got.Fewer {
		t.Fatalf("%+v", got)
	}
}

func TestRestore_forgetsTheSeqsOfAnotherEpoch_butNoChange(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		ann := session.Change{ClientID: "ann", ID: 6, Changes: `{}`}
		if _, err := run(t, f, session.Guard{}, session.Change{Changes: `{}`}, ann); err != nil {
			t.Fatal(err)
		}
		found := read(t, f, session.Held{}).Held // of an older data set; the node was further on
		held := session.Position{Epoch: found.Epoch, Seq: 9}
		done := make(chan string, 1)
		f.Restore(held, found, fold(0, "", 0, `{}`), nil, func(epoch string, err error) {
			if err != nil {
				t.Error(err)
			}
			done <- epoch
		})
		epoch := <-done
		got, err := run(t, f, session.Guard{}, ann)
		if err != nil || got.Epoch != epoch || got.First != 1 || len(got.Repeats) != 1 || got.Repeats[0].Seq != 0 {
			t.Fatalf("sent again in epoch %q: %+v, %v", epoch, got, err)
		}
	})
}

func TestRetention_keepsADocumentWhole(t *testing.T) {
	t.Parallel()
	almost := patient.Retention - time.Minute
	ann := session.Change{ClientID: "ann", ID: 1, Changes: `{"a":1}`}
	for name, live := range map[string]func(t *testing.T, r *clockedRedis, f *session.Flow){
		"changed outside a session": func(t *testing.T, r *clockedRedis, f *session.Flow) {
			put(t, f, `{}`)
			r.jump(almost)
		},
		"folded": func(t *testing.T, r *clockedRedis, f *session.Flow) {
			at := put(t, f, `{}`)
			r.jump(time.Second)
			d := fold(at.First, at.Epoch, at.Bytes, `{"a":1}`)
			d.At = at.At
			if ok, err := f.FoldVacant(context.Background(), d); err != nil || !ok {
				t.Fatalf("%v, %v", ok, err)
			}
			r.jump(almost)
		},
		"its session closed": func(t *testing.T, r *clockedRedis, f *session.Flow) {
			join(t, f, 0, 1)
			r.jump(patient.NodeTTL())
			if _, err := f.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.jump(patient.Retention - time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startClocked(t)
			f := session.NewStore(openLanes(t, r.url()), "a", patient).Flow("f")
			at, err := run(t, f, session.Guard{}, ann)
			if err != nil {
				t.Fatal(err)
			}
			d := fold(1, at.Epoch, at.Bytes, `{"a":1}`)
			d.At = at.At
			if ok, err := f.FoldVacant(context.Background(), d); err != nil || !ok {
				t.Fatalf("%v, %v", ok, err)
			}
			r.jump(almost)
			live(t, r, f)
			if c := read(t, f, session.Held{}); c.Epoch != at.Epoch || c.Document != `{"a":1}` {
				t.Errorf("what is left: %+v", c)
			}
			if again, err := run(t, f, session.Guard{}, ann); err != nil || len(again.Repeats) != 1 {
				t.Errorf("a change that was sent before: %+v, %v", again, err)
			}
		})
	}
}

func TestEpoch_beginsAnew_whereTheHeadEndedBeforeTheRest(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T, *session.Flow){
		"with a change":       func(*testing.T, *session.Flow) {},
		"with a registration": func(t *testing.T, f *session.Flow) { join(t, f, 0, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startClocked(t)
			l := openLanes(t, r.url())
			f := session.NewStore(l, "a", patient).Flow("f")
			old := join(t, f, 0, 1)
			r.jump(10 * time.Second)
			ann := session.Change{ClientID: "ann", ID: 1, Changes: `{"old":1}`}
			if _, err := run(t, f, session.Guard{}, ann, ann, session.Change{Changes: `{}`}); err != nil {
				t.Fatal(err)
			}
			r.Del(l.Keys("f").Head) // as a Redis does that runs out of memory; by their TTL they end together
			r.jump(patient.LeaseTTL + patient.LeaseTTL)
			begin(t, f)
			for i := range 3 {
				ann.Changes, ann.ID = fmt.Sprintf(`{"n":%d}`, i), uint64(i+1)
				got, err := run(t, f, session.Guard{}, ann)
				if err != nil || got.First != uint64(i+1) || len(got.Repeats) != 0 || got.Epoch == old.Epoch {
					t.Fatalf("%+v, %v", got, err)
				}
			}
			if got := history(read(t, f, session.Held{})); len(got) != 3 || got[0] != `1 {"n":0}` {
				t.Fatalf("%q", got)
			}
		})
	}
}

func TestRead_noticesAnotherHistory_whoseRunsEndElsewhere(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		empty := session.Change{Changes: `{}`}
		got, err := run(t, f, session.Guard{}, empty, empty, empty)
		if err != nil {
			t.Fatal(err)
		}
		inside := session.Held{Position: session.Position{Epoch: got.Epoch, Seq: 2}}
		if c := read(t, f, inside); !c.Behind || c.Forked {
			t.Errorf("behind a seq inside a run: %+v", c)
		}
		inside.At = got.At.Add(-time.Second)
		if c := read(t, f, inside); c.Behind || !c.Forked {
			t.Errorf("behind a run that ended there: %+v", c)
		}
		d := fold(3, got.Epoch, got.Bytes, `{}`)
		d.At = got.At
		if ok, err := f.FoldVacant(context.Background(), d); err != nil || !ok {
			t.Fatalf("%v, %v", ok, err)
		}
		put(t, f, `{}`)
		trimmed := session.Held{Position: d.Position, At: got.At}
		if c := read(t, f, trimmed); !c.Behind || c.Forked {
			t.Errorf("behind a run that is trimmed: %+v", c)
		}
		trimmed.At = got.At.Add(-time.Second)
		if c := read(t, f, trimmed); c.Behind || !c.Forked {
			t.Errorf("behind another run in its place: %+v", c)
		}
	})
}
