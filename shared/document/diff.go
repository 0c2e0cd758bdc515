package document

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNull says that a document has a member whose value is null: no merge patch makes one.
var ErrNull = errors.New("a member is null")

// Diff gives the merge patch that makes from into to; {} where they are the same already. Values are
// compared as they are written: 1.0 is not 1. The order of members means nothing. ErrNull: to has a null
// member that from has not.
func Diff(from, to *Document) ([]byte, error) {
	patch, null := from.root.appendDiff(nil, to.root)
	if null != "" {
		return nil, fmt.Errorf("make a patch: %w: %s", ErrNull, null)
	}
	return patch, nil
}

// appendDiff appends the patch that makes o into to. null is the pointer of a member that it cannot make.
func (o *object) appendDiff(dst []byte, to *object) (_ []byte, null string) {
	dst = append(dst, '{')
	open := len(dst)
	name := func(m *member) {
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = append(append(dst, m.quoted...), ':')
	}
	for i := range to.members {
		m := &to.members[i]
		if m.gone {
			continue
		}
		old := o.find(m.name)
		switch {
		case old != nil && old.value.object != nil && m.value.object != nil:
			before := len(dst)
			name(m)
			inner := len(dst)
			if dst, null = old.value.object.appendDiff(dst, m.value.object); null != "" {
				return nil, pointer(m.name) + null
			}
			if len(dst) == inner+len("{}") { // the same already
				dst = dst[:before]
			}
		case old != nil && old.value.object == nil && m.value.object == nil && old.value.text == m.value.text:
		case m.value.isNull() || m.value.nullIn() != "":
			return nil, pointer(m.name) + m.value.nullIn()
		default:
			name(m)
			dst = m.value.appendJSON(dst)
		}
	}
	for i := range o.members {
		if m := &o.members[i]; !m.gone && to.find(m.name) == nil {
			name(m)
			dst = append(dst, "null"...)
		}
	}
	return append(dst, '}'), ""
}

// NullMember gives the JSON Pointer of the first member whose value is null, or nothing. Nulls in arrays
// are none: a patch replaces an array whole.
func (d *Document) NullMember() string { return value{object: d.root}.nullIn() }

func (v value) nullIn() string {
	if v.object == nil {
		return ""
	}
	for i := range v.object.members {
		m := &v.object.members[i]
		switch {
		case m.gone:
		case m.value.isNull():
			return pointer(m.name)
		default:
			if inner := m.value.nullIn(); inner != "" {
				return pointer(m.name) + inner
			}
		}
	}
	return ""
}

// pointer is one step of a JSON Pointer (RFC 6901).
func pointer(name string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
