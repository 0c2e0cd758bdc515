package channel

import (
	"context"
	"errors"

	"helix/edge/internal/socket"
	"helix/shared/flows"
	"helix/shared/phoenix"
	"helix/shared/telemetry"
)

// managementChannel is one client on the topic flow_management.
type managementChannel struct {
	router *Router
	topic  *socket.Topic
}

// Join implements socket.Channel.
func (c *managementChannel) Join([]byte) { c.topic.Accept(emptyResponse) }

// Leave implements socket.Channel.
func (c *managementChannel) Leave() {}

// Handle implements socket.Channel.
func (c *managementChannel) Handle(m *phoenix.Message) {
	if !m.EventIs("flow_deleted") {
		c.topic.Reply(m.Ref, false, unknownEvent)
		return
	}
	var id string
	raw, ok := phoenix.Field(m.Payload, "flow_id")
	if ok && !m.Binary {
		id, ok = phoenix.StringValue(raw)
	}
	if !ok || m.Binary {
		c.topic.Reply(m.Ref, false, invalidFlowID)
		return
	}
	who := identityOf(c.topic)
	if flow, err := flows.ParseID(id); err == nil && !who.May(flows.Manage, flow) { // an id that is none is refused as ever
		c.router.Metrics.Refusals.WithLabelValues(flows.ErrUnauthorized.Code).Inc()
		c.topic.Suspect(telemetry.SecurityRight, "what", "flow_deleted", "flow", id)
		c.topic.Reply(m.Ref, false, refusal(flows.ErrUnauthorized))
		return
	}
	ref := append([]byte(nil), m.Ref...)
	select {
	case c.router.work <- struct{}{}:
		go func() { // Router.Close waits for its place to be free
			defer func() { <-c.router.work }()
			c.delete(ref, id, who)
			c.topic.Flush()
		}()
	default:
		c.topic.Reply(m.Ref, false, refusal(flows.ErrRateLimited))
	}
}

func (c *managementChannel) delete(ref []byte, id string, who flows.Identity) {
	ctx, cancel := context.WithTimeout(c.router.ctx, c.router.Timeout)
	defer cancel()
	affected, err := c.router.Flows.ForceClose(ctx, id)
	switch {
	case errors.Is(err, flows.ErrInvalidFlowID):
		c.topic.Reply(ref, false, invalidFlowID)
	case err != nil:
		c.topic.Reply(ref, false, refusal(flows.AsError(err)))
	default:
		if who.UserID() != "" {
			c.router.Log.Info("a session was ended on request", "flow", id, "clients_affected", affected, "user_id", who.UserID())
		}
		c.topic.Reply(ref, true, sessionClosed(affected))
	}
}
