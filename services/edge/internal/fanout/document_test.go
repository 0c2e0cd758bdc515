package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"helix/shared/flows"
	"helix/shared/redistest"
)

func following(clientID string) flows.JoinOptions {
	return flows.JoinOptions{ClientID: clientID, Sync: true}
}

func TestSync_bringsTheDocument_andWhatFollowsBeginsThere(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann := a.follow("f", following("ann"))
	const each = 150
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range uint64(each) {
			ann.change(i+1, fmt.Sprintf(`{"n%d":{"x":%d}}`, i%20, i))
		}
	})
	var late []*follower
	for i := range 20 {
		late = append(late, []*node{a, b}[i%2].follow("f", following("")))
	}
	writing.Wait()
	ann.acked(each)
	ann.until("all of its changes", func() bool { return ann.at.Seq == each })
	want := ann.document()
	for _, f := range append(late, b.follow("f", following(""))) {
		f.reaches(want)
		if f.joined.Document == nil || f.joined.Resumed {
			t.Fatalf("joined with %+v", f.joined)
		}
	}
}

func TestSync_aStormOfJoinsReadsRedisFewTimes(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann := a.follow("f", following("ann"))
	const changes, joins = 100, 400
	for i := range uint64(changes) {
		ann.change(i+1, fmt.Sprintf(`{"n%d":1}`, i))
	}
	ann.acked(changes)
	epoch := ann.joined.Epoch
	var joining sync.WaitGroup
	for i := range joins {
		joining.Go(func() {
			opts := following("")
			if i%2 == 1 {
				opts = flows.JoinOptions{Resume: flows.Position{Epoch: epoch, Seq: uint64(i % changes)}}
			}
			if j := b.follow("f", opts).joined; j.Seq != changes || (j.Document == nil && len(j.Missed) != changes-i%changes) {
				t.Errorf("join %d: at %d with %d missed", i, j.Seq, len(j.Missed))
			}
		})
	}
	joining.Wait()
	if n := b.reads.Load(); n > 20 {
		t.Errorf("%d joins read Redis %d times", joins, n)
	}
}

func TestResume_bringsWhatWasMissed_elseTheDocument(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann := a.follow("f", following("ann"))
	for i := range uint64(10) {
		ann.change(i+1, fmt.Sprintf(`{"n":%d}`, i+1))
	}
	ann.acked(10)
	epoch := ann.joined.Epoch
	for _, n := range []*node{a, b} {
		for _, test := range []struct {
			at     flows.Position
			missed int // -1: the document comes instead
		}{
			{flows.Position{Epoch: epoch, Seq: 10}, 0},
			{flows.Position{Epoch: epoch, Seq: 7}, 3},
			{flows.Position{Epoch: epoch, Seq: 0}, 10},
			{flows.Position{Epoch: "other", Seq: 7}, -1},
			{flows.Position{Epoch: epoch, Seq: 11}, -1},
		} {
			f := n.follow("f", flows.JoinOptions{Resume: test.at})
			j := f.joined
			if j == nil || j.Seq != 10 || j.Resumed != (test.missed >= 0) || len(j.Missed) != max(test.missed, 0) || (j.Document == nil) != j.Resumed {
				t.Fatalf("from %v: %+v", test.at, j)
			}
			for i, m := range j.Missed {
				if m.Seq != test.at.Seq+uint64(i)+1 || m.Changes != fmt.Sprintf(`{"n":%d}`, m.Seq) {
					t.Fatalf("from %v: missed %+v", test.at, j.Missed)
				}
			}
		}
	}
	ann.change(11, `{"n":11}`)
	ann.acked(11)
}

func TestResume_afterEverybodyLeft(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann := a.follow("f", following("ann"))
	ann.change(1, `{"a":1}`)
	ann.change(2, `{"b":2}`)
	ann.acked(2)
	epoch := ann.joined.Epoch
	ann.membership.Leave()
	eventually(t, "nothing is left of it", a.Empty)
	again := b.follow("f", flows.JoinOptions{Resume: flows.Position{Epoch: epoch, Seq: 1}})
	if j := again.joined; !j.Resumed || len(j.Missed) != 1 || j.Missed[0].Changes != `{"b":2}` {
		t.Fatalf("%+v", j)
	}
	if j := b.follow("f", following("")).joined; string(j.Document) != `{"a":1,"b":2}` {
		t.Fatalf("%s", j.Document)
	}
}

