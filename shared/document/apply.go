package document

// merge is MergePatch of RFC 7396 for an object target; the patch's values become the target's. It
// returns by how many bytes the target grew.
func (o *object) merge(patch *object) (grown int) {
	for i := range patch.members {
		p := &patch.members[i]
		switch {
		case p.value.isNull():
			grown += o.remove(p.name)
		case p.value.object != nil:
			if m := o.find(p.name); m != nil && m.value.object != nil {
				inner := m.value.object.merge(p.value.object)
				o.size += inner
				grown += inner
				continue
			}
			grown += o.put(p, value{object: p.value.object.withoutNulls()})
		default:
			grown += o.put(p, p.value)
		}
	}
	return grown
}

// put sets a member to a value of a patch, whose text it does not keep alive.
func (o *object) put(p *member, v value) (grown int) {
	if o.find(p.name) != nil {
		return o.set(p.name, "", v.own())
	}
	name, quoted := ownName(p.name, p.quoted)
	return o.set(name, quoted, v.own())
}

// withoutNulls is the object that a patch makes of nothing.
func (o *object) withoutNulls() *object {
	bare := newObject()
	for i := range o.members {
		m := &o.members[i]
		switch {
		case m.value.isNull():
		case m.value.object != nil:
			bare.set(m.name, m.quoted, value{object: m.value.object.withoutNulls()})
		default:
			bare.set(m.name, m.quoted, m.value)
		}
	}
	return bare
}
