package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Tree is a JSON value as encoding/json decodes it, numbers as they were written. The judge merges by
// itself, by the letter of RFC 7396, and not with Helix's own package: two who share a mistake agree.
type Tree = any

// Parse reads a JSON value.
func Parse(data []byte) (Tree, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var t Tree
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse JSON: something stands behind the value")
	}
	return t, nil
}

// Merge applies a merge patch to a target and gives the result; the target is used up.
func Merge(target, patch Tree) Tree {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = Merge(object[name], value)
		}
	}
	return object
}

// Text is the one way to write a tree: two are the same if their texts are.
func Text(t Tree) string {
	b, err := json.Marshal(t) // members come sorted
	if err != nil {
		panic(err) // a tree has nothing that cannot be written
	}
	return string(b)
}

// at gives what stands at a path of names; nil where nothing does.
func at(t Tree, path ...string) Tree {
	for _, name := range path {
		object, _ := t.(map[string]any)
		t = object[name]
	}
	return t
}

// Difference says where two trees differ first, in the order of names.
func Difference(a, b Tree) string { return difference("", a, b) }

func difference(path string, a, b Tree) string {
	x, okX := a.(map[string]any)
	y, okY := b.(map[string]any)
	if !okX || !okY {
		if p, q := Text(a), Text(b); p != q {
			return fmt.Sprintf("%s is %.80s here and %.80s there", path, p, q)
		}
		return ""
	}
	for _, name := range sorted(x, y) {
		if d := difference(path+"/"+name, x[name], y[name]); d != "" {
			return d
		}
	}
	return ""
}
