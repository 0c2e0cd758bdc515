package fanout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"helix/shared/document"
	"helix/shared/flows"
	"helix/shared/session"
)

// Documents as a whole, as the HTTP API asks for them.

func (n *node) replace(id, json string, only flows.Condition) (flows.Replaced, error) {
	return n.flows.Replace(context.Background(), id, []byte(json), only)
}

func (n *node) mustReplace(id, json string) flows.Replaced {
	n.t.Helper()
	r, err := n.replace(id, json, nil)
	if err != nil {
		n.t.Fatalf("replace: %v", err)
	}
	return r
}

func (n *node) document(id string) (flows.Document, error) {
	return n.flows.Document(context.Background(), id)
}

func (n *node) mustDocument(id string) flows.Document {
	n.t.Helper()
	d, err := n.document(id)
	if err != nil {
		n.t.Fatalf("document: %v", err)
	}
	return d
}

func (n *node) list(limit int) []flows.Summary {
	n.t.Helper()
	l, err := n.flows.List(context.Background(), "", limit)
	if err != nil {
		n.t.Fatalf("list: %v", err)
	}
	return l.Flows
}

func at(p flows.Position) flows.Condition { return func(now flows.Position) bool { return now == p } }

func TestReplace_isOneChange_thatMembersOfEveryEdgeSee(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob, plain := a.follow("f", following("ann")), b.follow("f", following("bob")), a.join("f", flows.JoinOptions{})
	plain.wait("joined")
	if _, err := a.document("f"); !errors.Is(err, flows.ErrNoDocument) {
		t.Fatalf("a document that nobody made: %v", err)
	}
	first := b.mustReplace("f", `{"title":"One","nodes":{"n1":{"x":1},"n2":{"x":2}},"list":[1]}`)
	if !first.Created || !first.Changed || first.Seq != 1 {
		t.Fatalf("%+v", first)
	}
	second := a.mustReplace("f", ` { "nodes":{"n2":{"x":2,"y":0},"n3":{}}, "list":{"now":"an object"} } `)
	if second.Created || !second.Changed || second.Seq != 2 || second.Epoch != first.Epoch {
		t.Fatalf("%+v", second)
	}
	for _, f := range []*follower{ann, bob} {
		f.reaches(`{"nodes":{"n2":{"x":2,"y":0},"n3":{}},"list":{"now":"an object"}}`)
		if f.updates != 2 || f.syncs != 0 {
			t.Errorf("%d updates, %d syncs", f.updates, f.syncs)
		}
	}
	plain.wait(`update 2 {"nodes":{"n2":{"y":0},"n3":{},"n1":null},"list":{"now":"an object"},"title":null}`)
	d := b.mustDocument("f")
	if d.Position != second.Position || d.UpdatedAt.IsZero() {
		t.Fatalf("%+v", d)
	}
	if same := a.mustReplace("f", string(d.JSON)); same.Changed || same.Position != second.Position {
		t.Fatalf("the same again: %+v", same)
	}
	if empty := a.mustReplace("g", `{}`); !empty.Created || empty.Seq != 1 || string(a.mustDocument("g").JSON) != `{}` {
		t.Fatalf("an empty document: %+v", empty)
	}
}

func TestReplace_onCondition_ofManyWritersExactlyOneIsFirst(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	nodes := []*node{startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)}
	position := flows.Position{} // create only
	for round := range 6 {
		var mu sync.Mutex
		var won []flows.Replaced
		var writers sync.WaitGroup
		for writer := range 6 {
			writers.Go(func() {
				got, err := nodes[writer%2].replace("f", fmt.Sprintf(`{"round":%d,"by":%d}`, round, writer), at(position))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, got)
				case !errors.Is(err, flows.ErrPrecondition):
					t.Error(err)
				}
			})
		}
		writers.Wait()
		if len(won) != 1 || won[0].Created != (round == 0) || won[0].Seq != uint64(round+1) {
			t.Fatalf("round %d: %+v", round, won)
		}
		position = won[0].Position
	}
}

