package load

import (
	"bytes"
	"strconv"

	"helix/shared/phoenix"
)

// News is what a frame tells of a flow's history.
type News struct {
	Kind NewsKind
	From uint64 // of a Catchup: the seq before its first change
	Seq  uint64 // that a client is at once it has the frame; of an Answer: that the change got
	Ref  []byte // of an Answer: the ref of what it answers, as JSON; only lent
}

// NewsKind says what kind of frame it is.
type NewsKind int

// The kinds of frames.
const (
	Other NewsKind = iota // nothing of the history
	Update
	Catchup
	Sync
	Answer
	Refusal
)

// near is how far from its beginning a catch-up tells where it is.
const near = 256

// ReadNews reads what a frame of the serializer 2.0.0 tells, without decoding the changes in it: a
// thousand members get some millions of them. What is not where it is used to be is looked for.
func ReadNews(frame []byte) News {
	head := frame[:min(len(frame), near)]
	switch {
	case bytes.Contains(head, []byte(`"flow_update"`)):
		if seq := Seq(frame); seq > 0 {
			return News{Kind: Update, Seq: seq}
		}
	case bytes.Contains(head, []byte(`"flow_catchup"`)):
		seq, ok := number(head, `,"seq":`)
		from, ok2 := number(head, `"from_seq":`)
		if ok && ok2 {
			return News{Kind: Catchup, From: from, Seq: seq}
		}
	case bytes.Contains(head, []byte(`"flow_sync"`)), bytes.Contains(head, []byte(`"phx_reply"`)):
	default:
		return News{}
	}
	return lookForNews(frame)
}

// number reads the number behind the first place of a key.
func number(b []byte, key string) (n uint64, ok bool) {
	i := bytes.Index(b, []byte(key))
	if i < 0 {
		return 0, false
	}
	value, rest := digits(b[i+len(key):])
	return uint64(value), len(rest) > 0 && len(rest) < len(b)-i-len(key)
}

func lookForNews(frame []byte) News {
	m, err := phoenix.V2.Decode(frame, false)
	if err != nil {
		return News{}
	}
	field := func(object []byte, key string) uint64 {
		raw, _ := phoenix.Field(object, key)
		n, _ := strconv.ParseUint(string(raw), 10, 64)
		return n
	}
	switch name, _ := m.EventString(); name {
	case "flow_update":
		return News{Kind: Update, Seq: field(m.Payload, "seq")}
	case "flow_sync":
		return News{Kind: Sync, Seq: field(m.Payload, "seq")}
	case "flow_catchup":
		return News{Kind: Catchup, Seq: field(m.Payload, "seq"), From: field(m.Payload, "from_seq")}
	case phoenix.EventReply:
		if status, _ := phoenix.Field(m.Payload, "status"); string(status) != `"ok"` {
			return News{Kind: Refusal, Ref: m.Ref}
		}
		response, _ := phoenix.Field(m.Payload, "response")
		if seq := field(response, "seq"); seq > 0 {
			return News{Kind: Answer, Seq: seq, Ref: m.Ref}
		}
	}
	return News{}
}