func TestChange_sentAgainOnAnotherEdge_countsOnce(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann := a.follow("f", following("ann"))
	watcher := b.follow("f", following("watcher"))
	for id := range uint64(3) {
		ann.change(id+1, fmt.Sprintf(`{"n":%d}`, id+1))
	}
	if got := ann.acked(3); got != "ok 3" {
		t.Fatal(got)
	}
	again := b.follow("f", following("ann"))
	for _, id := range []uint64{2, 3, 4} {
		again.change(id, fmt.Sprintf(`{"n":%d}`, id))
	}
	if second, third, fourth := again.acked(2), again.acked(3), again.acked(4); third != "ok 3" || fourth != "ok 4" || second != "ok 3" {
		t.Fatal(second, third, fourth)
	}
	watcher.until("the new one", func() bool { return watcher.at.Seq == 4 })
	watcher.reaches(`{"n":4}`)
}

// What Redis published and an edge did not hear, it reads: at every lost connection, and without one
// when the next registration tells that there is more.
func TestGaps_areReadFromTheLog(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, reader := a.follow("f", following("ann")), b.follow("f", following("reader"))
	plain := b.join("f", flows.JoinOptions{})
	plain.wait("joined")
	const changes = 400
	admin := r.Client(t)
	for id := range uint64(changes) {
		ann.change(id+1, fmt.Sprintf(`{"n%d":%d}`, id%10, id))
		if id%40 == 7 {
			if err := admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
				t.Fatal(err)
			}
			ann.acked(id + 1)
		}
	}
	if got := ann.acked(changes); got != fmt.Sprint("ok ", changes) {
		t.Fatal(got)
	}
	reader.until("all", func() bool { return reader.at.Seq == changes })
	ann.until("all", func() bool { return ann.at.Seq == changes })
	if reader.syncs > 0 || reader.document() != ann.document() {
		t.Fatalf("%d syncs, %s, want %s", reader.syncs, reader.document(), ann.document())
	}
	plain.waitNth("update", changes)
}

func TestRedis_forgetsEverything_andGetsItBack(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob := a.follow("f", following("ann")), b.follow("f", following("bob"))
	whole := a.join("f", flows.JoinOptions{})
	whole.wait("joined")
	ann.change(1, `{"a":1}`)
	ann.acked(1) // so that the members stand in this order in the document
	bob.change(1, `{"b":{"c":1}}`)
	bob.acked(1)
	ann.reaches(`{"a":1,"b":{"c":1}}`)
	bob.reaches(`{"a":1,"b":{"c":1}}`)
	before := ann.joined.Epoch
	if err := r.Client(t).FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	ann.change(2, `{"a":2}`)
	if got := ann.acked(2); !strings.HasPrefix(got, "ok ") {
		t.Fatal(got)
	}
	bob.change(2, `{"b":{"d":1}}`)
	bob.acked(2)
	for _, f := range []*follower{ann, bob} {
		f.reaches(`{"a":2,"b":{"c":1,"d":1}}`)
		if f.syncs == 0 || f.at.Epoch == before {
			t.Fatalf("%d syncs, at %v", f.syncs, f.at)
		}
	}
	late := b.follow("f", flows.JoinOptions{ClientID: "ann", Resume: flows.Position{Epoch: before, Seq: 2}})
	late.reaches(`{"a":2,"b":{"c":1,"d":1}}`)
	late.change(2, `{"a":2}`) // it did not hear the answer
	if got := late.acked(2); !strings.HasPrefix(got, "ok ") {
		t.Fatal(got)
	}
	late.change(3, `{"a":3}`)
	late.acked(3)
	bob.reaches(`{"a":3,"b":{"c":1,"d":1}}`)
	whole.wait(`update 0 {"a":1,"b":{"c":1}}`)
}

// keep gives what takes Redis back to what it holds now: as one that comes back with an older data set.
func (n *node) keep(r *redistest.Server, flow flows.ID) (older func()) {
	n.t.Helper()
	client, keys, ctx := r.Client(n.t), n.lanes.Keys(flow), context.Background()
	old := map[string]string{}
	for _, key := range []string{keys.Head, keys.Log, keys.Answered} {
		dump, err := client.Dump(ctx, key).Result()
		if err != nil {
			n.t.Fatal(err)
		}
		old[key] = dump
	}
	return func() {
		for key, dump := range old {
			if err := client.RestoreReplace(ctx, key, 0, dump).Err(); err != nil {
				n.t.Fatal(err)
			}
		}
		// No server is back within the millisecond of its last change: by their times histories are told apart.
		for began := n.redisTime(client); n.redisTime(client) == began; {
		}
	}
}

