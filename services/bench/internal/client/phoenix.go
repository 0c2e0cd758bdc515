package client

import (
	"bytes"
	"context"
	"errors"
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
	conn, err := Dial(ctx, edge+"/socket/websocket?vsn=2.0.0", from)
	if err != nil {
		return nil, err
	}
	c := &Channel{Conn: conn, topic: phoenix.AppendQuote(nil, "flow:"+flow), joinRef: []byte(`"7"`)}
	c.refs.Store(firstRef)
	_ = conn.SetReadDeadline(time.Now().Add(handshakeTimeout))
	err = c.Push(phoenix.EventJoin, phoenix.EmptyObject)
	if err == nil {
		err = c.awaitJoin()
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("join %s: %w", flow, err)
	}
	return c, conn.SetReadDeadline(time.Time{})
}

func (c *Channel) awaitJoin() error {
	frame, err := c.Read()
	if err != nil {
		return err
	}
	m, err := phoenix.V2.Decode(frame, false)
	if err != nil {
		return err
	}
	if !m.EventIs(phoenix.EventReply) || !bytes.Equal(m.JoinRef, c.joinRef) {
		return fmt.Errorf("the first frame is %.200s", frame)
	}
	if status, _ := phoenix.Field(m.Payload, "status"); string(status) != `"ok"` {
		return errors.New(string(m.Payload))
	}
	return nil
}

// Push sends an event under a new ref.
func (c *Channel) Push(event string, payload []byte) error {
	ref := strconv.AppendUint([]byte{'"'}, c.refs.Add(1), 10)
	return c.Send(phoenix.V2.AppendMessage(nil, c.joinRef, append(ref, '"'), c.topic, event, payload))
}
