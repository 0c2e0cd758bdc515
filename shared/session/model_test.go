package session_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"helix/shared/session"
)

// The model test: three nodes call the scripts in any order, with stale arguments too; clocks jump, and
// Redis comes back empty or older. After each call Redis must have answered, published and kept what the
// spec says. A failure prints its seed and the shortest story that leads to it; what it found before is in
// model_found_test.go.
//
//	RAPID_CHECKS=20000 go test ./session -run Model -timeout 30m    longer (100 stories otherwise)
//	RAPID_SEED=17 go test ./session -run Model                      the same stories again

func TestModel_holdsOnTheStandIn_whileClocksJump(t *testing.T) {
	t.Parallel()
	r := onStandIn(t)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, r, modelOptions)
		actions := w.actions()
		actions["the clock jumps"] = w.clock
		actions["a while passes"] = w.while
		t.Repeat(actions)
	})
}

// Redis's own clock cannot be moved: here nothing ends by itself.
func TestModel_holdsOnAServer(t *testing.T) {
	t.Parallel()
	r := onServer(t)
	o := modelOptions
	o.LeaseTTL, o.InactivityTimeout, o.Retention = time.Hour, 24*time.Hour, 48*time.Hour
	rapid.Check(t, func(t *rapid.T) { t.Repeat(newWorld(t, r, o).actions()) })
}

func (w *modelWorld) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":               w.check,
		"register":       w.register,
		"register more":  w.register,
		"register again": w.registerAgain,
		"change":         w.change,
		"change more":    w.change,
		"lease":          w.lease,
		"fold":           w.fold,
		"read":           w.read,
		"restore":        w.restore,
		"keep":           w.keep,
		"end or loss": func(t *rapid.T) {
			if rapid.Bool().Draw(t, "loss") {
				w.loss(t)
				return
			}
			w.end(t)
		},
		"list": w.list,
	}
}

func (w *modelWorld) node(t *rapid.T) *modelNode {
	return w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(t, "node")]
}

// someEpoch is of now, or of before, or of nobody; it is drawn by its number, for its name is random.
func (w *modelWorld) someEpoch(t *rapid.T) string {
	if now := w.spec.position().Epoch; now != "" && rapid.IntRange(0, 3).Draw(t, "any epoch") < 3 {
		return now
	}
	if i := rapid.IntRange(0, len(w.epochs)).Draw(t, "epoch"); i > 0 {
		return w.epochs[i-1]
	}
	return "NOBODYS"
}

// somePosition is one that a client may come with.
func (w *modelWorld) somePosition(t *rapid.T) session.Position {
	return session.Position{Epoch: w.someEpoch(t), Seq: rapid.Uint64Range(0, w.spec.position().Seq+1).Draw(t, "seq")}
}

// somewhere is where a node says that it holds the document.
func (w *modelWorld) somewhere(t *rapid.T, n *modelNode) session.Held {
	if rapid.Bool().Draw(t, "tells where it holds the document") {
		return n.held
	}
	return session.Held{}
}

// at is a position with the time of the run that ends there, if one does.
func (w *modelWorld) at(p session.Position) session.Held {
	h := session.Held{Position: p}
	if w.spec.log == nil || p.Epoch != w.spec.position().Epoch {
		return h
	}
	for _, u := range w.spec.log.runs {
		if u.Last() == p.Seq {
			h.At = u.At
		}
	}
	return h
}

var patches = []string{
	`{}`, `{"a":1}`, `{"a":null}`, `{"a":{"x":1}}`, `{"a":{"x":null,"y":[1,null]}}`, `{"b":{"c":{"d":2}}}`, `{"b":{"c":null}}`,
	`{"title":"a title that is long enough to bring a document to its limit"}`,
}

// holder is the node that holds the lease, mostly; else any.
func (w *modelWorld) holder(t *rapid.T) *modelNode {
	if w.spec.lease != nil && rapid.IntRange(0, 3).Draw(t, "any node") < 3 {
		for _, n := range w.nodes {
			if n.store.Node() == w.spec.lease.node {
				return n
			}
		}
	}
	return w.node(t)
}

// someToken is the node's own, mostly, or any other that was ever given.
func (w *modelWorld) someToken(t *rapid.T, n *modelNode) int64 {
	if len(w.tokens) == 0 || rapid.IntRange(0, 3).Draw(t, "any token") < 3 {
		return n.token
	}
	return w.tokens[rapid.IntRange(0, len(w.tokens)-1).Draw(t, "token")]
}