// redisTime is Redis's clock in milliseconds, as the scripts read it.
func (n *node) redisTime(client *redis.Client) int64 {
	n.t.Helper()
	now, err := client.Time(context.Background()).Result()
	if err != nil {
		n.t.Fatal(err)
	}
	return now.UnixMilli()
}

// A Redis that comes back with an older data set gives seqs again that it gave before.
func TestRedis_losesItsNewest_andGetsThemBack(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob := a.follow("f", following("ann")), b.follow("f", following("bob"))
	for id := range uint64(5) {
		ann.change(id+1, fmt.Sprintf(`{"n%d":1}`, id))
	}
	ann.acked(5)
	older := a.keep(r, "f")
	for id := range uint64(5) {
		ann.change(id+6, fmt.Sprintf(`{"n%d":2}`, id))
	}
	ann.acked(10)
	bob.until("all", func() bool { return bob.at.Seq == 10 })
	older()
	bob.change(1, `{"bob":1}`)
	bob.acked(1)
	ann.change(11, `{"n0":3}`)
	ann.acked(11)
	for _, f := range []*follower{ann, bob} {
		f.reaches(`{"n0":3,"n1":2,"n2":2,"n3":2,"n4":2,"bob":1}`)
	}
}

// The same, but others change the flow before an edge that holds what was lost comes to know: under the
// same seqs, and as many or more of them. Both histories are kept.
func TestRedis_losesItsNewest_andOthersGoOn_bothAreKept(t *testing.T) {
	t.Parallel()
	for others := range 8 {
		t.Run(fmt.Sprint(others+1), func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
			ann, bob := a.follow("f", following("ann")), b.follow("f", following("bob"))
			ann.change(1, `{"n":1}`)
			ann.acked(1)
			older := a.keep(r, "f")
			for id := range uint64(4) {
				ann.change(id+2, fmt.Sprintf(`{"n":%d}`, id+2))
				ann.acked(id + 2)
			}
			bob.until("all", func() bool { return bob.at.Seq == 5 })
			older()
			c := startNode(t, r.URL, "c", quick)
			want := `{"n":5`
			for i := range others + 1 { // from outside the session: it does not know better
				change := fmt.Sprintf(`"o%d":%d`, i, i)
				if _, err := c.flows.Change(context.Background(), "f", flows.Change{Changes: []byte("{" + change + "}")}); err != nil {
					t.Fatal(err)
				}
				want += "," + change
			}
			for _, f := range []*follower{ann, bob} {
				f.reaches(want + "}")
			}
			ann.change(6, `{"n":6}`)
			if got := ann.acked(6); !strings.HasPrefix(got, "ok") {
				t.Fatal(got)
			}
			want = strings.Replace(want, `"n":5`, `"n":6`, 1) + "}"
			for _, f := range []*follower{ann, bob, c.follow("f", following(""))} {
				f.reaches(want)
			}
		})
	}
}

// A client may send on without waiting. Once one of its changes is to be sent again, those behind it are
// too: carried out before it, they would make it look like a repeat, and it would be lost.
func TestChange_behindOneThatMustBeSentAgain_waitsForIt(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startNode(t, r.URL, "a", quick)
	ann := a.follow("f", following("ann"))
	ann.change(1, `{"n1":1}`)
	ann.acked(1)
	r.Pause()
	for id := uint64(2); id <= 20; id++ {
		ann.change(id, fmt.Sprintf(`{"n%d":1}`, id))
	}
	first := ann.acked(2)
	r.Resume()
	if first != "unavailable" {
		t.Fatal(first)
	}
	for id := uint64(3); id <= 25; id++ {
		if id > 20 {
			ann.change(id, fmt.Sprintf(`{"n%d":1}`, id))
		}
		if got := ann.acked(id); got != "unavailable" {
			t.Fatalf("change %d, behind one that was not carried out: %s", id, got)
		}
	}
	ann.note(func() { clear(ann.answers) })
	want := `{"n1":1`
	for id := uint64(2); id <= 25; id++ {
		ann.change(id, fmt.Sprintf(`{"n%d":1}`, id))
		want += fmt.Sprintf(`,"n%d":1`, id)
	}
	for id := uint64(2); id <= 25; id++ {
		if got := ann.acked(id); !strings.HasPrefix(got, "ok") {
			t.Fatalf("change %d: %s", id, got)
		}
	}
	ann.reaches(want + "}")
	a.follow("f", following("")).reaches(want + "}")
}

