package channel

import (
	"strconv"
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
