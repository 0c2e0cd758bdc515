package channel

import (
	"strconv"
	"strings"
	"sync"

	"helix/edge/internal/socket"
	"helix/shared/flows"
	"helix/shared/phoenix"
)

// encoding is what the frames of a flow's events depend on: the serializer, and the topic as the
// client wrote it. Members with the same two share every frame.
type encoding struct {
	version phoenix.Version
	topic   string // JSON
}

// AppendFrame implements flows.Encoding.
func (e encoding) AppendFrame(dst []byte, event flows.Event) []byte {
	return socket.AppendText(dst, func(dst []byte) []byte { return e.appendMessage(dst, event) })
}

func (e encoding) appendMessage(dst []byte, event flows.Event) []byte {
	scratch := payloads.Get().(*[]byte)
	payload := (*scratch)[:0]
	name := "flow_update"
	switch event.Kind {
	case flows.EventUpdate:
		payload = appendUpdate(payload, event)
	case flows.EventClientJoined:
		name, payload = "client_joined", appendCount(payload, event)
	case flows.EventClientLeft:
		name, payload = "client_left", appendCount(payload, event)
	case flows.EventDeleted:
		name, payload = "flow_deleted", appendDeleted(payload, event)
	case flows.EventSync:
		name, payload = "flow_sync", appendSync(payload, event)
	case flows.EventCatchup:
		name, payload = "flow_catchup", appendCatchup(payload, event)
	case flows.EventPresenceState:
		name, payload = "presence_state", appendPresences(payload, event.Joins)
	case flows.EventPresenceDiff:
		name, payload = "presence_diff", appendPresenceDiff(payload, event)
	case flows.EventSignal:
		name, payload = "signal", appendSignal(payload, event)
	}
	dst = e.version.AppendMessage(dst, phoenix.Null, phoenix.Null, []byte(e.topic), name, payload)
	if cap(payload) <= 64<<10 {
		*scratch = payload
	}
	payloads.Put(scratch)
	return dst
}

// payloads are scratch memory: serializer 1.0.0 has its payload in the middle of the frame.
var payloads = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func appendUpdate(dst []byte, e flows.Event) []byte {
	dst = append(dst, `{"changes":`...)
	dst = append(dst, e.Changes...)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, e.Timestamp, 10)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, `,"epoch":`...)
	dst = phoenix.AppendQuote(dst, e.Epoch)
	dst = append(dst, `,"client_id":`...)
	dst = phoenix.AppendQuote(dst, e.ClientID)
	return append(dst, '}')
}

func appendCount(dst []byte, e flows.Event) []byte {
	dst = append(dst, `{"client_count":`...)
	dst = strconv.AppendInt(dst, int64(e.ClientCount), 10)
	dst = append(dst, `,"flow_id":`...)
	dst = phoenix.AppendQuote(dst, string(e.Flow))
	return append(dst, '}')
}

func appendDeleted(dst []byte, e flows.Event) []byte {
	dst = append(dst, `{"flow_id":`...)
	dst = phoenix.AppendQuote(dst, string(e.Flow))
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, e.Timestamp, 10)
	return append(dst, '}')
}

func appendSync(dst []byte, e flows.Event) []byte {
	dst = appendPosition(append(dst, '{'), e)
	dst = append(dst, `,"document":`...)
	dst = append(dst, e.Changes...)
	return append(dst, '}')
}

func appendCatchup(dst []byte, e flows.Event) []byte {
	dst = appendPosition(append(dst, '{'), e)
	dst = append(dst, `,"from_seq":`...)
	dst = strconv.AppendUint(dst, e.FromSeq, 10)
	dst = append(dst, `,"patches":[`...)
	for i, p := range e.Patches {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, p...)
	}
	return append(dst, `]}`...)
}

func appendPosition(dst []byte, e flows.Event) []byte {
	dst = append(dst, `"epoch":`...)
	dst = phoenix.AppendQuote(dst, e.Epoch)
	dst = append(dst, `,"seq":`...)
	return strconv.AppendUint(dst, e.Seq, 10)
}

func appendPresenceDiff(dst []byte, e flows.Event) []byte {
	dst = appendPresences(append(dst, `{"joins":`...), e.Joins)
	dst = appendPresences(append(dst, `,"leaves":`...), e.Leaves)
	return append(dst, '}')
}

// appendPresences writes presences as Phoenix Presence has them: {key: {metas: [{phx_ref, ...}]}}, where the
// key is the client id. They come by client id.
func appendPresences(dst []byte, all []flows.Presence) []byte {
	dst = append(dst, '{')
	for i := range all {
		p := &all[i]
		if i == 0 || all[i-1].ClientID != p.ClientID {
			if i > 0 {
				dst = append(dst, `]},`...)
			}
			dst = phoenix.AppendQuote(dst, p.ClientID)
			dst = append(dst, `:{"metas":[`...)
		} else {
			dst = append(dst, ',')
		}
		// Behind what the client tells: of doubled keys the last one counts.
		dst = append(dst, strings.TrimRight(p.Meta[:len(p.Meta)-1], " \t\r\n")...)
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, `"phx_ref":`...)
		dst = append(phoenix.AppendQuote(dst, p.Ref), '}')
	}
	if len(all) > 0 {
		dst = append(dst, `]}`...)
	}
	return append(dst, '}')
}

func appendSignal(dst []byte, e flows.Event) []byte {
	dst = append(dst, `{"type":`...)
	dst = phoenix.AppendQuote(dst, e.Type)
	dst = append(dst, `,"data":`...)
	dst = append(dst, e.Changes...)
	dst = append(dst, `,"client_id":`...)
	dst = phoenix.AppendQuote(dst, e.ClientID)
	return append(dst, '}')
}
