package phoenix

// Field gives the value of a member of an object, the first where the key is doubled; ok is false where
// the value is no object or has no such member. object must be valid JSON, as the payload of a text frame
// is: what stands behind the member is not read. key is the plain text; one that is written with escapes
// in the object is found too.
func Field(object []byte, key string) (value []byte, ok bool) {
	i := skipSpace(object, 0)
	if i == len(object) {
		return nil, false
	}
	members(object, i, func(k, v []byte) (more bool) {
		if textIs(k, key) {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

// members gives the members of the object that begins at i to each, keys with their quotes, until each
// returns false. It gives where it stopped: behind the object where each wanted all; -1 where it is no object.
func members(b []byte, i int, each func(key, value []byte) (more bool)) int {
	if b[i] != '{' {
		return -1
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		keyEnd := scanString(b, i)
		if keyEnd < 0 {
			return -1
		}
		start := scanColon(b, keyEnd)
		if start < 0 {
			return -1
		}
		end := scanValue(b, start, 1)
		if end < 0 {
			return -1
		}
		if !each(b[i:keyEnd], b[start:end:end]) {
			return end
		}
		i = skipSpace(b, end)
		switch {
		case i == len(b):
			return -1
		case b[i] == '}':
			return i + 1
		case b[i] != ',':
			return -1
		}
		i = skipSpace(b, i+1)
	}
}
