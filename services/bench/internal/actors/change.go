package actors

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"helix/bench/internal/judge"
)

// pending is a change on its way.
type pending struct {
	mark    judge.Mark
	payload []byte // of the flow_change
	ref     uint64 // under which it was sent last
	sends   int
	refused bool // for now: it must be sent again
}

// scribe makes a writer's changes.
type scribe struct {
	name   string
	random *rand.Rand
	exact  bool // with ids
	arrays bool // as the original's page does: the whole graph
	pad    int  // bytes of text in each
	number int
	clean  int // phases before it are taken out of the document, as an acknowledgement told
}

const sharedKeys = 12

// next makes the writer's next change of a phase.
func (s *scribe) next(phase int) *pending {
	s.number++
	m := judge.Mark{Writer: s.name, Number: s.number}
	var earlier []int
	for p := s.clean; p < phase; p++ {
		earlier = append(earlier, p)
	}
	changes := map[string]any{"w": judge.Marked(m, phase, earlier)}
	if s.arrays {
		changes["nodes"], changes["edges"] = s.graph(m)
	} else {
		shared := map[string]any{}
		for range 1 + s.random.IntN(3) {
			shared[fmt.Sprintf("k%d", s.random.IntN(sharedKeys))] = s.value(m)
		}
		changes["s"] = shared
	}
	payload := map[string]any{"changes": changes}
	if s.exact {
		payload["change_id"] = m.Number
	}
	b, err := json.Marshal(payload)
	if err != nil {
		panic(err) // it is made of what can be written
	}
	return &pending{mark: m, payload: b}
}

// value is what a writer puts under a key that others write too: of every form, for a patch that comes
// after another must do the same to each.
func (s *scribe) value(m judge.Mark) any {
	own := fmt.Sprintf("%s:%d", m.Writer, m.Number)
	switch s.random.IntN(8) {
	case 0:
		return nil
	case 1:
		return map[string]any{"a": map[string]any{"by": own}, "b": nil}
	case 2:
		return map[string]any{"a": own, "c": map[string]any{fmt.Sprintf("d%d", s.random.IntN(3)): m.Number}}
	case 3:
		return map[string]any{"a": nil}
	case 4:
		return []any{own, m.Number, nil, map[string]any{"x": nil}}
	case 5:
		return map[string]any{}
	}
	return own + strings.Repeat(" ", s.pad)
}

// graph is the whole of a small flow, as the original's page sends it on every change.
func (s *scribe) graph(m judge.Mark) (nodes, edges []any) {
	nodes, edges = []any{}, []any{}
	for i := range 1 + s.random.IntN(4) {
		nodes = append(nodes, map[string]any{"id": fmt.Sprintf("n%d", i), "by": m.Writer, "position": map[string]any{"x": m.Number, "y": s.random.IntN(1000)}})
	}
	return nodes, edges
}