// While others change the flow, what stands there at the seq of a replacement is exactly what was put.
func TestReplace_amongChanges_isExactAtItsSeq(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann := a.follow("f", following("ann"))
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for id := uint64(1); ; id++ {
			select {
			case <-done:
				return
			default:
				ann.change(id, fmt.Sprintf(`{"nodes":{"a%d":{"x":%d},"a%d":null}}`, id%7, id, (id+3)%7))
				ann.acked(id)
			}
		}
	})
	want := map[uint64]string{}
	for i := 0; len(want) < 20; i++ {
		json := fmt.Sprintf(`{"nodes":{"p%d":{"x":%d}},"n":%d}`, i%3, i, i)
		got, err := b.replace("f", json, nil)
		if errors.Is(err, flows.ErrConflict) { // it may be, and is told
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want[got.Seq] = json
	}
	close(done)
	writing.Wait()
	missed := b.follow("f", flows.JoinOptions{Resume: flows.Position{Epoch: ann.joined.Epoch}}).joined.Missed
	doc := document.New()
	for _, m := range missed {
		if err := doc.Apply([]byte(m.Changes)); err != nil {
			t.Fatal(err)
		}
		if json := want[m.Seq]; json != "" {
			if !reflect.DeepEqual(decoded(t, doc.AppendJSON(nil)), decoded(t, []byte(json))) {
				t.Fatalf("at %d: %s, want %s", m.Seq, doc.AppendJSON(nil), json)
			}
			delete(want, m.Seq)
		}
	}
	if len(want) > 0 {
		t.Fatalf("never seen: %v", want)
	}
}

