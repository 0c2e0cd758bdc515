package judge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"helix/bench/internal/judge"
)

// world is a recorded history: two writers with ids, one without, and two clients that follow.
type world struct {
	t *testing.T
	*judge.History
	ann, bob *judge.Reader
	plain    *judge.Reader
	err      error // the first that a client found
}

func start(t *testing.T) *world {
	h := judge.NewHistory()
	h.Writer("w", true)
	h.Writer("v", true)
	h.Writer("loose", false)
	w := &world{t: t, History: h, ann: judge.NewReader("ann", true, h), bob: judge.NewReader("bob", true, h), plain: judge.NewReader("plain", false, h)}
	for _, r := range []*judge.Reader{w.ann, w.bob} {
		w.note(r.Snapshot(pos("e", 0), []byte("{}")))
	}
	w.note(w.plain.Joined(pos("e", 0)))
	return w
}

func (w *world) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

func pos(epoch string, seq uint64) judge.Position { return judge.Position{Epoch: epoch, Seq: seq} }

// patch is a writer's change, with something beside its mark.
func patch(writer string, n int) []byte {
	changes := map[string]any{"w": judge.Marked(judge.Mark{Writer: writer, Number: n}, 0, nil), "s": map[string]any{"k": fmt.Sprintf("%s:%d", writer, n)}}
	b, _ := json.Marshal(changes)
	return b
}

func (w *world) send(writer string, numbers ...int) {
	for _, n := range numbers {
		w.Sent(judge.Mark{Writer: writer, Number: n})
	}
}

func (w *world) ack(writer string, n int, seq uint64) {
	w.Acked(judge.Mark{Writer: writer, Number: n}, "", seq)
}

// all lets every client see a change.
func (w *world) all(epoch string, seq uint64, writer string, n int) {
	for _, r := range []*judge.Reader{w.ann, w.bob, w.plain} {
		w.note(r.Update(pos(epoch, seq), patch(writer, n)))
	}
}

// fold is the document after some changes.
func fold(patches ...[]byte) judge.Tree {
	var t judge.Tree = map[string]any{}
	for _, p := range patches {
		tree, err := judge.Parse(p)
		if err != nil {
			panic(err)
		}
		t = judge.Merge(t, tree)
	}
	return t
}

func text(t judge.Tree) []byte { return []byte(judge.Text(t)) }

// settle gives what a quiet point finds, or what a client found before.
func (w *world) settle(p judge.Position, server judge.Tree) error {
	if w.err != nil {
		return w.err
	}
	return errors.Join(w.Settle(p, server, []*judge.Reader{w.ann, w.bob, w.plain})...)
}

