package session_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"helix/shared/flows"
	"helix/shared/session"
)

// modelWorld is three nodes on one flow, their Redis, and the spec that it is held against.
type modelWorld struct {
	redis  *modelRedis
	spec   *spec
	nodes  []*modelNode
	epochs []string // all that there ever were
	copies []*backup
	tokens []int64        // all that were ever given, of whatever node
	past   map[int64]bool // all times that Redis's clock told
}

// modelNode is what a node knows; it learns only from what it is told.
type modelNode struct {
	name  string
	store *session.Store
	flow  *session.Flow

	clients int
	number  int64 // of the session it is in
	last    session.Registration
	token   int64
	run     uint64

	held     session.Held // where it holds the document; zero: it does not
	document string
	bytes    uint64
	found    session.Held // where Redis was when it read last
	answered map[string]session.AnsweredChange

	// astray: its document has changes that Redis lost, at a seq of the epoch that Redis goes on with.
	astray bool
}

var modelOptions = session.Options{
	MaxClients: 4, LeaseTTL: 15 * time.Second, InactivityTimeout: 10 * time.Second, Retention: 10 * time.Minute,
}

func newWorld(t *rapid.T, r *modelRedis, o session.Options) *modelWorld {
	w := &modelWorld{redis: r, spec: &spec{opts: o}, past: map[int64]bool{}}
	r.begin(t, w.spec)
	for _, name := range []string{"a", "b", "c"} {
		s := session.NewStore(r.lanes, name, o)
		w.nodes = append(w.nodes, &modelNode{name: name, store: s, flow: s.Flow(modelFlow), answered: map[string]session.AnsweredChange{}})
	}
	return w
}

// say writes a line of the story that a failure prints; random names are told by their order.
func (w *modelWorld) say(t *rapid.T, format string, args ...any) {
	t.Helper()
	t.Log(w.plain(fmt.Sprintf(format, args...)))
}

func (w *modelWorld) plain(s string) string {
	var names []string
	for i, e := range w.epochs {
		names = append(names, e, fmt.Sprint("E", i+1))
	}
	for _, n := range w.nodes {
		names = append(names, n.store.Node(), n.name)
	}
	return strings.NewReplacer(names...).Replace(s)
}

// same compares; the failure itself is told without what is random, so that shrinking knows it again.
func (w *modelWorld) same(t *rapid.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		w.say(t, "%s: Redis  %s\n%s: model  %s", what, tell(got), what, tell(want))
		t.Fatalf("Redis differs from the model: %s", what)
	}
}

// tell prints a value with what it points to.
func tell(v any) string {
	switch v := v.(type) {
	case []session.Message:
		var all []string
		for _, m := range v {
			all = append(all, fmt.Sprintf("{update %s, count %+v, end %+v, restored %q, vacant %v}", tell(m.Update), m.Count, m.End, m.Restored, m.Vacant))
		}
		return strings.Join(all, ", ")
	case session.Content:
		text := fmt.Sprintf("%s, from %s, behind %v, forked %v, document %q at %d (%d bytes)", v.Position, v.From, v.Behind, v.Forked, v.Document, v.Seq0, v.Bytes0)
		for _, u := range v.Updates {
			text += ", " + tell(u)
		}
		return text
	case *session.Update:
		if v == nil {
			return "none"
		}
		return fmt.Sprintf("%+v", *v)
	case []flows.Status:
		return fmt.Sprintf("%+v", v)
	}
	return fmt.Sprintf("%+v", v)
}

// near takes the model's time for Redis's where a real clock makes them differ.
func (w *modelWorld) near(got time.Time, want *time.Time) {
	if d := got.Sub(*want).Abs(); d > 0 && d < w.redis.slack() {
		*want = got
	}
}

// tick lets no two calls come at the same time: by its time a run is told from another at the same seq.
func (w *modelWorld) tick(t *rapid.T) {
	w.redis.tick(t, w.spec)
	for w.redis.stand != nil && w.past[w.spec.time] {
		w.redis.pass(w.spec, time.Millisecond)
	}
	w.past[w.spec.time] = true
}

// step is one call: do asks Redis and gives the epoch that it told, expect asks the model, which takes
// that epoch where it needs a fresh one.
func (w *modelWorld) step(t *rapid.T, do func() (epoch string), expect func(fresh string)) {
	t.Helper()
	w.tick(t)
	before := w.spec.position().Epoch
	epoch := do()
	expect(epoch)
	if now := w.spec.position().Epoch; now != before && now != "" {
		if slices.Contains(w.epochs, now) {
			t.Fatal("an epoch came twice")
		}
		w.epochs = append(w.epochs, now)
	}
}

