package phoenix

import (
	"fmt"
	"unicode/utf8"
)

var (
	errBinaryVersion = fmt.Errorf("%w: serializer 1.0.0 has no binary frames", ErrFrame)
	errBinaryKind    = fmt.Errorf("%w: the binary frame is no push", ErrFrame)
	errBinaryShort   = fmt.Errorf("%w: the binary push is shorter than its lengths say", ErrFrame)
	errBinaryUTF8    = fmt.Errorf("%w: a text of the binary push is no UTF-8", ErrFrame)
)

const (
	kindPush     = 0
	binaryHeader = 5 // the kind and four lengths
)

// decodeBinary reads a binary push. Its four texts become JSON strings in one buffer of their own, so
// that whoever reads the message need not care how it came. A client without a join_ref can only send
// no bytes for it: that is null.
func (v Version) decodeBinary(frame []byte) (Message, error) {
	switch {
	case v != V2:
		return Message{}, errBinaryVersion
	case len(frame) == 0 || frame[0] != kindPush:
		return Message{}, errBinaryKind
	case len(frame) < binaryHeader:
		return Message{}, errBinaryShort
	}
	lengths, rest := frame[1:binaryHeader], frame[binaryHeader:]
	size := 0
	for _, n := range lengths {
		size += int(n) + len(`""`)
	}
	m := Message{Binary: true}
	texts := make([]byte, 0, size)
	for i, field := range [...]*[]byte{&m.JoinRef, &m.Ref, &m.Topic, &m.Event} {
		n := int(lengths[i])
		if n > len(rest) {
			return Message{}, errBinaryShort
		}
		if !utf8.Valid(rest[:n]) {
			return Message{}, errBinaryUTF8
		}
		start := len(texts)
		texts = appendQuoted(texts, rest[:n])
		*field = texts[start:len(texts):len(texts)]
		rest = rest[n:]
	}
	if lengths[0] == 0 {
		m.JoinRef = Null
	}
	m.Payload = rest
	return m, nil
}
