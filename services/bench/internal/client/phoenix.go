package client

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"helix/shared/phoenix"
)

// Channel is a socket that joined one topic.
type Channel struct {
	*Conn
	topic   []byte
	joinRef []byte
	refs    atomic.Uint64
}

// The refs of a connection begin here, far from its join_ref: who mixes them up is found out.
const firstRef = 100_001

// Join opens a socket on an edge (ws://host:port) and joins a flow. The reply must come first: any
// other frame before it is an error.
func Join(ctx context.Context, edge, flow, from string) (*Channel, error) {
	c, _, err := JoinWith(ctx, edge, flow, from, phoenix.EmptyObject, nil)
	return c, err
}

// JoinWith is Join with parameters, which are a JSON object; it also gives the response, which is the
// caller's. pace, if not nil, says how fast the connection is read. ctx bounds the join, not the
// connection. An answer that refuses is a *RefusedError.
func JoinWith(ctx context.Context, edge, flow, from string, params []byte, pace *Pace) (*Channel, []byte, error) {
	conn, err := dial(ctx, edge+"/socket/websocket?vsn=2.0.0", from, pace)
	if err != nil {
		return nil, nil, err
	}
	c := &Channel{Conn: conn, topic: phoenix.AppendQuote(nil, "flow:"+flow), joinRef: []byte(`"7"`)}
	c.refs.Store(firstRef)
	_ = conn.net.SetDeadline(time.Now().Add(handshakeTimeout))
	stop := context.AfterFunc(ctx, func() { _ = conn.net.SetDeadline(longAgo) })
	var response []byte
	err = c.Push(phoenix.EventJoin, params)
	if err == nil {
		response, err = c.awaitJoin()
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("join %s: %w", flow, err)
	}
	return c, response, conn.net.SetDeadline(time.Time{})
}

// RefusedError is an error reply.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

func (c *Channel) awaitJoin() (response []byte, err error) {
	frame, err := c.Read()
	if err != nil {
		return nil, err
	}
	m, err := phoenix.V2.Decode(frame, false)
	if err != nil {
		return nil, err
	}
	if !m.EventIs(phoenix.EventReply) || !bytes.Equal(m.JoinRef, c.joinRef) {
		return nil, fmt.Errorf("the first frame is %.200s", frame)
	}
	response, _ = phoenix.Field(m.Payload, "response")
	if status, _ := phoenix.Field(m.Payload, "status"); string(status) != `"ok"` {
		return nil, refused(response)
	}
	return bytes.Clone(response), nil
}

func refused(response []byte) *RefusedError {
	raw, _ := phoenix.Field(response, "reason")
	reason, ok := phoenix.StringValue(raw)
	if !ok {
		reason = string(response)
	}
	return &RefusedError{reason}
}

// Push sends an event under a new ref.
func (c *Channel) Push(event string, payload []byte) error {
	_, err := c.Call(event, payload)
	return err
}

// Call is Push for a caller that awaits the reply: it gives the ref.
func (c *Channel) Call(event string, payload []byte) (ref uint64, err error) {
	ref = c.refs.Add(1)
	quoted := append(strconv.AppendUint([]byte{'"'}, ref, 10), '"')
	return ref, c.Send(phoenix.V2.AppendMessage(nil, c.joinRef, quoted, c.topic, event, payload))
}
