package flows_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"helix/shared/flows"
)

func TestOutlineOf(t *testing.T) {
	t.Parallel()
	node := func(id, kind string, numbers ...float64) flows.OutlineNode {
		n := append(numbers, 0, 0)
		return flows.OutlineNode{ID: id, Type: kind, X: n[0], Y: n[1], Width: n[2], Height: n[3]}
	}
	for name, c := range map[string]struct {
		doc  string
		want flows.Outline
	}{
		"objects by id": {
			`{"nodes":{"a":{"type":"agent","position":{"x":1.5,"y":-2},"width":180,"height":60},"b":{"position":{"x":0,"y":0}}},"edges":{"e":{"source":"a","target":"b"}}}`,
			flows.Outline{Nodes: []flows.OutlineNode{node("a", "agent", 1.5, -2, 180, 60), node("b", "", 0, 0)}, Edges: []flows.OutlineEdge{{Source: "a", Target: "b"}}},
		},
		"arrays, as React Flow has them": {
			`{"viewport":{},"edges":[{"id":"e","source":"2","target":"1"}],"nodes":[{"id":"1","position":{"x":1,"y":2},"measured":{"width":9,"height":8}},{"id":"2","position":{"x":3,"y":4}}]}`,
			flows.Outline{Nodes: []flows.OutlineNode{node("1", "", 1, 2, 9, 8), node("2", "", 3, 4)}, Edges: []flows.OutlineEdge{{Source: "2", Target: "1"}}},
		},
		"groups in groups": {
			`{"nodes":{"c":{"parentId":"b","position":{"x":1,"y":1}},"b":{"parentId":"a","position":{"x":10,"y":10}},"a":{"position":{"x":100,"y":100}},"d":{"parentId":"gone","position":{"x":5,"y":5}}}}`,
			flows.Outline{Nodes: []flows.OutlineNode{node("c", "", 111, 111), node("b", "", 110, 110), node("a", "", 100, 100), node("d", "", 5, 5)}},
		},
		"what is not of the form is left out": {
			`{"nodes":{"a":{"position":{"x":0,"y":0},"type":7,"width":"9","parentId":[]},"b":{},"c":7,"d":{"position":{"x":"1"}},"":{"position":{"x":1,"y":1}}},"edges":[{"source":"a","target":"b"},{"source":1},null,"x"]}`,
			flows.Outline{Nodes: []flows.OutlineNode{node("a", "", 0, 0)}},
		},
		"two nodes of one id":      {`{"nodes":[{"id":"a","position":{"x":1,"y":1}},{"id":"a","position":{"x":2,"y":2}}]}`, flows.Outline{Nodes: []flows.OutlineNode{node("a", "", 1, 1)}}},
		"a member of another kind": {`{"nodes":7,"edges":"x"}`, flows.Outline{}},
		"nothing":                  {`{}`, flows.Outline{}},
		"no document":              {`[`, flows.Outline{}},
	} {
		got := flows.OutlineOf([]byte(c.doc))
		if len(got.Nodes) == 0 {
			got.Nodes = nil
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestOutlineOf_isBounded(t *testing.T) {
	t.Parallel()
	var nodes, edges []string
	for i := range 1000 {
		nodes = append(nodes, fmt.Sprintf(`{"id":"%d","position":{"x":1e308,"y":0},"parentId":"%d"}`, i, (i+1)%200)) // groups in a circle
		edges = append(edges, fmt.Sprintf(`{"source":"%d","target":"%d"}`, i%200, (i+7)%200))
	}
	doc := func(nodes, edges []string) []byte {
		return fmt.Appendf(nil, `{"nodes":[%s],"edges":[%s]}`, strings.Join(nodes, ","), strings.Join(edges, ","))
	}
	if o := flows.OutlineOf(doc(nodes, edges)); len(o.Nodes) != flows.MaxOutlineNodes || len(o.Edges) != flows.MaxOutlineEdges || !o.Truncated {
		t.Errorf("%d nodes, %d edges, truncated %v", len(o.Nodes), len(o.Edges), o.Truncated)
	}
	if o := flows.OutlineOf(doc(nodes[:flows.MaxOutlineNodes], edges[:flows.MaxOutlineEdges])); o.Truncated || len(o.Edges) != flows.MaxOutlineEdges {
		t.Errorf("%d edges, truncated %v", len(o.Edges), o.Truncated)
	}
}

func FuzzOutlineOf(f *testing.F) {
	for _, doc := range []string{`{}`, `[`, `{"nodes":{"a":{"position":{"x":1,"y":2},"parentId":"a"}},"edges":[{"source":"a","target":"a"}]}`, `{"nodes":[{"id":"\ud800","position":null}]}`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		o := flows.OutlineOf(doc)
		shown := map[string]bool{}
		for _, n := range o.Nodes {
			if n.ID == "" || shown[n.ID] || n.X-n.X != 0 || n.Y-n.Y != 0 {
				t.Fatalf("%+v", n)
			}
			shown[n.ID] = true
		}
		for _, e := range o.Edges {
			if !shown[e.Source] || !shown[e.Target] {
				t.Fatalf("an edge of a node that is not there: %+v", e)
			}
		}
		if len(o.Nodes) > flows.MaxOutlineNodes || len(o.Edges) > flows.MaxOutlineEdges {
			t.Fatalf("%d nodes, %d edges", len(o.Nodes), len(o.Edges))
		}
	})
}

func TestProfileOf_readsWhatIsThere_andCutsWhatIsLong(t *testing.T) {
	t.Parallel()
	for meta, want := range map[string]flows.Profile{
		`{"name":"Ann","color":"#0a0","cursor":{"x":1}}`:           {Name: "Ann", Color: "#0a0"},
		`{"name":"somebody else","user_id":"u","user_name":"Ann"}`: {UserID: "u", Name: "Ann"},
		`{"name":7,"colour":"red","user_id":null}`:                 {Color: "red"},
		`{"user_id":"mine","name":"\u00e4","user_id":"signed"}`:    {UserID: "signed", Name: "ä"},
		`{}`: {}, ``: {}, `[1]`: {}, `{"name"`: {},
		`{"name":"` + strings.Repeat("ä", 51) + `"}`:  {Name: strings.Repeat("ä", 50)},
		`{"name":"x` + strings.Repeat("ä", 51) + `"}`: {Name: "x" + strings.Repeat("ä", 49)},
	} {
		want.ClientID = "c"
		if got := flows.ProfileOf("c", []byte(meta)); got != want {
			t.Errorf("%s: %+v, want %+v", meta, got, want)
		}
	}
}
