package channel

import (
	"errors"
	"strconv"

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
	joined     flows.Membership // the same, for Drained; set once, before the first Offer
	limiter    *rate.Limiter    // made with the first change; of the read goroutine alone
	telling    *rate.Limiter    // the same, of signals and presence
	present    bool             // it joined with presence
	mayWrite   bool
	again      uint64 // the change id that came too fast and must be sent again first; 0: none
}

var _ flows.Member = (*flowChannel)(nil)

// Join implements socket.Channel.
func (c *flowChannel) Join(payload []byte) {
	opts, err := joinOptions(payload)
	if err == nil {
		err = c.allow()
	}
	if err == nil {
		c.present = opts.Presence != nil
		opts.Presence = c.signed(opts.Presence)
		who := identityOf(c.topic)
		opts.UserID, opts.UserName = who.UserID(), who.Name()
		c.membership, err = c.router.Flows.Join(c.rawID, opts, c)
	}
	if err != nil {
		c.Refused(err)
	}
}

// allow says whether the client may be in the flow, and puts down whether it may change it: for as long as
// the socket lives, whose identity does not change.
func (c *flowChannel) allow() error {
	id, err := flows.ParseID(c.rawID)
	if err != nil {
		return err
	}
	who := identityOf(c.topic)
	if !who.May(flows.Read, id) {
		return flows.ErrUnauthorized
	}
	c.mayWrite = who.May(flows.Write, id)
	return nil
}

// joinOptions reads the join parameters. A payload that is no object has none.
func joinOptions(payload []byte) (opts flows.JoinOptions, err error) {
	if id, ok := phoenix.Field(payload, "client_id"); ok && !phoenix.IsNull(id) {
		if opts.ClientID, ok = phoenix.StringValue(id); !ok || opts.ClientID == "" {
			return opts, invalid("client_id must be a string that is not empty")
		}
	}
	echo, err := boolParam(payload, "echo", true)
	if err != nil {
		return opts, err
	}
	opts.NoEcho = !echo
	if opts.Sync, err = boolParam(payload, "sync", false); err != nil {
		return opts, err
	}
	if resume, ok := phoenix.Field(payload, "resume"); ok && !phoenix.IsNull(resume) {
		epoch, okEpoch := phoenix.Field(resume, "epoch")
		seq, okSeq := phoenix.Field(resume, "seq")
		if okEpoch && okSeq {
			opts.Resume.Epoch, okEpoch = phoenix.StringValue(epoch)
			opts.Resume.Seq, err = strconv.ParseUint(string(seq), 10, 64)
		}
		if !okEpoch || !okSeq || err != nil || opts.Resume.Epoch == "" {
			return opts, invalid("resume must be {epoch, seq}, as an answer or an update told them")
		}
	}
	if presence, ok := phoenix.Field(payload, "presence"); ok && !phoenix.IsNull(presence) {
		opts.Presence = presence
	}
	return opts, nil
}

func boolParam(payload []byte, name string, byDefault bool) (bool, error) {
	switch value, _ := phoenix.Field(payload, name); string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "", "null":
		return byDefault, nil
	}
	return false, invalid(name + " must be true or false")
}

func invalid(what string) error { return flows.ErrInvalidParams.Because(errors.New(what)) }