func TestReplace_keepsTheDocumentWithinItsLimit_andFoldsWhereNobodyElseDoes(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startNode(t, r.URL, "a", quick)
	a.MaxDocument = 300 << 10
	text := func(i int) string { return fmt.Sprintf(`{"text":"%d%s"}`, i, strings.Repeat("x", 100<<10)) }
	for i := range 40 {
		a.mustReplace("f", text(i))
	}
	for i := range 40 {
		if _, err := a.flows.Change(context.Background(), "g", flows.Change{Changes: []byte(text(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.replace("f", `{"text":"`+strings.Repeat("x", 300<<10)+`"}`, nil); !errors.Is(err, flows.ErrDocumentTooLarge) {
		t.Fatal(err)
	}
	for _, id := range []flows.ID{"f", "g"} {
		if got := string(a.mustDocument(string(id)).JSON); got != text(39) {
			t.Errorf("%s has %.30s…", id, got)
		}
		c, err := a.Store.Flow(id).Read(context.Background(), session.Held{})
		if err != nil || c.Seq0 < 30 || len(c.Updates) > 10 {
			t.Errorf("%s: folded at %d of %d, %d behind it, %v", id, c.Seq0, c.Seq, len(c.Updates), err)
		}
	}
}

func TestDelete_endsTheSessionEverywhere_andWhatComesAfterBeginsEmpty(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob := a.join("f", flows.JoinOptions{}), b.join("f", flows.JoinOptions{})
	ann.wait("joined")
	bob.wait("joined")
	holder := a.follow("f", following("holder")) // an edge that holds the document
	before := b.mustReplace("f", `{"nodes":{"n1":{"x":1}}}`)
	holder.reaches(`{"nodes":{"n1":{"x":1}}}`)
	ctx := context.Background()
	if err := a.flows.Delete(ctx, "f", at(flows.Position{Epoch: before.Epoch, Seq: before.Seq + 1})); !errors.Is(err, flows.ErrPrecondition) {
		t.Fatalf("in another state: %v", err)
	}
	if err := a.flows.Delete(ctx, "f", at(before.Position)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{ann, bob} {
		c.wait("deleted")
		c.wait(fmt.Sprint("ended ", flows.EndDeleted))
	}
	if err := b.flows.Delete(ctx, "f", nil); !errors.Is(err, flows.ErrNoDocument) {
		t.Fatalf("again: %v", err)
	}
	if _, err := b.document("f"); !errors.Is(err, flows.ErrNoDocument) {
		t.Fatalf("its document: %v", err)
	}
	if list := b.list(10); len(list) != 0 {
		t.Fatalf("listed: %+v", list)
	}
	for _, n := range []*node{a, b} {
		again := n.follow("f", flows.JoinOptions{Resume: before.Position})
		if j := again.joined; j.Resumed || string(j.Document) != `{}` || j.Epoch == before.Epoch || j.Seq != 0 {
			t.Fatalf("%+v", j)
		}
	}
	anew := a.follow("f", following("ann"))
	anew.change(1, `{"fresh":true}`)
	anew.acked(1)
	eventually(t, "only what came after is there", func() bool { d, err := b.document("f"); return err == nil && string(d.JSON) == `{"fresh":true}` })
}

// Every subscription breaks, and the message of the deletion finds nobody.
func TestDelete_isHeardOf_whereItsMessageIsLost(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	admin := r.Client(t)
	for i := range 5 {
		id := fmt.Sprint("f", i)
		members := []*client{a.join(id, flows.JoinOptions{}), b.join(id, flows.JoinOptions{}), b.join(id, flows.JoinOptions{Sync: true})}
		for _, c := range members {
			c.wait("joined")
		}
		a.mustReplace(id, `{"a":1}`)
		for _, c := range members {
			c.wait("update 1")
		}
		if err := admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
			t.Fatal(err)
		}
		if err := a.flows.Delete(context.Background(), id, nil); err != nil {
			t.Fatal(err)
		}
		for _, c := range members {
			c.wait("deleted")
			c.wait(fmt.Sprint("ended ", flows.EndDeleted))
			if syncs := c.all("sync"); len(syncs) > 0 {
				t.Errorf("told %q before", syncs)
			}
		}
	}
}

// A session without a document is something to delete too.
func TestDelete_ofASessionWithoutADocument(t *testing.T) {
	t.Parallel()
	a := startNode(t, startRedis(t).URL, "a", quick)
	ann := a.join("f", flows.JoinOptions{})
	ann.wait("joined")
	if err := a.flows.Delete(context.Background(), "f", nil); err != nil {
		t.Fatal(err)
	}
	ann.wait("deleted")
	if err := a.flows.Delete(context.Background(), "f", func(p flows.Position) bool { return p == flows.Position{} }); !errors.Is(err, flows.ErrNoDocument) {
		t.Fatal(err)
	}
}

func TestList_countsFlowsThatNobodyFolded(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	const drawing = `{"title":"Größe","nodes":{"a":{},"b":{}},"edges":[1,2,3]}`
	a.mustReplace("outside", drawing)
	ann := a.follow("left", following("ann"))
	ann.change(1, drawing)
	ann.acked(1)
	ann.membership.Leave()
	eventually(t, "nothing is left of it", a.Empty)
	bob := b.follow("open", following("bob"))
	bob.change(1, drawing)
	bob.acked(1)
	list := a.list(10)
	if len(list) != 3 || list[0].Flow != "open" || list[1].Flow != "left" || list[2].Flow != "outside" {
		t.Fatalf("%+v", list)
	}
	if open := list[0]; !open.Active || open.ClientCount != 1 || open.CreatedAt.IsZero() || open.UpdatedAt.Before(list[1].UpdatedAt) {
		t.Fatalf("%+v", open)
	}
	for _, s := range list[1:] {
		if s.Title != "Größe" || s.Nodes != 2 || s.Edges != 3 || !s.UpToDate() || s.Active {
			t.Fatalf("%+v", s)
		}
		c, err := a.Store.Flow(s.Flow).Read(context.Background(), session.Held{})
		if err != nil || c.Seq0 != 1 {
			t.Fatalf("%s is read by every list: %+v, %v", s.Flow, c, err)
		}
		if d := b.mustDocument(string(s.Flow)); d.Position != s.Position || !d.UpdatedAt.Equal(s.UpdatedAt) || string(d.JSON) != drawing {
			t.Fatalf("%s, folded: %+v", s.Flow, d)
		}
		if same := b.mustReplace(string(s.Flow), drawing); same.Changed || same.Position != s.Position {
			t.Fatalf("%s, folded: %+v", s.Flow, same)
		}
	}
	eventually(t, "the leaseholder counted what has a session", func() bool {
		s, err := a.flows.Summary(context.Background(), "open")
		return err == nil && s.UpToDate() && s.Title == "Größe" && s.Nodes == 2 && s.Edges == 3
	})
}

func decoded(t testing.TB, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