func TestSettle_findsNothing_whereNothingIsWrong(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(w *world) error{
		"nothing happened": func(w *world) error { return w.settle(pos("e", 0), fold()) },
		"changes of two writers, one resumes, one is caught up": func(w *world) error {
			w.send("w", 1, 2)
			w.send("v", 1)
			w.note(w.ann.Update(pos("e", 1), patch("w", 1)))
			w.note(w.ann.Update(pos("e", 2), patch("v", 1)))
			w.note(w.ann.Update(pos("e", 3), patch("w", 2)))
			w.note(w.bob.Update(pos("e", 1), patch("w", 1)))
			w.note(w.bob.Caught(0, pos("e", 3), [][]byte{text(fold(patch("w", 1), patch("v", 1), patch("w", 2)))}))
			w.note(w.bob.Update(pos("e", 3), patch("w", 2))) // was queued before
			w.note(w.plain.Joined(pos("e", 3)))
			w.ack("w", 1, 1)
			w.ack("v", 1, 2)
			w.ack("w", 2, 3)
			return w.settle(pos("e", 3), fold(patch("w", 1), patch("v", 1), patch("w", 2)))
		},
		"a repeat is told an upper bound": func(w *world) error {
			w.send("w", 1, 2, 1)
			w.all("e", 1, "w", 1)
			w.all("e", 2, "w", 2)
			w.ack("w", 1, 2)
			w.ack("w", 2, 2)
			return w.settle(pos("e", 2), fold(patch("w", 1), patch("w", 2)))
		},
		"a new epoch goes on from the document": func(w *world) error {
			w.send("w", 1, 2)
			w.all("e", 1, "w", 1)
			w.ack("w", 1, 1)
			for _, r := range []*judge.Reader{w.ann, w.bob} {
				w.note(r.Snapshot(pos("f", 0), text(fold(patch("w", 1)))))
			}
			w.plain.Replaced(pos("f", 0))
			w.all("f", 1, "w", 2)
			w.ack("w", 2, 1)
			return w.settle(pos("f", 1), fold(patch("w", 1), patch("w", 2)))
		},
		"what nobody answered may count or not": func(w *world) error {
			w.send("loose", 1, 2)
			w.all("e", 1, "loose", 2)
			return w.settle(pos("e", 1), fold(patch("loose", 2)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := story(start(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestJudge_findsBrokenPromises(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  string
		story func(w *world) error
	}{
		"acknowledged, and nowhere": {judge.Lost, func(w *world) error {
			w.send("w", 1)
			w.ack("w", 1, 1)
			return w.settle(pos("e", 0), fold())
		}},
		"acknowledged without an id, and nowhere": {judge.Lost, func(w *world) error {
			w.send("loose", 1)
			w.ack("loose", 1, 1)
			return w.settle(pos("e", 0), fold())
		}},
		"taken for a repeat, for a later one came first": {judge.Lost, func(w *world) error {
			w.send("w", 1, 2, 1)
			w.all("e", 1, "w", 2)
			w.ack("w", 2, 1)
			w.ack("w", 1, 1)
			return w.settle(pos("e", 1), fold(patch("w", 2)))
		}},
		"acknowledged, and gone with the epoch": {judge.Lost, func(w *world) error {
			w.send("w", 1, 2)
			w.all("e", 1, "w", 1)
			w.all("e", 2, "w", 2)
			w.ack("w", 1, 1)
			w.ack("w", 2, 2)
			for _, r := range []*judge.Reader{w.ann, w.bob} {
				w.note(r.Snapshot(pos("f", 0), text(fold(patch("w", 1)))))
			}
			w.plain.Replaced(pos("f", 0))
			return w.settle(pos("f", 0), fold(patch("w", 1)))
		}},
		"a hole in the history": {judge.Lost, func(w *world) error {
			w.send("w", 1, 2)
			for _, r := range []*judge.Reader{w.ann, w.bob} {
				w.note(r.Caught(0, pos("e", 2), [][]byte{text(fold(patch("w", 1), patch("w", 2)))}))
			}
			w.note(w.plain.Joined(pos("e", 2)))
			return w.settle(pos("e", 2), fold(patch("w", 1), patch("w", 2)))
		}},
		"twice in one epoch": {judge.Doubled, func(w *world) error {
			w.send("w", 1, 1)
			w.all("e", 1, "w", 1)
			w.all("e", 2, "w", 1)
			return w.settle(pos("e", 2), fold(patch("w", 1)))
		}},
		"again in an epoch whose document has it": {judge.Doubled, func(w *world) error {
			w.send("w", 1, 1)
			w.all("e", 1, "w", 1)
			for _, r := range []*judge.Reader{w.ann, w.bob} {
				w.note(r.Snapshot(pos("f", 0), text(fold(patch("w", 1)))))
			}
			w.plain.Replaced(pos("f", 0))
			w.all("f", 1, "w", 1)
			return w.settle(pos("f", 1), fold(patch("w", 1)))
		}},
		"one writer's changes turned round": {judge.Disorder, func(w *world) error {
			w.send("w", 1, 2)
			w.all("e", 1, "w", 2)
			w.all("e", 2, "w", 1)
			return w.settle(pos("e", 2), fold(patch("w", 2), patch("w", 1)))
		}},
		"acknowledged with a seq below its own": {judge.Disorder, func(w *world) error {
			w.send("w", 1)
			w.send("v", 1)
			w.all("e", 1, "v", 1)
			w.all("e", 2, "w", 1)
			w.ack("w", 1, 1)
			return w.settle(pos("e", 2), fold(patch("v", 1), patch("w", 1)))
		}},
		"two changes at one seq": {judge.Conflict, func(w *world) error {
			w.send("w", 1)
			w.send("v", 1)
			w.note(w.ann.Update(pos("e", 1), patch("w", 1)))
			w.note(w.bob.Update(pos("e", 1), patch("v", 1)))
			return w.err
		}},
		"a change that nobody made": {judge.Invented, func(w *world) error {
			w.note(w.ann.Update(pos("e", 1), []byte(`{"x":1}`)))
			return w.err
		}},
		"a mark that was not sent": {judge.Invented, func(w *world) error {
			w.all("e", 1, "w", 5)
			return w.settle(pos("e", 1), fold(patch("w", 5)))
		}},
		"refused for good, and yet there": {judge.Invented, func(w *world) error {
			w.send("w", 1)
			w.RefusedForGood(judge.Mark{Writer: "w", Number: 1})
			w.all("e", 1, "w", 1)
			return w.settle(pos("e", 1), fold(patch("w", 1)))
		}},
		"a seq that went back": {judge.Back, func(w *world) error {
			w.send("w", 1)
			w.all("e", 1, "w", 1)
			w.all("e", 1, "w", 1)
			return w.err
		}},
		"a seq that jumped": {judge.Jump, func(w *world) error {
			w.send("w", 1, 2)
			w.all("e", 2, "w", 2)
			return w.err
		}},
		"another epoch without a sync": {judge.Jump, func(w *world) error {
			w.send("w", 1)
			w.all("f", 1, "w", 1)
			return w.err
		}},
		"a resume that leaves a hole": {judge.Jump, func(w *world) error {
			w.send("w", 1, 2)
			w.note(w.ann.Resumed(pos("e", 2), []judge.Missed{{Seq: 2, Changes: patch("w", 2)}}))
			return w.err
		}},
		"a resume that ends too early": {judge.Jump, func(w *world) error {
			w.send("w", 1, 2)
			w.note(w.ann.Resumed(pos("e", 2), []judge.Missed{{Seq: 1, Changes: patch("w", 1)}}))
			return w.err
		}},
		"a resume in another epoch": {judge.Jump, func(w *world) error {
			w.note(w.ann.Resumed(pos("f", 0), nil))
			return w.err
		}},
		"a catch-up that begins too late": {judge.Jump, func(w *world) error {
			w.note(w.ann.Caught(3, pos("e", 5), [][]byte{[]byte("{}")}))
			return w.err
		}},
		"a catch-up that ends before the client": {judge.Back, func(w *world) error {
			w.send("w", 1, 2)
			w.all("e", 1, "w", 1)
			w.all("e", 2, "w", 2)
			w.note(w.ann.Caught(0, pos("e", 1), [][]byte{patch("w", 1)}))
			return w.err
		}},
		"a catch-up of three patches": {judge.Garbled, func(w *world) error {
			w.note(w.ann.Caught(0, pos("e", 1), [][]byte{[]byte("{}"), []byte("{}"), []byte("{}")}))
			return w.err
		}},
		"a catch-up that leaves a deletion out": {judge.Diverged, func(w *world) error {
			w.send("w", 1, 2)
			removed := []byte(`{"w":{"w":{"last":2,"p0":{"2":1}}},"s":{"k":null}}`)
			for _, r := range []*judge.Reader{w.ann, w.plain} {
				w.note(r.Update(pos("e", 1), patch("w", 1)))
				w.note(r.Update(pos("e", 2), removed))
			}
			w.note(w.bob.Caught(0, pos("e", 2), [][]byte{text(fold(patch("w", 1), []byte(`{"w":{"w":{"last":2,"p0":{"2":1}}}}`)))}))
			return w.settle(pos("e", 2), fold(patch("w", 1), removed))
		}},
		"two clients with two documents": {judge.Diverged, func(w *world) error {
			w.send("w", 1)
			w.note(w.ann.Snapshot(pos("e", 5), []byte(`{"a":1}`)))
			w.note(w.bob.Snapshot(pos("e", 5), []byte(`{"a":2}`)))
			return w.err
		}},
		"the server's document is not the fold": {judge.Diverged, func(w *world) error {
			w.send("w", 1)
			w.send("v", 1)
			w.all("e", 1, "w", 1)
			w.all("e", 2, "v", 1)
			return w.settle(pos("e", 2), fold(patch("v", 1), patch("w", 1)))
		}},
		"a client that stopped hearing": {judge.Unsettled, func(w *world) error {
			w.send("w", 1)
			w.note(w.ann.Update(pos("e", 1), patch("w", 1)))
			w.note(w.plain.Update(pos("e", 1), patch("w", 1)))
			return w.settle(pos("e", 1), fold(patch("w", 1)))
		}},
		"a join that brings nothing": {judge.Garbled, func(w *world) error {
			w.note(w.ann.Joined(pos("e", 0)))
			return w.err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.story(start(t))
			if err == nil {
				t.Fatalf("it found nothing, want %q", c.kind)
			}
			if !strings.Contains(err.Error(), c.kind) {
				t.Errorf("it found %v, want %q", err, c.kind)
			}
		})
	}
}

func TestForget_laterPhasesAreJudgedFromWhereTheLastEnded(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.send("w", 1)
	w.all("e", 1, "w", 1)
	w.ack("w", 1, 1)
	document := fold(patch("w", 1))
	if err := w.settle(pos("e", 1), document); err != nil {
		t.Fatal(err)
	}
	w.Forget(1, pos("e", 1), document)
	b, _ := json.Marshal(map[string]any{"w": judge.Marked(judge.Mark{Writer: "w", Number: 2}, 1, []int{0})})
	w.send("w", 2)
	for _, r := range []*judge.Reader{w.ann, w.bob, w.plain} {
		w.note(r.Update(pos("e", 2), b))
	}
	w.ack("w", 2, 2)
	change, _ := judge.Parse(b)
	document = judge.Merge(document, change)
	if got, want := judge.Text(document), `{"s":{"k":"w:1"},"w":{"w":{"last":2,"p1":{"2":1}}}}`; got != want {
		t.Errorf("the document is %s, want %s: the marks of the phase before are taken out", got, want)
	}
	if err := w.settle(pos("e", 2), document); err != nil {
		t.Error(err)
	}
}

func TestMerge_isTheRFCs(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{ // appendix A of RFC 7396
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		target, _ := judge.Parse([]byte(c[0]))
		patch, _ := judge.Parse([]byte(c[1]))
		if got := judge.Text(judge.Merge(target, patch)); got != c[2] {
			t.Errorf("%s patched with %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