// token notes a fencing token that a node was given.
func (w *modelWorld) token(n *modelNode, token int64) {
	if token == 0 {
		return // it may hold one that is lost: it learns that from its next step
	}
	n.token = token
	if !slices.Contains(w.tokens, token) {
		w.tokens = append(w.tokens, token)
	}
}

// check looks at everything after each step.
func (w *modelWorld) check(t *rapid.T) {
	if why := w.spec.broken(); why != "" {
		t.Fatal(why)
	}
	w.checkMessages(t)
	w.redis.tick(t, w.spec)
	w.checkContent(t, w.nodes[0], session.Held{})
	w.checkStatus(t)
	w.checkVersions(t)
	got, want := w.redis.lives(t), w.spec.lives()
	for name, ttl := range want {
		if d := (got[name] - ttl).Abs(); got[name] > 0 && d < w.redis.slack() {
			want[name] = got[name]
		}
	}
	w.same(t, "how long the keys live", got, want)
}

func (w *modelWorld) checkMessages(t *rapid.T) {
	var got []session.Message
	for _, p := range w.redis.published(t) {
		m, err := session.ParseMessage(p)
		if err != nil {
			t.Fatalf("a message that cannot be read: %v", err)
		}
		got = append(got, m)
	}
	want := w.spec.told
	w.spec.told = nil
	for i := range min(len(got), len(want)) {
		if got[i].End != nil && want[i].End != nil {
			w.near(got[i].End.At, &want[i].End.At)
		}
	}
	w.same(t, "what is published", got, want)
}

// checkContent reads behind a position, and makes the document of what comes.
func (w *modelWorld) checkContent(t *rapid.T, n *modelNode, behind session.Held) session.Content {
	got, err := n.flow.Read(context.Background(), behind)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	want := w.spec.read(behind)
	w.same(t, "what is read", got, want)
	if !got.Behind && !got.Forked {
		doc, at, bytes := built(`{}`, session.Held{}, &got)
		if want := w.spec.document(w.spec.position().Seq); doc != want || at != w.spec.newest() || (at.Seq > 0 && bytes != w.spec.head.bytes) {
			w.say(t, "read:    %s at %s, %d bytes\nhistory: %s at %s", doc, at, bytes, want, w.spec.position())
			t.Fatal("what is read is not what was changed")
		}
	}
	return got
}

// built makes the document of a content, from one at a position where it goes on from there.
func built(json string, at session.Held, c *session.Content) (string, session.Held, uint64) {
	bytes := c.Bytes0
	if !c.Behind {
		json, at = `{}`, session.Held{Position: session.Position{Epoch: c.Epoch, Seq: c.Seq0}}
		if c.Document != "" {
			json = c.Document
		}
	}
	doc := mustParse(json)
	for _, u := range c.Updates {
		for i := range u.Changes {
			if seq := u.First + uint64(i); seq == at.Seq+1 {
				if err := doc.Apply([]byte(u.Changes[i].Changes)); err != nil {
					panic(err)
				}
				at.Seq, bytes = seq, u.Bytes
			}
		}
	}
	at.At = c.At
	return string(doc.AppendJSON(nil)), at, bytes
}

// checkVersions reads the list, one of its versions, and who two clients are.
func (w *modelWorld) checkVersions(t *rapid.T) {
	want := session.Versions{Head: w.spec.newest(), Authors: []flows.Author{{ClientID: "ann"}, {ClientID: "bob"}}}
	if v := w.spec.versions; v != nil {
		want.Number, want.List = v.number, v.list
	}
	for i, a := range want.Authors {
		if w.spec.authors != nil && w.spec.authors.known[a.ClientID] != (flows.Author{}) {
			want.Authors[i] = w.spec.authors.known[a.ClientID]
		}
	}
	got, err := w.nodes[0].flow.Versions(context.Background(), "ann", "bob")
	w.same(t, "versions' error", err, error(nil))
	if len(got.List) == 0 && len(want.List) == 0 {
		got.List, want.List = nil, nil
	}
	w.same(t, "the versions", got, want)
	if len(got.List) > 0 {
		last := got.List[len(got.List)-1]
		v, document, exists, err := w.nodes[0].flow.Version(context.Background(), last.ID)
		w.same(t, "a version", []any{v, string(document), exists, err}, []any{last, w.spec.versions.documents[last.ID], true, error(nil)})
	}
}

func (w *modelWorld) checkStatus(t *rapid.T) {
	got, err := w.nodes[0].flow.Status(context.Background())
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	want := flows.Status{Flow: modelFlow}
	want.Active, want.ClientCount, want.StartedAt, want.LastActivity = w.spec.status()
	w.near(got.StartedAt, &want.StartedAt)
	w.near(got.LastActivity, &want.LastActivity)
	w.same(t, "the status", got, want)
}
