// Package phoenix is the wire format of Phoenix Channels: the frames of serializers 1.0.0 and 2.0.0,
// and the reserved topic and events. It knows no socket, no channel and no flow.
//
// A text frame of 2.0.0 is an array, of 1.0.0 an object. A server of 1.0.0 sends no join_ref:
//
//	[join_ref, ref, topic, event, payload]
//	{"join_ref":…, "ref":…, "topic":…, "event":…, "payload":…}
//
// 2.0.0 also has binary pushes, whose payload is bytes. Each length is one byte:
//
//	0, len(join_ref), len(ref), len(topic), len(event), join_ref, ref, topic, event, payload
//
// A reply is a message with the event phx_reply, the ref that it answers, and the payload
// {"response": …, "status": "ok"|"error"}. The format is the same in both directions, so a client
// uses [Version.Decode] and [Version.AppendMessage] as a server does.
//
// Decoding splits a frame and converts nothing in it: what comes out are parts of what came in, checked
// to be strict JSON (RFC 8259, UTF-8, nested at most [MaxDepth] levels). Refs and topics can so be echoed
// byte for byte, a number as a number and a string as a string. What one gets wrong: a Message is valid
// only as long as the buffer it was decoded from, and its Topic and Event still wear their quotes.
package phoenix

import (
	"errors"
	"strings"
)

// Version is a serializer's version.
type Version uint8

// The versions that are served.
const (
	V1 Version = 1 // 1.0.x: objects
	V2 Version = 2 // 2.0.x: arrays
)

// ErrVersion says that a version is not served.
var ErrVersion = errors.New("phoenix: this serializer version is not served")

// ParseVersion reads the vsn parameter of a connecting client. A client that sends none (present is
// false) speaks 1.0.0; one that sends an empty one is refused like any other that is neither 1.0.x nor
// 2.0.x, with ErrVersion.
func ParseVersion(vsn string, present bool) (Version, error) {
	if !present {
		return V1, nil
	}
	major, patch, ok := strings.Cut(vsn, ".0.")
	if !ok || patch == "" || strings.Trim(patch, "0123456789") != "" {
		return 0, ErrVersion
	}
	switch major {
	case "1":
		return V1, nil
	case "2":
		return V2, nil
	}
	return 0, ErrVersion
}

// The reserved topic and events.
const (
	TopicPhoenix   = "phoenix"
	EventHeartbeat = "heartbeat"
	EventJoin      = "phx_join"
	EventLeave     = "phx_leave"
	EventReply     = "phx_reply"
	EventClose     = "phx_close"
	EventError     = "phx_error"
)

// JSON that is needed everywhere. Read only.
var (
	Null        = []byte("null")
	EmptyObject = []byte("{}")
)
