package flows

import (
	"bytes"
	"encoding/json"
	"math"
)

// Outline is as much of a document as a small picture of it needs.
type Outline struct {
	Nodes     []OutlineNode
	Edges     []OutlineEdge // between these nodes
	Truncated bool          // there are more
}

// OutlineNode is where a node is. Width and Height are 0 where the document does not tell them.
type OutlineNode struct {
	ID, Type            string
	X, Y, Width, Height float64
}

// OutlineEdge joins two nodes by their ids.
type OutlineEdge struct{ Source, Target string }

// Bounds of an outline.
const (
	MaxOutlineNodes = 300
	MaxOutlineEdges = 600
	maxOutlineText  = 128 // bytes of an id or a type; a node with a longer id is left out
)

// OutlineOf reads nodes and edges of a document, both of which may be objects by id or arrays, as React Flow
// has them: position {x, y}, width and height (else measured), source and target. What is not of this form
// is left out. Positions are those in the node's group, where it has one that is shown, added up.
func OutlineOf(doc []byte) Outline {
	var o Outline
	var parts struct{ Nodes, Edges json.RawMessage }
	if json.Unmarshal(doc, &parts) != nil {
		return o
	}
	parents, shown := map[string]string{}, map[string]int{}
	o.Truncated = each(parts.Nodes, MaxOutlineNodes, func(id string, text json.RawMessage) bool {
		n, parent, ok := nodeOf(id, text)
		if _, twice := shown[n.ID]; !ok || twice {
			return false
		}
		shown[n.ID] = len(o.Nodes)
		parents[n.ID] = parent
		o.Nodes = append(o.Nodes, n)
		return true
	})
	o.Nodes = placed(o.Nodes, parents, shown)
	more := each(parts.Edges, MaxOutlineEdges, func(_ string, text json.RawMessage) bool {
		var e struct{ Source, Target string }
		if json.Unmarshal(text, &e) != nil {
			return false
		}
		_, from := shown[e.Source]
		_, to := shown[e.Target]
		if from && to {
			o.Edges = append(o.Edges, OutlineEdge(e))
		}
		return from && to
	})
	o.Truncated = o.Truncated || more
	return o
}

// each goes through the members of an object or the elements of an array until so many were taken, and says
// whether there is another one.
func each(list json.RawMessage, most int, take func(id string, text json.RawMessage) bool) (more bool) {
	d := json.NewDecoder(bytes.NewReader(list))
	open, err := d.Token()
	if err != nil || (open != json.Delim('{') && open != json.Delim('[')) {
		return false
	}
	for taken := 0; d.More(); {
		if taken == most {
			return true
		}
		id := ""
		if open == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return false
			}
			id, _ = name.(string)
		}
		var text json.RawMessage
		if d.Decode(&text) != nil {
			return false
		}
		if take(id, text) {
			taken++
		}
	}
	return false
}

// nodeOf reads one node; id is its name in an object of nodes, else empty.
func nodeOf(id string, text json.RawMessage) (n OutlineNode, parent string, ok bool) {
	var told struct {
		ID       json.RawMessage
		Type     json.RawMessage
		ParentID json.RawMessage `json:"parentId"`
		Position *struct{ X, Y float64 }
		Width    json.RawMessage
		Height   json.RawMessage
		Measured struct{ Width, Height json.RawMessage }
	}
	if json.Unmarshal(text, &told) != nil || told.Position == nil {
		return n, "", false
	}
	if id == "" && json.Unmarshal(told.ID, &id) != nil {
		return n, "", false
	}
	n = OutlineNode{ID: id, X: told.Position.X, Y: told.Position.Y, Width: size(told.Width, told.Measured.Width), Height: size(told.Height, told.Measured.Height)}
	_ = json.Unmarshal(told.Type, &n.Type)
	_ = json.Unmarshal(told.ParentID, &parent)
	n.Type = cut(n.Type, maxOutlineText)
	return n, parent, id != "" && len(id) <= maxOutlineText
}

// size is the first that is one; else 0.
func size(told ...json.RawMessage) float64 {
	for _, t := range told {
		var size float64
		if json.Unmarshal(t, &size) == nil && size > 0 {
			return size
		}
	}
	return 0
}

// placed adds to each node's position those of the groups that it is in.
func placed(nodes []OutlineNode, parents map[string]string, index map[string]int) []OutlineNode {
	out := make([]OutlineNode, len(nodes))
	for i, n := range nodes {
		up := n.ID
		for range len(nodes) { // groups may be in each other, by mistake in a circle
			at, ok := index[parents[up]]
			if !ok {
				break
			}
			up = nodes[at].ID
			n.X, n.Y = n.X+nodes[at].X, n.Y+nodes[at].Y
		}
		if math.IsInf(n.X, 0) || math.IsInf(n.Y, 0) {
			n.X, n.Y = 0, 0
		}
		out[i] = n
	}
	return out
}
