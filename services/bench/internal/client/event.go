package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"helix/shared/phoenix"
)

// Event is what a channel was sent, decoded. Which fields are set depends on its name.
type Event struct {
	Name   string
	Ref    uint64        // of a phx_reply: the call that it answers
	Failed *RefusedError // of a phx_reply: nil where it is ok

	Epoch       string            `json:"epoch"`
	Seq         uint64            `json:"seq"`
	FromSeq     uint64            `json:"from_seq"`
	ClientID    string            `json:"client_id"`
	Changes     json.RawMessage   `json:"changes"`
	Patches     []json.RawMessage `json:"patches"`
	Document    json.RawMessage   `json:"document"`
	ClientCount int               `json:"client_count"`
	Payload     json.RawMessage   `json:"-"` // the whole
}

// Answer is the response of a join.
type Answer struct {
	ClientID    string `json:"client_id"`
	ClientCount int    `json:"client_count"`
	Epoch       string `json:"epoch"`
	Seq         uint64 `json:"seq"`
	Snapshot    *struct {
		Seq      uint64          `json:"seq"`
		Document json.RawMessage `json:"document"`
	} `json:"snapshot"`
	Changes []Numbered `json:"changes"`
	Resumed bool       `json:"-"` // Changes was there, empty or not
}

// Numbered is a change of the answer to a resume.
type Numbered struct {
	Seq     uint64          `json:"seq"`
	Changes json.RawMessage `json:"changes"`
}

// ParseAnswer reads the response of a join.
func ParseAnswer(response []byte) (a Answer, err error) {
	if err := json.Unmarshal(response, &a); err != nil {
		return a, fmt.Errorf("read the answer to a join: %w", err)
	}
	a.Resumed = a.Changes != nil
	return a, nil
}

// Next reads the channel's next frame and decodes it.
func (c *Channel) Next() (Event, error) {
	frame, err := c.Read()
	if err != nil {
		return Event{}, err
	}
	m, err := phoenix.V2.Decode(frame, false)
	if err != nil {
		return Event{}, err
	}
	name, _ := m.EventString()
	e := Event{Name: name}
	if !bytes.Equal(m.Topic, c.topic) {
		return e, fmt.Errorf("a frame of the topic %s on a channel of %s", m.Topic, c.topic)
	}
	payload := bytes.Clone(m.Payload) // the frame is only lent
	if name == phoenix.EventReply {
		ref, _ := phoenix.StringValue(m.Ref)
		if e.Ref, err = strconv.ParseUint(ref, 10, 64); err != nil {
			return e, fmt.Errorf("a reply to the ref %s, which was not sent", m.Ref)
		}
		response, _ := phoenix.Field(payload, "response")
		if status, _ := phoenix.Field(payload, "status"); string(status) != `"ok"` {
			e.Failed = refused(response)
			return e, nil
		}
		payload = response
	}
	e.Payload = payload
	switch name {
	case phoenix.EventReply, "flow_update", "flow_catchup", "flow_sync", "client_joined", "client_left":
		if err := json.Unmarshal(payload, &e); err != nil {
			return e, fmt.Errorf("read a %s: %w", name, err)
		}
	}
	return e, nil
}
