package phoenix

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrFrame says that a frame is not of its serializer's form. The server closes such a client's
// socket with 1011.
var ErrFrame = errors.New("phoenix: the frame does not decode")

// Message is one decoded frame. Its slices are parts of the frame, valid as long as that is.
type Message struct {
	JoinRef, Ref []byte // JSON as it came; null where a frame of 1.0.0 has none
	Topic, Event []byte // JSON as it came: strings, unless the client is odd
	Payload      []byte // JSON as it came, or the bytes of a binary push
	Binary       bool   // the payload is bytes, not JSON
}

// TopicString is the topic's text; ok is false where it is no string.
func (m *Message) TopicString() (topic string, ok bool) { return StringValue(m.Topic) }

// EventString is the event's text; ok is false where it is no string.
func (m *Message) EventString() (event string, ok bool) { return StringValue(m.Event) }

// EventIs says whether the event is a name.
func (m *Message) EventIs(name string) bool { return stringIs(m.Event, name) }

// IsNull says whether a JSON value is null.
func IsNull(value []byte) bool { return len(value) == 4 && value[0] == 'n' }

// Decode splits a text frame or, with binary, a binary push. Errors wrap ErrFrame.
func (v Version) Decode(frame []byte, binary bool) (Message, error) {
	if binary {
		if v != V2 {
			return Message{}, fmt.Errorf("%w: serializer 1.0.0 has no binary frames", ErrFrame)
		}
		return decodeBinary(frame)
	}
	if !utf8.Valid(frame) {
		return Message{}, fmt.Errorf("%w: no UTF-8", ErrFrame)
	}
	var m Message
	var end int
	if v == V2 {
		end = decodeArray(&m, frame)
	} else {
		end = decodeObject(&m, frame)
	}
	if end < 0 || skipSpace(frame, end) != len(frame) {
		return Message{}, ErrFrame
	}
	return m, nil
}

// decodeArray reads a frame of 2.0.0 and gives where it ends, or -1. A sixth element and further
// ones are passed over, as the original does.
func decodeArray(m *Message, frame []byte) int {
	fields := [5]*[]byte{&m.JoinRef, &m.Ref, &m.Topic, &m.Event, &m.Payload}
	i := skipSpace(frame, 0)
	if i == len(frame) || frame[i] != '[' {
		return -1
	}
	i++
	for n := 0; ; n++ {
		i = skipSpace(frame, i)
		end := scan(frame, i, 1)
		if end < 0 {
			return -1
		}
		if n < len(fields) {
			*fields[n] = frame[i:end]
		}
		i = skipSpace(frame, end)
		switch {
		case i == len(frame):
			return -1
		case frame[i] == ',':
			i++
		case frame[i] == ']' && n >= len(fields)-1:
			return i + 1
		default:
			return -1
		}
	}
}

// decodeObject reads a frame of 1.0.0 and gives where it ends, or -1. Of doubled keys the first stays.
func decodeObject(m *Message, frame []byte) int {
	i := skipSpace(frame, 0)
	end := members(frame, i, func(key, value []byte) bool {
		for _, f := range [...]struct {
			name string
			to   *[]byte
		}{{"payload", &m.Payload}, {"event", &m.Event}, {"topic", &m.Topic}, {"ref", &m.Ref}, {"join_ref", &m.JoinRef}} {
			if *f.to == nil && stringIs(key, f.name) {
				*f.to = value
				break
			}
		}
		return true
	})
	if end < 0 || m.Topic == nil || m.Event == nil || m.Payload == nil || m.Ref == nil {
		return -1
	}
	if m.JoinRef == nil {
		m.JoinRef = Null
	}
	return end
}

// binaryHeader is the kind and the four lengths of a binary push.
const binaryHeader = 5

// decodeBinary reads a binary push. Its texts have no quotes; they get the quotes that everything
// else expects.
func decodeBinary(frame []byte) (Message, error) {
	if len(frame) < binaryHeader || frame[0] != 0 {
		return Message{}, fmt.Errorf("%w: no binary push", ErrFrame)
	}
	m := Message{Binary: true}
	rest := frame[binaryHeader:]
	for i, field := range []*[]byte{&m.JoinRef, &m.Ref, &m.Topic, &m.Event} {
		n := int(frame[1+i])
		if n > len(rest) || !utf8.Valid(rest[:n]) {
			return Message{}, fmt.Errorf("%w: a text of a binary push is cut short or no UTF-8", ErrFrame)
		}
		*field = AppendQuote(nil, string(rest[:n]))
		rest = rest[n:]
	}
	if len(m.JoinRef) == len(`""`) { // no join_ref: a client that has none sends no bytes
		m.JoinRef = Null
	}
	m.Payload = rest
	return m, nil
}
