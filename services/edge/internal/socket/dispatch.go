package socket

import (
	"bytes"
	"time"

	"helix/shared/phoenix"
	"helix/shared/telemetry"
)

var (
	unmatched   = []byte(`{"reason":"unmatched topic"}`)
	tooOften    = []byte(`{"reason":"rate_limited","message":"too many joins in too short a time; try again a little later"}`)
	tooLong     = []byte(`{"reason":"invalid_params","message":"a topic, or the refs of a join, are too long"}`)
	tooMany     = []byte(`{"reason":"too many channels joined"}`)
	joinCrashed = []byte(`{"reason":"join crashed"}`)
)

// joinTimeout is how long a message for a topic whose join has no answer yet waits for it.
const joinTimeout = 5 * time.Second

// mostName bounds the name of a topic as JSON, and mostRefs the refs of a join, in bytes. They are kept for as
// long as the topic is joined, and all that is sent there begins with them.
const (
	mostName = 4 << 10
	mostRefs = 512
)

// handle takes one message of the client. An error closes the socket.
func (s *Socket) handle(data []byte, binary bool) error {
	m, err := s.version.Decode(data, binary)
	if err != nil {
		return err
	}
	if m.EventIs(phoenix.EventHeartbeat) && bytes.Equal(m.Topic, topicPhoenix) {
		s.answer(phoenix.Null, m.Ref, m.Topic, true, phoenix.EmptyObject)
		return nil
	}
	t := s.find(m.Topic)
	if t != nil && t.state.Load() == topicJoining {
		// What follows a join on its topic finds it done, as in the original, whose join is one step.
		t.await()
		if t.over() {
			t = nil
		}
	}
	switch {
	case m.EventIs(phoenix.EventJoin):
		s.join(t, &m)
	case m.EventIs(phoenix.EventLeave):
		s.leave(t, &m)
	case t == nil:
		s.answer(phoenix.Null, m.Ref, m.Topic, false, unmatched)
	case t.knows(m.JoinRef):
		t.channel.Handle(&m)
	}
	return nil
}

var topicPhoenix = []byte(`"` + phoenix.TopicPhoenix + `"`)

// find gives the topic as it is joined or joining, and forgets those that are over. The name is
// compared as it was written: so each spelling is a topic of its own.
func (s *Socket) find(name []byte) *Topic {
	var found *Topic
	kept := s.topics[:0]
	for _, t := range s.topics {
		if t.over() {
			t.channel.Leave()
			continue
		}
		kept = append(kept, t)
		if t.name == string(name) {
			found = t
		}
	}
	clear(s.topics[len(kept):])
	s.topics = kept
	return found
}

// knows says whether a message is of this join: one with the join_ref of an earlier join is not.
func (t *Topic) knows(joinRef []byte) bool {
	return string(joinRef) == t.joinRef || phoenix.IsNull(joinRef)
}

func (s *Socket) join(old *Topic, m *phoenix.Message) {
	if old != nil {
		old.End()
		s.drop(old)
	}
	if len(m.Topic) > mostName || len(m.Ref)+len(m.JoinRef) > mostRefs {
		s.answer(phoenix.Null, m.Ref, m.Topic, false, tooLong)
		return
	}
	name, ok := m.TopicString()
	t := &Topic{socket: s, name: string(m.Topic), ref: string(m.Ref)}
	switch {
	case phoenix.IsNull(m.JoinRef):
		t.joinRef, t.own = t.ref, "null"
	case string(m.JoinRef) == t.ref: // as the official client has it: kept once
		t.joinRef, t.own = t.ref, t.ref
	default:
		t.joinRef = string(m.JoinRef)
		t.own = t.joinRef
	}
	if refused := s.guest.Join(); refused != nil {
		s.suspect(telemetry.SecurityLimit, "limit", refused.Why)
		s.server.metrics.Refusals.WithLabelValues("rate_limited").Inc()
		s.answer([]byte(t.joinRef), m.Ref, m.Topic, false, tooOften)
		return
	}
	if ok {
		t.channel = s.server.opts.Router.Route(name, t)
	}
	if t.channel == nil {
		s.answer(phoenix.Null, m.Ref, m.Topic, false, unmatched)
		return
	}
	if len(s.topics) >= s.server.opts.MaxChannels {
		s.answer([]byte(t.joinRef), m.Ref, m.Topic, false, tooMany)
		return
	}
	s.topics = append(s.topics, t)
	payload := m.Payload
	if m.Binary {
		payload = phoenix.EmptyObject
	}
	t.channel.Join(payload)
}

func (s *Socket) leave(t *Topic, m *phoenix.Message) {
	if t == nil {
		s.answer(m.JoinRef, m.Ref, m.Topic, true, phoenix.EmptyObject)
		return
	}
	if !t.knows(m.JoinRef) {
		return
	}
	t.Reply(m.Ref, true, phoenix.EmptyObject)
	t.End()
	s.drop(t)
}

// drop forgets a topic that is over and tells its channel.
func (s *Socket) drop(t *Topic) {
	for i, other := range s.topics {
		if other == t {
			s.topics = append(s.topics[:i], s.topics[i+1:]...)
			break
		}
	}
	t.channel.Leave()
}

// answer replies outside of any channel.
func (s *Socket) answer(joinRef, ref, topic []byte, ok bool, response []byte) {
	s.Send(AppendText(nil, func(dst []byte) []byte {
		return s.version.AppendReply(dst, joinRef, ref, topic, ok, response)
	}))
}
