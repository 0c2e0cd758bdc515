package channel

import (
	"bytes"

	"helix/edge/internal/socket"
	"helix/shared/flows"
	"helix/shared/phoenix"
	"helix/shared/telemetry"
)

// nobody may do nothing: who is on a socket whose connect step did not say.
type nobody struct{ flows.Anybody }

func (nobody) May(flows.Right, flows.ID) bool { return false }

// identityOf is who is on the socket of a topic.
func identityOf(t *socket.Topic) flows.Identity {
	if who, ok := t.Socket().Identity().(flows.Identity); ok {
		return who
	}
	return nobody{}
}

// suspect tells of a refusal for want of a right.
func (c *flowChannel) suspect(e *flows.Error, what string) {
	if e.Code == flows.ErrUnauthorized.Code {
		c.topic.Suspect(telemetry.SecurityRight, "what", what, "flow", c.rawID)
	}
}

// signed puts who the client is, where the edge knows it, behind what it tells of itself: of doubled keys the
// last one counts. What is no object stays as it is, to be refused.
func (c *flowChannel) signed(meta []byte) []byte {
	who := identityOf(c.topic)
	if who.UserID() == "" || len(meta) == 0 || meta[0] != '{' {
		return meta
	}
	meta = bytes.TrimRight(meta, " \t\r\n")
	told := bytes.TrimRight(meta[:len(meta)-1], " \t\r\n")
	signed := append(make([]byte, 0, len(told)+64), told...)
	if len(told) > 1 {
		signed = append(signed, ',')
	}
	signed = phoenix.AppendQuote(append(signed, `"user_id":`...), who.UserID())
	if who.Name() != "" {
		signed = phoenix.AppendQuote(append(signed, `,"user_name":`...), who.Name())
	}
	return append(signed, '}')
}
