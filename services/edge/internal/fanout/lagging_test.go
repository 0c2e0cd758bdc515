package fanout_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"helix/shared/flows"
)

func TestSlow_readersAreCaughtUpByComposition_andEndWithTheSameDocument(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	writers := []*follower{a.follow("f", following("ann")), b.follow("f", following("bob"))}
	var slow []*follower
	for i := range 6 {
		s := []*node{a, b}[i%2].follow("f", following(""))
		s.slow(i * 3)
		slow = append(slow, s)
	}
	const each = 2000
	var writing sync.WaitGroup
	for w, writer := range writers {
		writing.Go(func() {
			for i := range uint64(each) {
				writer.change(i+1, fmt.Sprintf(`{"n%d":{"x":%d,"w%d":%s}}`, i%50, i, w, []string{"null", `{"y":1}`, "7"}[i%3]))
				if i%100 == 99 { // one in a hundred of what the others take
					writer.acked(i + 1)
					slow[int(i/100)%len(slow)].drain(1)
				}
			}
		})
	}
	writing.Wait()
	for _, w := range writers {
		w.until("all", func() bool { return w.at.Seq == 2*each })
	}
	want := writers[0].document()
	for i, s := range slow {
		s.drain(-1)
		s.reaches(want)
		s.mu.Lock()
		if s.catchups+s.syncs == 0 || s.updates > each || s.at.Seq != 2*each {
			t.Errorf("slow reader %d took %d catch-ups and %d updates, at %v", i, s.catchups+s.syncs, s.updates, s.at)
		}
		s.mu.Unlock()
	}
	writers[0].change(each+1, `{"last":true}`)
	for _, s := range slow {
		s.until("what comes after", func() bool { return s.at.Seq == 2*each+1 })
	}
}

// Counts are dropped for their newest; a member that never drains holds nobody up.
func TestSlow_membersAreOwedTheNewestCount(t *testing.T) {
	t.Parallel()
	a := startNode(t, startRedis(t).URL, "a", quick)
	ann := a.follow("f", following("ann"))
	slow, stuck := a.follow("f", following("")), a.follow("f", following(""))
	ann.until("both joins", func() bool { return ann.counts == 3 })
	slow.until("the other's join", func() bool { return slow.counts == 3 })
	slow.slow(0)
	stuck.slow(0)
	ann.change(1, `{"a":1}`)
	ann.acked(1)
	for i := range 5 {
		a.follow("f", following(""))
		ann.until("the news of it", func() bool { return ann.counts == 4+i })
	}
	slow.mu.Lock()
	before := slow.took
	slow.mu.Unlock()
	slow.drain(-1)
	slow.until("the newest count", func() bool { return slow.counts == 8 })
	slow.mu.Lock()
	if got := slow.took - before; got != 2 {
		t.Errorf("%d frames told it of one change and five joins", got)
	}
	slow.mu.Unlock()
	stuck.membership.Leave()
	slow.until("that the other left", func() bool { return slow.counts == 7 })
}

// Of many changes the document may be shorter than their composition: then it comes instead. So does
// it when Redis lost its memory meanwhile.
func TestSlow_membersGetTheDocument_whereThatIsShorter_orANewOne(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startNode(t, r.URL, "a", quick)
	ann := a.follow("f", following("ann"))
	slow, behind := a.follow("f", following("")), a.follow("f", following(""))
	slow.slow(0)
	behind.slow(0)
	const changes = 3000
	for i := range uint64(changes) {
		ann.change(i+1, fmt.Sprintf(`{"n%d":1,"n%d":null}`, i, i-min(i, 3)))
	}
	ann.until("all of its changes", func() bool { return ann.at.Seq == changes })
	slow.drain(-1)
	slow.reaches(ann.document())
	slow.until("a sync", func() bool { return slow.syncs == 1 && slow.catchups == 0 })

	if err := r.Client(t).FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	ann.change(changes+1, `{"after":true}`)
	if got := ann.acked(changes + 1); !strings.HasPrefix(got, "ok") {
		t.Fatal(got)
	}
	ann.until("the new epoch and its change there", func() bool { return ann.syncs == 1 && ann.at.Seq == 1 })
	behind.drain(-1)
	behind.reaches(ann.document())
	if behind.at.Epoch != ann.at.Epoch {
		t.Fatalf("at %v, the others at %v", behind.at, ann.at)
	}
	late := a.follow("f", flows.JoinOptions{Sync: true})
	late.reaches(ann.document())
}
