// Package phoenix is the wire format of Phoenix Channels: the frames of serializers 1.0.0 and 2.0.0,
// and the reserved topics and events. It knows no socket, no channel and no flow.
//
// A frame of 2.0.0 is an array, of 1.0.0 an object:
//
//	[join_ref, ref, topic, event, payload]
//	{"join_ref":…, "ref":…, "topic":…, "event":…, "payload":…}
//
// 2.0.0 also has binary pushes: a byte 0, four lengths of one byte (join_ref, ref, topic, event), the
// four texts, and the payload as bytes.
//
// Decoding splits a frame and decodes nothing in it: what comes out are slices of what came in, checked
// to be strict JSON (RFC 8259, UTF-8). Refs and topics are echoed byte for byte, with the JSON type in
// which they came.
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

// ParseVersion reads the vsn parameter of a connecting client; a client that sends none speaks 1.0.0.
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
