package api

import (
	"net/http"

	"helix/shared/flows"
)

type outline struct {
	Nodes     []outlineNode `json:"nodes"`
	Edges     []outlineEdge `json:"edges"`
	Truncated bool          `json:"truncated"`
}

type outlineNode struct {
	ID     string  `json:"id"`
	Type   string  `json:"type"`
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

type outlineEdge struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// outline tells as much of a flow's document as a small picture of it needs.
func (a *api) outline(w http.ResponseWriter, r *http.Request) {
	var o flows.Outline
	d, ok := a.readDocument(w, r, func(d *flows.Document) { o, d.JSON = flows.OutlineOf(d.JSON), nil })
	if !ok {
		return
	}
	out := outline{Nodes: make([]outlineNode, len(o.Nodes)), Edges: make([]outlineEdge, len(o.Edges)), Truncated: o.Truncated}
	for i, n := range o.Nodes {
		out.Nodes[i] = outlineNode(n)
	}
	for i, e := range o.Edges {
		out.Edges[i] = outlineEdge(e)
	}
	body, err := encode(out)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	describe(w, d.Position, d.UpdatedAt)
	sendCached(w, http.StatusOK, "application/json", aDocumentKept, body)
}
