package document

import "strings"

// value is a JSON value: an object as a tree; anything else as its text without spaces, for a merge
// patch replaces it whole.
type value struct {
	object *object
	text   string
}

func (v value) isNull() bool { return v.object == nil && v.text == "null" }

func (v value) size() int {
	if v.object != nil {
		return v.object.size
	}
	return len(v.text)
}

// own gives a value that holds no more memory than it needs: texts are parts of what was parsed.
func (v value) own() value {
	if v.object == nil {
		return value{text: strings.Clone(v.text)}
	}
	for i := range v.object.members {
		m := &v.object.members[i]
		if !m.gone {
			m.name, m.quoted = ownName(m.name, m.quoted)
			m.value = m.value.own()
		}
	}
	if v.object.index != nil {
		v.object.reindex()
	}
	return v
}

// ownName clones a member's name and its text, which share memory where they can.
func ownName(name, quoted string) (string, string) {
	quoted = strings.Clone(quoted)
	if len(quoted) == len(name)+2 {
		return quoted[1 : len(quoted)-1], quoted
	}
	return strings.Clone(name), quoted
}

// member is one member of an object.
type member struct {
	name   string // decoded: two spellings of a name are one member
	quoted string // as JSON
	value  value
	gone   bool // deleted; its place is closed up later
}

// object is a JSON object. size is the length of its JSON text.
type object struct {
	members []member
	index   map[string]int // by name; nil while there are few members
	live    int            // members that are not gone
	size    int
}

// few is up to how many members are searched one by one.
const few = 8

func newObject() *object { return &object{size: len("{}")} }

func (o *object) find(name string) *member {
	if o.index != nil {
		if i, ok := o.index[name]; ok {
			return &o.members[i]
		}
		return nil
	}
	for i := range o.members {
		if m := &o.members[i]; !m.gone && m.name == name {
			return m
		}
	}
	return nil
}

// set gives a member its value and returns by how many bytes the object grew.
func (o *object) set(name, quoted string, v value) (grown int) {
	if m := o.find(name); m != nil {
		grown = v.size() - m.value.size()
		m.value = v
		o.size += grown
		return grown
	}
	grown = len(quoted) + len(":") + v.size()
	if o.live > 0 {
		grown += len(",")
	}
	o.members = append(o.members, member{name: name, quoted: quoted, value: v})
	o.live++
	o.size += grown
	switch {
	case o.index != nil:
		o.index[name] = len(o.members) - 1
	case len(o.members) > few:
		o.reindex()
	}
	return grown
}

// remove takes a member out and returns by how many bytes the object grew: none, or fewer than none.
func (o *object) remove(name string) (grown int) {
	m := o.find(name)
	if m == nil {
		return 0
	}
	grown = -len(m.quoted) - len(":") - m.value.size()
	o.live--
	if o.live > 0 {
		grown -= len(",")
	}
	o.size += grown
	*m = member{gone: true}
	if o.index != nil {
		delete(o.index, name)
	}
	if len(o.members) > few && o.live < len(o.members)/2 {
		o.closeUp()
	}
	return grown
}

// closeUp removes the places of members that are gone.
func (o *object) closeUp() {
	kept := make([]member, 0, o.live+o.live/4)
	for i := range o.members {
		if !o.members[i].gone {
			kept = append(kept, o.members[i])
		}
	}
	o.members = kept
	o.reindex()
}

func (o *object) reindex() {
	if len(o.members) <= few {
		o.index = nil
		return
	}
	o.index = make(map[string]int, len(o.members))
	for i := range o.members {
		if !o.members[i].gone {
			o.index[o.members[i].name] = i
		}
	}
}

func (o *object) clone() *object {
	c := &object{members: make([]member, 0, o.live), live: o.live, size: o.size}
	for i := range o.members {
		m := o.members[i]
		if m.gone {
			continue
		}
		if m.value.object != nil {
			m.value.object = m.value.object.clone()
		}
		c.members = append(c.members, m)
	}
	c.reindex()
	return c
}

func (o *object) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	for i := range o.members {
		m := &o.members[i]
		if m.gone {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, m.quoted...), ':')
		dst = m.value.appendJSON(dst)
	}
	return append(dst, '}')
}

func (v value) appendJSON(dst []byte) []byte {
	if v.object != nil {
		return v.object.appendJSON(dst)
	}
	return append(dst, v.text...)
}
