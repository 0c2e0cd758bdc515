package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What is published on a flow's channel. The first byte says what it is, so that edges of two
// versions can share a Redis: a kind that an edge does not know it ignores.
//
//	u <epoch> <first seq> <ms> <bytes> <ms of the run before> <node> <run>[ <traceparent>]\n   then per change:
//	      uvarint member, uvarint change id, uvarint length + client id, uvarint length + changes (JSON)
//	c <epoch> <session number> <version> <total> <joined 0|1><left 0|1>
//	x <epoch> <session number> <ms> deleted|idle
//	p <version before> <version> <node>\n   then per client:
//	      uvarint member, uvarint length + client id, uvarint length + what it tells (JSON; empty: it is gone)
//	g <version before> <version> <node> <node> …           nodes died: their clients are gone from the presence
//	s <node>\n   then per signal:
//	      uvarint member, uvarint length + client id, uvarint length + type, uvarint length + data (JSON)
//	r <epoch>                                              a document was put back under a new epoch
//	v                                                      the lease is free
//
// The scripts write the header up to <ms of the run before>; the rest of a "u" is a Body, made by the node. The log
// holds the same bytes.

// ErrMessage says that a published message is not of its form.
var ErrMessage = errors.New("malformed message")

// Message is one published message; exactly one of the fields is set.
type Message struct {
	Update   *Update
	Count    *Count
	End      *End
	Presence *Presence
	Signals  *Signals
	Restored string // the new epoch under which a document was put back
	Vacant   bool   // the lease is free
}

// Update is a run of changes of one flow that came from one node.
type Update struct {
	Epoch   string
	First   uint64 // seq of the first change
	At      time.Time
	Bytes   uint64    // of all changes of the epoch up to the last of these
	Before  time.Time // of the run before; zero: there was none in the epoch
	Node    string    // the incarnation that sent it
	Run     uint64    // its number for the run
	Trace   string    // what the trace of the run goes on from, where it is followed: a W3C traceparent
	Changes []Change
}

// Change is one change of a run.
type Change struct {
	Member   uint64 // the sending node's number for the client; 0 for none
	ID       uint64 // the change id that its client gave it; 0 for none
	ClientID string
	Changes  string // JSON as its sender wrote it
}

// Last is the seq of the run's last change.
func (u *Update) Last() uint64 { return u.First + uint64(len(u.Changes)) - 1 }

// Count is the number of clients of a session, told because it changed.
type Count struct {
	Epoch   string
	Number  int64
	Version int64
	Total   int
	Joined  bool
	Left    bool
}

// End says that a session was ended on purpose.
type End struct {
	Epoch  string
	Number int64
	At     time.Time
	Idle   bool // by its inactivity timeout; else somebody deleted it
}

// ParseMessage reads a published message. Strings of the result share payload's memory. A kind that
// this version does not know gives an empty Message; ErrMessage is for known kinds that are broken.
func ParseMessage(payload string) (Message, error) {
	if payload == "v" {
		return Message{Vacant: true}, nil
	}
	if len(payload) < 2 || payload[1] != ' ' {
		return Message{}, nil
	}
	p := parser{rest: payload[2:]}
	var m Message
	switch payload[0] {
	case 'u':
		m.Update = p.update()
	case 'c':
		m.Count = p.counted()
	case 'x':
		m.End = p.end()
	case 'p':
		m.Presence = p.presence()
	case 'g':
		m.Presence = p.gone()
	case 's':
		m.Signals = p.signals()
	case 'r':
		m.Restored, p.bad = p.rest, p.rest == ""
	default:
		return Message{}, nil
	}
	if p.bad {
		return Message{}, fmt.Errorf("read a %q message of %d bytes: %w", payload[:1], len(payload), ErrMessage)
	}
	return m, nil
}

type parser struct {
	rest string
	bad  bool
}

func (p *parser) update() *Update {
	u := &Update{Epoch: p.word(), First: p.unsigned(), At: time.UnixMilli(p.number()), Bytes: p.unsigned(), Before: timeOf(p.number()), Node: p.word()}
	line, rest, ok := strings.Cut(p.rest, "\n")
	number, parent, _ := strings.Cut(line, " ")
	run, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		p.bad = true
		return nil
	}
	u.Run, u.Trace, p.rest = run, parent, rest
	for p.rest != "" && !p.bad {
		if len(u.Changes) == 0 {
			u.Changes = make([]Change, 0, 1)
		}
		u.Changes = append(u.Changes, Change{Member: p.uvarint(), ID: p.uvarint(), ClientID: p.block(), Changes: p.block()})
	}
	if len(u.Changes) == 0 {
		p.bad = true
	}
	return u
}

func (p *parser) counted() *Count {
	c := &Count{Epoch: p.word(), Number: p.number(), Version: p.number(), Total: int(p.number())}
	if len(p.rest) != 2 {
		p.bad = true
		return nil
	}
	c.Joined, c.Left = p.rest[0] == '1', p.rest[1] == '1'
	return c
}

func (p *parser) end() *End {
	e := &End{Epoch: p.word(), Number: p.number(), At: time.UnixMilli(p.number())}
	switch p.rest {
	case "idle":
		e.Idle = true
	case "deleted":
	default:
		p.bad = true
	}
	return e
}

// word takes up to the next space.
func (p *parser) word() string {
	w, rest, ok := strings.Cut(p.rest, " ")
	if !ok || w == "" {
		p.bad = true
	}
	p.rest = rest
	return w
}

func (p *parser) number() int64 {
	n, err := strconv.ParseInt(p.word(), 10, 64)
	if err != nil || n < 0 {
		p.bad = true
	}
	return n
}

func (p *parser) unsigned() uint64 {
	n, err := strconv.ParseUint(p.word(), 10, 64)
	if err != nil {
		p.bad = true
	}
	return n
}

func (p *parser) uvarint() uint64 {
	var n uint64
	for i := 0; i < len(p.rest) && i < binary.MaxVarintLen64; i++ {
		b := p.rest[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			p.rest = p.rest[i+1:]
			return n
		}
	}
	p.bad = true
	return 0
}

func (p *parser) block() string {
	n := p.uvarint()
	if p.bad || n > uint64(len(p.rest)) {
		p.bad = true
		return ""
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}