func TestDocument_atItsLimit_takesWhatFits(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startNode(t, r.URL, "a", quick)
	a.MaxDocument = 2000
	ann := a.follow("f", following("ann"))
	text := strings.Repeat("x", 300)
	id, refused := uint64(0), 0
	for ; id < 12; id++ {
		ann.change(id+1, fmt.Sprintf(`{"n%d":"%s"}`, id%9, text)) // some of them again: they add nothing
	}
	for i := range id {
		if got := ann.acked(i + 1); got == "document_too_large" {
			refused++
		}
	}
	if got := len(ann.document()); got > 2000 || got < 1700 {
		t.Fatalf("%d bytes of 2000", got)
	}
	if refused == 0 || refused > 6 {
		t.Fatalf("%d refused", refused)
	}
	ann.change(13, `{"n0":null,"n1":null}`)
	if got := ann.acked(13); !strings.HasPrefix(got, "ok") {
		t.Fatalf("a change that makes the document smaller: %s", got)
	}
	ann.change(14, fmt.Sprintf(`{"m":"%s"}`, text))
	if got := ann.acked(14); !strings.HasPrefix(got, "ok") {
		t.Fatal(got)
	}
	ann.change(15, fmt.Sprintf(`{"m2":"%s","m3":"%s"}`, text, text))
	if got := ann.acked(15); got != "document_too_large" {
		t.Fatal(got)
	}
	// It did not hear of that, and sends it again, behind one that fits; from another edge.
	ann.change(16, `{"m":"short"}`)
	if got := ann.acked(16); !strings.HasPrefix(got, "ok") {
		t.Fatal(got)
	}
	elsewhere := startNode(t, r.URL, "b", quick).follow("f", following("ann"))
	for id, want := range map[uint64]string{15: "document_too_large", 16: "ok"} {
		elsewhere.change(id, `{}`)
		if got := elsewhere.acked(id); !strings.HasPrefix(got, want) {
			t.Fatalf("change %d again: %s", id, got)
		}
	}
	ann.change(17, fmt.Sprintf(`{"m":"%s"}`, text))
	ann.acked(17)
	outside := func(changes string) error {
		_, err := a.flows.Change(context.Background(), "f", flows.Change{Changes: []byte(changes)})
		return err
	}
	if err := outside(fmt.Sprintf(`{"m2":"%s","m3":"%s"}`, text, text)); !errors.Is(err, flows.ErrDocumentTooLarge) {
		t.Fatal(err)
	}
	if err := outside(`{"m":null}`); err != nil {
		t.Fatal(err)
	}
}

func TestFold_keepsTheDocumentForWhoComesLater_andTheLogShort(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startNode(t, r.URL, "a", quick)
	a.LogChanges = 10
	ann := a.follow("f", following("ann"))
	const changes = 3000
	for id := range uint64(changes) {
		ann.change(id+1, fmt.Sprintf(`{"nodes":{"n%d":{"x":%d}},"title":"T"}`, id%7, id))
	}
	ann.acked(changes)
	client, keys := r.Client(t), a.lanes.Keys("f")
	eventually(t, "the log is folded and trimmed", func() bool {
		n, err := client.XLen(context.Background(), keys.Log).Result()
		snapshot := client.HMGet(context.Background(), keys.Snapshot, "seq", "title", "nodes").Val()
		return err == nil && n <= 10 && fmt.Sprint(snapshot) == fmt.Sprint("[", changes, " T 7]")
	})
	want := ann.document()
	ann.membership.Leave()
	eventually(t, "nothing is left of it", a.Empty)
	b := startNode(t, r.URL, "b", quick)
	f := b.follow("f", flows.JoinOptions{Resume: flows.Position{Epoch: ann.joined.Epoch, Seq: 100}})
	if f.joined.Resumed || string(f.joined.Document) != want {
		t.Fatalf("%s, want %s", f.joined.Document, want)
	}
}
