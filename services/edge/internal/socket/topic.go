package socket

import (
	"sync/atomic"
	"time"

	"helix/shared/phoenix"
)

// Router says who serves a topic.
type Router interface {
	// Route gives the channel for a topic that a client joins, or nil where no channel serves it. It is
	// called on the socket's read goroutine; the channel then gets Join.
	Route(topic string, t *Topic) Channel
}

// Channel is the server's side of one joined topic. Its methods are called on the socket's read
// goroutine, one at a time, Join first; after Leave none.
type Channel interface {
	// Join must lead to one Topic.Accept or Topic.Refuse, then or later, from any goroutine.
	Join(payload []byte)
	// Handle takes one message. Everything in it is only lent.
	Handle(m *phoenix.Message)
	// Leave says that the client left, joined anew, or is gone.
	Leave()
}

// Topic is one topic of a socket, from its join on: what a channel talks to its client by. Its methods
// are safe from any goroutine and never block. What they send is written with the next
// Flush; the socket does one by itself after each message that it handles.
type Topic struct {
	socket  *Socket
	channel Channel
	name    string // as JSON, with its quotes, exactly as the client wrote it
	joinRef string // JSON; what replies bear
	ref     string // JSON; of the join
	own     string // JSON; what the socket's own phx_close bears: null if the join had no join_ref
	state   atomic.Int32
	settled chan struct{} // guarded by socket.mu: made by who waits for the join's answer, closed by that
}

// The states of a topic. It only moves forward.
const (
	topicJoining int32 = iota
	topicJoined
	topicOver
)

// Name is the topic's name as JSON, exactly as the client wrote it.
func (t *Topic) Name() string { return t.name }

// Version is the serializer that the client speaks.
func (t *Topic) Version() phoenix.Version { return t.socket.version }

// Socket is the socket that the topic is on.
func (t *Topic) Socket() *Socket { return t.socket }

// Suspect tells of something that an attack may be behind: one of telemetry's security events.
func (t *Topic) Suspect(event string, attrs ...any) { t.socket.suspect(event, attrs...) }

// Flush has everything written that was sent, on this and all other topics.
func (t *Topic) Flush() { t.socket.Flush() }

// Accept answers the join: the client is in. response is a JSON object.
func (t *Topic) Accept(response []byte) {
	if t.state.CompareAndSwap(topicJoining, topicJoined) {
		t.socket.server.metrics.Channels.Inc()
		t.socket.sendWhole(t.replyFrame([]byte(t.ref), true, response))
		t.settle()
	}
}

// Refuse answers the join: the client is not in. response is a JSON object.
func (t *Topic) Refuse(response []byte) {
	if t.state.CompareAndSwap(topicJoining, topicOver) {
		t.reply([]byte(t.ref), false, response)
		t.settle()
	}
}

// settle wakes who waits for the join's answer.
func (t *Topic) settle() {
	t.socket.mu.Lock()
	defer t.socket.mu.Unlock()
	if t.settled != nil {
		close(t.settled)
		t.settled = nil
	}
}

// await waits for the join's answer.
func (t *Topic) await() {
	t.socket.mu.Lock()
	if t.state.Load() != topicJoining {
		t.socket.mu.Unlock()
		return
	}
	settled := make(chan struct{})
	t.settled = settled
	t.socket.mu.Unlock()
	timer := time.NewTimer(joinTimeout)
	defer timer.Stop()
	select {
	case <-settled:
	case <-timer.C:
		t.Refuse(joinCrashed)
	}
}

// Reply answers a message by its ref.
func (t *Topic) Reply(ref []byte, ok bool, response []byte) {
	if t.state.Load() == topicJoined {
		t.reply(ref, ok, response)
	}
}

func (t *Topic) reply(ref []byte, ok bool, response []byte) {
	t.socket.Send(t.replyFrame(ref, ok, response))
}

func (t *Topic) replyFrame(ref []byte, ok bool, response []byte) []byte {
	return AppendText(make([]byte, 0, 96+len(t.name)+len(response)), func(dst []byte) []byte {
		return t.socket.version.AppendReply(dst, []byte(t.joinRef), ref, []byte(t.name), ok, response)
	})
}

// Send passes on frames that are shared among members.
func (t *Topic) Send(frames []byte) {
	if t.state.Load() == topicJoined {
		t.socket.Send(frames)
	}
}

// Offer is Send for a client that can be caught up: where more waits for it than it takes, nothing is
// sent, and its channel's Drained is called when it took that.
func (t *Topic) Offer(frames []byte) (taken bool) {
	return t.state.Load() != topicJoined || t.socket.offer(t, frames)
}

// SendWhole is Send for a large frame that stands for what was not taken: it has no bound of its own.
func (t *Topic) SendWhole(frame []byte) {
	if t.state.Load() == topicJoined {
		t.socket.sendWhole(frame)
	}
}

// End ends the channel from the server's side: on purpose, and the client stays away.
func (t *Topic) End() { t.finish(phoenix.EventClose) }

// Fail ends the channel because the server's side failed: the client joins again by itself.
func (t *Topic) Fail() { t.finish(phoenix.EventError) }

func (t *Topic) finish(event string) {
	if t.state.Swap(topicOver) == topicJoined {
		t.socket.server.metrics.Channels.Dec()
		t.push(event)
	}
}

// push sends an event of the socket's own about the channel; it bears the join_ref as its ref.
func (t *Topic) push(event string) {
	s := t.socket
	s.Send(AppendText(nil, func(dst []byte) []byte {
		ref := []byte(t.own)
		if s.version == phoenix.V1 {
			ref = phoenix.Null
		}
		return s.version.AppendMessage(dst, []byte(t.own), ref, []byte(t.name), event, phoenix.EmptyObject)
	}))
}

// over says whether the topic is free again.
func (t *Topic) over() bool { return t.state.Load() == topicOver }

// gone ends the topic because its client is gone, replaced it, or left.
func (t *Topic) gone() {
	switch t.state.Swap(topicOver) {
	case topicJoining:
		t.settle()
	case topicJoined:
		t.socket.server.metrics.Channels.Dec()
	}
	t.channel.Leave()
}