// Handle implements socket.Channel.
func (c *flowChannel) Handle(m *phoenix.Message) {
	switch {
	case m.EventIs("flow_change"):
		c.change(m)
	case m.EventIs("signal"):
		c.signal(m)
	case m.EventIs("presence_update"):
		c.presence(m)
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
	if !c.mayWrite {
		c.refuse(m.Ref, flows.ErrUnauthorized)
		return
	}
	span := c.router.Traces.Change(c.rawID)
	if c.limiter == nil {
		c.limiter = rate.NewLimiter(c.router.Rate, c.router.Burst)
	}
	err := c.router.Flows.CheckChange(changes)
	var id uint64
	if err == nil {
		id, err = changeID(m.Payload)
	}
	if err == nil && !c.allowed(id) {
		err = flows.ErrRateLimited
	}
	if err != nil {
		c.refuse(m.Ref, err)
		span.End(err)
		return
	}
	c.membership.Change(flows.Change{Changes: changes, Tag: m.Ref, ID: id, Trace: span})
}

// signal passes a signal on. Data that is left out is null.
func (c *flowChannel) signal(m *phoenix.Message) {
	s := flows.Signal{Data: phoenix.Null}
	if kind, ok := phoenix.Field(m.Payload, "type"); ok && !m.Binary {
		s.Type, _ = phoenix.StringValue(kind)
	}
	if data, ok := phoenix.Field(m.Payload, "data"); ok {
		s.Data = data
	}
	err := c.router.Flows.CheckSignal(s)
	if err == nil && !c.mayTell() {
		err = flows.ErrRateLimited
	}
	if err != nil {
		c.refuse(m.Ref, err)
		return
	}
	c.membership.Signal(s)
	c.topic.Reply(m.Ref, true, emptyResponse)
}

// presence replaces what the others see of the client.
func (c *flowChannel) presence(m *phoenix.Message) {
	meta := c.signed(m.Payload)
	err := c.checkPresence(m, meta)
	if err == nil && !c.mayTell() {
		err = flows.ErrRateLimited
	}
	if err != nil {
		c.refuse(m.Ref, err)
		return
	}
	c.membership.Present(meta)
	c.topic.Reply(m.Ref, true, emptyResponse)
}

func (c *flowChannel) checkPresence(m *phoenix.Message, meta []byte) error {
	switch {
	case m.Binary:
		return invalid("presence must be an object")
	case !c.present:
		return invalid("who joined without presence takes no part in it")
	}
	return c.router.Flows.CheckPresence(meta)
}

// mayTell says whether a signal or a presence keeps to the rate.
func (c *flowChannel) mayTell() bool {
	if c.telling == nil {
		c.telling = rate.NewLimiter(c.router.SignalRate, c.router.SignalBurst)
	}
	return c.telling.Allow()
}

// allowed says whether a change keeps to the rate. Once one with an id did not, those behind it must wait
// until it is sent again: carried out before it, they would make it look like a repeat.
func (c *flowChannel) allowed(id uint64) bool {
	if id > 0 && c.again > 0 && id > c.again {
		return false
	}
	if !c.limiter.Allow() {
		if id > 0 {
			c.again = id
		}
		return false
	}
	if id > 0 {
		c.again = 0
	}
	return true
}

// changeID reads the id that the client gave its change; 0: none. JavaScript's numbers are exact up to 2^53.
func changeID(payload []byte) (id uint64, err error) {
	raw, ok := phoenix.Field(payload, "change_id")
	if !ok || phoenix.IsNull(raw) {
		return 0, nil
	}
	id, err = strconv.ParseUint(string(raw), 10, 53)
	if err != nil || id == 0 {
		return 0, invalid("change_id must be a whole number from 1 to 2^53")
	}
	return id, nil
}

func (c *flowChannel) refuse(ref []byte, err error) {
	e := flows.AsError(err)
	c.router.Metrics.Refusals.WithLabelValues(e.Code).Inc()
	c.suspect(e, "change")
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
func (c *flowChannel) Joined(j flows.Joined) {
	c.joined = j.Membership
	c.topic.Accept(joined(j, c.mayWrite))
}

// Refused implements flows.Member.
func (c *flowChannel) Refused(err error) {
	e := flows.AsError(err)
	c.router.Metrics.Refusals.WithLabelValues(e.Code).Inc()
	c.suspect(e, "join")
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

// Offer implements flows.Member.
func (c *flowChannel) Offer(frames []byte) (taken bool) { return c.topic.Offer(frames) }

// CatchUp implements flows.Member.
func (c *flowChannel) CatchUp(frame []byte) { c.topic.SendWhole(frame) }

// Drained implements socket.Drained.
func (c *flowChannel) Drained() { c.joined.Drained() }

// Ended implements flows.Member.
func (c *flowChannel) Ended(why flows.End) {
	if why == flows.EndFailed {
		c.topic.Fail()
		return
	}
	c.topic.End()
}
