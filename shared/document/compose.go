package document

import "fmt"

// Run is a run of merge patches, composed: at most two patches, one of deletions and then one of
// values, that have the effect of the run on every document. Merge patches alone do not compose: {a: 1}
// and then {a: {c: 2}} replaces an a that one patch would merge into. The zero Run is empty.
//
// A Run applied to a document that has some of the run's first patches already gives the same document:
// whoever is anywhere within the run may be caught up by it.
type Run struct {
	effects effects
	patches int
}

// Add adds a patch, which must be an object, behind the others. On an error the run is as it was.
func (r *Run) Add(patch []byte) error {
	p, err := parseObject(string(patch), MaxDepth)
	if err != nil {
		return fmt.Errorf("compose a patch: %w", err)
	}
	r.effects.add(p)
	r.patches++
	return nil
}

// Len is the number of patches that were added.
func (r *Run) Len() int { return r.patches }

// Size is about how many bytes the composed patches have: never less than they do, and at most about
// three times as many. It is known, not counted.
func (r *Run) Size() int { return 2*len("{}") + r.effects.size }

// AppendPatches appends the patches that stand for the run, to be applied in turn: none, one or two.
func (r *Run) AppendPatches(dst [][]byte) [][]byte {
	if r.effects.deletes() {
		dst = append(dst, r.effects.appendDeletions(nil))
	}
	if r.effects.sets() {
		dst = append(dst, r.effects.appendValues(nil))
	}
	return dst
}

// effect is what a run does to one member, whatever it was before.
type effect struct {
	name, quoted string
	kind         effectKind
	value        value    // effectSet
	inner        *effects // effectMerge
}

type effectKind int

const (
	effectRemove effectKind = iota // it is gone
	effectSet                      // it has this value
	effectMerge                    // it is an object, made one if it was none, and these are its members' effects
)

// effects are those on the members of one object.
type effects struct {
	list  []*effect
	index map[string]*effect // nil while there are few
	size  int                // of all, as Run.Size counts
}

func (e *effects) find(name string) *effect {
	if e.index != nil {
		return e.index[name]
	}
	for _, x := range e.list {
		if x.name == name {
			return x
		}
	}
	return nil
}

func (e *effects) get(m *member) *effect {
	if x := e.find(m.name); x != nil {
		return x
	}
	x := &effect{}
	x.name, x.quoted = ownName(m.name, m.quoted)
	e.list = append(e.list, x)
	switch {
	case e.index != nil:
		e.index[x.name] = x
	case len(e.list) > few:
		e.index = make(map[string]*effect, len(e.list))
		for _, y := range e.list {
			e.index[y.name] = y
		}
	}
	return x
}

// sizeOf is the share of one effect in Run.Size: its name and what is beside it may stand in both patches.
func sizeOf(x *effect) int {
	size := 2*(len(x.quoted)+len(":,")) + len("null")
	switch x.kind {
	case effectSet:
		size += x.value.size()
	case effectMerge:
		size += 2*len("{}") + x.inner.size
	case effectRemove:
	}
	return size
}

func (e *effects) add(patch *object) {
	for i := range patch.members {
		m := &patch.members[i]
		x := e.find(m.name)
		if x == nil {
			x = e.get(m)
			if m.value.object != nil {
				x.kind, x.inner = effectMerge, &effects{}
			}
		} else {
			e.size -= sizeOf(x)
		}
		x.then(m.value)
		e.size += sizeOf(x)
	}
}

// then has a patch's value follow on the effect.
func (x *effect) then(v value) {
	switch {
	case v.isNull():
		*x = effect{name: x.name, quoted: x.quoted, kind: effectRemove}
	case v.object == nil:
		*x = effect{name: x.name, quoted: x.quoted, kind: effectSet, value: v.own()}
	case x.kind == effectMerge:
		x.inner.add(v.object)
	case x.kind == effectSet && x.value.object != nil:
		x.value.object.merge(v.object)
	default: // it is gone or no object: what the patch makes of nothing
		*x = effect{name: x.name, quoted: x.quoted, kind: effectSet, value: value{object: v.object.withoutNulls()}.own()}
	}
}

// deletes says whether something must be deleted before the values are set.
func (e *effects) deletes() bool {
	for _, x := range e.list {
		if x.deletes() {
			return true
		}
	}
	return false
}

func (x *effect) deletes() bool {
	switch x.kind {
	case effectRemove:
		return true
	case effectSet:
		return x.value.object != nil // a patch would merge it into what is there
	case effectMerge:
	}
	return x.inner.deletes()
}

func (e *effects) sets() bool {
	for _, x := range e.list {
		if x.sets() {
			return true
		}
	}
	return false
}

// sets says whether the patch of values names the member. One of deletions inside makes an object too.
func (x *effect) sets() bool {
	switch x.kind {
	case effectRemove:
		return false
	case effectSet:
		return true
	case effectMerge:
	}
	return x.inner.sets() || !x.inner.deletes()
}

func (e *effects) appendDeletions(dst []byte) []byte {
	return e.appendObject(dst, (*effect).deletes, func(dst []byte, x *effect) []byte {
		if x.kind == effectMerge {
			return x.inner.appendDeletions(dst)
		}
		return append(dst, "null"...)
	})
}

func (e *effects) appendValues(dst []byte) []byte {
	return e.appendObject(dst, (*effect).sets, func(dst []byte, x *effect) []byte {
		if x.kind == effectMerge {
			return x.inner.appendValues(dst)
		}
		return x.value.appendJSON(dst)
	})
}

func (e *effects) appendObject(dst []byte, has func(*effect) bool, appendValue func([]byte, *effect) []byte) []byte {
	dst = append(dst, '{')
	first := true
	for _, x := range e.list {
		if !has(x) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, x.quoted...), ':')
		dst = appendValue(dst, x)
	}
	return append(dst, '}')
}
