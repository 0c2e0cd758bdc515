package channel

import (
	"strconv"

	"helix/shared/flows"
	"helix/shared/phoenix"
)

// The answers that are always the same.
var (
	emptyResponse = phoenix.EmptyObject
	pong          = []byte(`{"status":"pong"}`)
	unknownEvent  = []byte(`{"reason":"Unknown event"}`)
	invalidFlowID = []byte(`{"reason":"Invalid flow_id"}`)
)

// refusal is the response of an error reply: the reason that protocol.md names, and a sentence.
func refusal(e *flows.Error) []byte {
	b := append(make([]byte, 0, 64+len(e.Sentence)), `{"reason":`...)
	b = phoenix.AppendQuote(b, e.Reason)
	b = append(b, `,"message":`...)
	b = phoenix.AppendQuote(b, e.Sentence)
	return append(b, '}')
}

// joined is the response of a join. Who may not change the flow is told so, and need not find out.
func joined(j flows.Joined, mayWrite bool) []byte {
	size := 256 + len(j.Document)
	for i := range j.Missed {
		size += 64 + len(j.Missed[i].Changes)
	}
	b := append(make([]byte, 0, size), `{"client_id":`...)
	b = phoenix.AppendQuote(b, j.ClientID)
	b = append(b, `,"client_count":`...)
	b = strconv.AppendInt(b, int64(j.ClientCount), 10)
	b = append(b, `,"epoch":`...)
	b = phoenix.AppendQuote(b, j.Epoch)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, j.Seq, 10)
	b = append(b, `,"session":{"started_at":`...)
	b = strconv.AppendInt(b, j.StartedAt.Unix(), 10)
	b = append(b, '}')
	switch {
	case j.Resumed:
		b = append(b, `,"changes":[`...)
		for i := range j.Missed {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"seq":`...)
			b = strconv.AppendUint(b, j.Missed[i].Seq, 10)
			b = append(b, `,"changes":`...)
			b = append(b, j.Missed[i].Changes...)
			b = append(b, '}')
		}
		b = append(b, ']')
	case j.Document != nil:
		b = append(b, `,"snapshot":{"seq":`...)
		b = strconv.AppendUint(b, j.Seq, 10)
		b = append(b, `,"document":`...)
		b = append(b, j.Document...)
		b = append(b, '}')
	}
	if !mayWrite {
		b = append(b, `,"read_only":true`...)
	}
	return append(b, '}')
}

// broadcasted is the response of a change.
func broadcasted(r flows.Receipt) []byte {
	b := append(make([]byte, 0, 64), `{"status":"broadcasted","seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	return append(b, '}')
}

// sessionClosed is the response of flow_management's flow_deleted.
func sessionClosed(affected int) []byte {
	b := append(make([]byte, 0, 64), `{"status":"session_closed","clients_affected":`...)
	b = strconv.AppendInt(b, int64(affected), 10)
	return append(b, '}')
}
