package channel

import (
	"errors"

	"golang.org/x/time/rate"

	"helix/edge/internal/socket"
	"helix/shared/flows"
	"helix/shared/phoenix"
)

// flowChannel is one client on the topic flow:<id>. It is the client's Member of the flow.
type flowChannel struct {
	router     *Router
	topic      *socket.Topic
	rawID      string
	membership flows.Membership // of the read goroutine alone
	limiter    *rate.Limiter    // made with the first change; of the read goroutine alone
}

var _ flows.Member = (*flowChannel)(nil)

// Join implements socket.Channel.
func (c *flowChannel) Join(payload []byte) {
	opts, err := joinOptions(payload)
	if err == nil {
		c.membership, err = c.router.Flows.Join(c.rawID, opts, c)
	}
	if err != nil {
		c.Refused(err)
	}
}

// joinOptions reads the join parameters. A payload that is no object has none.
func joinOptions(payload []byte) (opts flows.JoinOptions, err error) {
	if id, ok := phoenix.Field(payload, "client_id"); ok && !phoenix.IsNull(id) {
		if opts.ClientID, ok = phoenix.StringValue(id); !ok || opts.ClientID == "" {
			return opts, flows.ErrInvalidParams.Because(errors.New("client_id must be a string that is not empty"))
		}
	}
	if echo, ok := phoenix.Field(payload, "echo"); ok {
		switch string(echo) {
		case "true", "null":
		case "false":
			opts.NoEcho = true
		default:
			return opts, flows.ErrInvalidParams.Because(errors.New("echo must be true or false"))
		}
	}
	return opts, nil
}

// Handle implements socket.Channel.
func (c *flowChannel) Handle(m *phoenix.Message) {
	switch {
	case m.EventIs("flow_change"):
		c.change(m)
	case m.EventIs("ping"):
		c.topic.Reply(m.Ref, true, pong)
	default:
		c.topic.Reply(m.Ref, false, unknownEvent)
	}
}

func (c *flowChannel) change(m *phoenix.Message) {
	if m.Binary {
		c.topic.Reply(m.Ref, false, unknownEvent)
		return
	}
	changes, ok := phoenix.Field(m.Payload, "changes")
	if !ok {
		c.topic.Reply(m.Ref, false, unknownEvent)
		return
	}
	if c.limiter == nil {
		c.limiter = rate.NewLimiter(c.router.Rate, c.router.Burst)
	}
	err := c.router.Flows.CheckChange(changes)
	if err == nil && !c.limiter.Allow() {
		err = flows.ErrRateLimited
	}
	if err != nil {
		c.refuse(m.Ref, err)
		return
	}
	c.membership.Change(flows.Change{Changes: changes, Tag: m.Ref})
}

func (c *flowChannel) refuse(ref []byte, err error) {
	e := flows.AsError(err)
	c.router.Metrics.Refusals.WithLabelValues(e.Code).Inc()
	c.topic.Reply(ref, false, refusal(e))
}

// Leave implements socket.Channel.
func (c *flowChannel) Leave() {
	if c.membership != nil {
		c.membership.Leave()
		c.membership = nil
	}
}

// Encoding implements flows.Member.
func (c *flowChannel) Encoding() flows.Encoding {
	return encoding{version: c.topic.Version(), topic: c.topic.Name()}
}

// Joined implements flows.Member.
func (c *flowChannel) Joined(j flows.Joined) { c.topic.Accept(joined(j)) }

// Refused implements flows.Member.
func (c *flowChannel) Refused(err error) {
	e := flows.AsError(err)
	c.router.Metrics.Refusals.WithLabelValues(e.Code).Inc()
	if errors.Is(e, flows.ErrUnavailable) {
		c.router.Log.Debug("a join was refused", "flow", c.rawID, "error", err)
	}
	c.topic.Refuse(refusal(e))
}

// Answered implements flows.Member; tag is the ref of the change.
func (c *flowChannel) Answered(tag []byte, receipt flows.Receipt, err error) {
	if err != nil {
		c.refuse(tag, err)
		return
	}
	c.topic.Reply(tag, true, broadcasted(receipt))
}

// Deliver implements flows.Member.
func (c *flowChannel) Deliver(frames []byte) { c.topic.Send(frames) }

// Ended implements flows.Member.
func (c *flowChannel) Ended(why flows.End) {
	if why == flows.EndFailed {
		c.topic.Fail()
		return
	}
	c.topic.End()
}
