// Package document applies and composes JSON Merge Patches (RFC 7396) on a parsed tree: what it costs
// to apply a patch depends on the patch, not on the document.
package document

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of this package; they come wrapped with what was being done.
var (
	ErrSyntax    = errors.New("not valid JSON")
	ErrNotObject = errors.New("not a JSON object")
	ErrTooDeep   = errors.New("nested too deeply")
	ErrTooLarge  = errors.New("too large")
)

// MaxDepth bounds the nesting of every document and patch: nothing here recurses deeper.
const MaxDepth = 512

// Limits of a document that is parsed; 0 means none but MaxDepth.
type Limits struct {
	MaxBytes int
	MaxDepth int
}

// Document is one JSON object. Its members keep the order in which they came, numbers and strings the
// text in which they were written. It is not safe for concurrent use.
type Document struct{ root *object }

// New makes the document {}.
func New() *Document { return &Document{root: newObject()} }

// Parse reads a document. Of members with the same name the last one counts. ErrSyntax, ErrNotObject,
// ErrTooDeep, ErrTooLarge.
func Parse(data []byte, l Limits) (*Document, error) {
	if l.MaxBytes > 0 && len(data) > l.MaxBytes {
		return nil, fmt.Errorf("parse a document of %d bytes: %w", len(data), ErrTooLarge)
	}
	depth := MaxDepth
	if l.MaxDepth > 0 {
		depth = min(depth, l.MaxDepth)
	}
	root, err := parseObject(string(data), depth)
	if err != nil {
		return nil, fmt.Errorf("parse a document: %w", err)
	}
	return &Document{root: root}, nil
}

// Apply merges a patch, which must be an object, into the document (RFC 7396, MergePatch). On an error
// the document is as it was.
func (d *Document) Apply(patch []byte) error {
	p, err := parseObject(string(patch), MaxDepth)
	if err != nil {
		return fmt.Errorf("apply a patch: %w", err)
	}
	d.root.merge(p)
	return nil
}

// Size is the length of the document's JSON text in bytes. It is known, not counted.
func (d *Document) Size() int { return d.root.size }

// AppendJSON appends the document as JSON without spaces.
func (d *Document) AppendJSON(dst []byte) []byte { return d.root.appendJSON(dst) }

// Clone makes a copy that shares nothing which changes.
func (d *Document) Clone() *Document { return &Document{root: d.root.clone()} }

// Len says how many members or elements a member of the document has: of an object or an array; 0 of
// anything else.
func (d *Document) Len(member string) int {
	m := d.root.find(member)
	switch {
	case m == nil:
		return 0
	case m.value.object != nil:
		return m.value.object.live
	case m.value.text[0] == '[':
		return elements(m.value.text)
	}
	return 0
}

// String gives a member of the document that is a string.
func (d *Document) String(member string) (s string, ok bool) {
	m := d.root.find(member)
	if m == nil || m.value.object != nil || m.value.text[0] != '"' {
		return "", false
	}
	return strings.ToValidUTF8(unquote(m.value.text), "\uFFFD"), true
}
