package phoenix

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrFrame says that a frame is not of its serializer's form. The server closes such a client's
// socket with 1011.
var ErrFrame = errors.New("phoenix: the frame does not decode")

var (
	errUTF8   = fmt.Errorf("%w: it is no UTF-8", ErrFrame)
	errJSON   = fmt.Errorf("%w: it is no JSON, or nested deeper than %d levels", ErrFrame, MaxDepth)
	errArray  = fmt.Errorf("%w: under 2.0.0 it must be an array of at least five elements", ErrFrame)
	errObject = fmt.Errorf("%w: under 1.0.0 it must be an object with topic, event, payload and ref", ErrFrame)
)

// Message is one decoded frame. Its slices are parts of the frame, valid as long as that is; none is nil.
type Message struct {
	JoinRef, Ref []byte // JSON as it came; null where the client has no join_ref
	Topic, Event []byte // JSON as it came: strings, unless the client is odd
	Payload      []byte // JSON as it came, or the bytes of a binary push
	Binary       bool   // the payload is bytes, which nobody has checked
}

// TopicString is the topic's text; ok is false where it is no string.
func (m *Message) TopicString() (topic string, ok bool) { return StringValue(m.Topic) }

// EventString is the event's text; ok is false where it is no string.
func (m *Message) EventString() (event string, ok bool) { return StringValue(m.Event) }

// EventIs says whether the event is a name. It allocates nothing.
func (m *Message) EventIs(name string) bool { return textIs(m.Event, name) }

// IsNull says whether a valid JSON value is null.
func IsNull(value []byte) bool { return len(value) == len("null") && value[0] == 'n' }

// Decode splits a text frame or, with binary, a binary push. Of a text frame nothing is copied; of a
// binary push the texts are, for they come without the quotes that a Message promises. Errors wrap
// ErrFrame.
func (v Version) Decode(frame []byte, binary bool) (Message, error) {
	if binary {
		return v.decodeBinary(frame)
	}
	if !utf8.Valid(frame) {
		return Message{}, errUTF8
	}
	var m Message
	end := -1
	if i := skipSpace(frame, 0); i < len(frame) {
		if v == V2 {
			end = decodeArray(&m, frame, i)
		} else {
			end = decodeObject(&m, frame, i)
		}
	}
	if end < 0 || skipSpace(frame, end) != len(frame) {
		return Message{}, v.fault(frame)
	}
	return m, nil
}

// decodeArray reads the frame of 2.0.0 that begins at i and gives where it ends, or -1. A sixth element
// and further ones are checked and passed over, as the original does.
func decodeArray(m *Message, frame []byte, i int) int {
	if frame[i] != '[' {
		return -1
	}
	fields := [...]*[]byte{&m.JoinRef, &m.Ref, &m.Topic, &m.Event, &m.Payload}
	for n := 0; ; n++ {
		i = skipSpace(frame, i+1)
		end := scanValue(frame, i, 1)
		if end < 0 {
			return -1
		}
		if n < len(fields) {
			*fields[n] = frame[i:end:end]
		}
		i = skipSpace(frame, end)
		switch {
		case i == len(frame):
			return -1
		case frame[i] == ',':
		case frame[i] == ']' && n >= len(fields)-1:
			return i + 1
		default:
			return -1
		}
	}
}

// decodeObject reads the frame of 1.0.0 that begins at i and gives where it ends, or -1. Of doubled keys
// the first stays.
func decodeObject(m *Message, frame []byte, i int) int {
	end := members(frame, i, func(key, value []byte) (more bool) {
		if field := m.field(key); field != nil && *field == nil {
			*field = value
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

// field is where the value of a key of a 1.0.0 frame goes; nil for a key that means nothing.
func (m *Message) field(key []byte) *[]byte {
	switch {
	case textIs(key, "topic"):
		return &m.Topic
	case textIs(key, "event"):
		return &m.Event
	case textIs(key, "payload"):
		return &m.Payload
	case textIs(key, "ref"):
		return &m.Ref
	case textIs(key, "join_ref"):
		return &m.JoinRef
	}
	return nil
}

// fault says what is wrong with a text frame that did not decode. Only such a frame is read twice.
func (v Version) fault(frame []byte) error {
	end := scanValue(frame, skipSpace(frame, 0), 0)
	switch {
	case end < 0 || skipSpace(frame, end) != len(frame):
		return errJSON
	case v == V2:
		return errArray
	}
	return errObject
}
