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
//	u <epoch> <first seq> <ms> <node> <run>\n   then per change:
//	      uvarint member, uvarint length + client id, uvarint length + changes (JSON)
//	c <epoch> <session number> <version> <total> <joined 0|1><left 0|1>
//	x <epoch> <session number> <ms> deleted|idle
//	v                                                      the lease is free
//
// The scripts write the header up to <ms>; the rest of a "u" is a Body, made by the node.

// ErrMessage says that a published message is not of its form.
var ErrMessage = errors.New("malformed message")

// Message is one published message; exactly one of the fields is set.
type Message struct {
	Update *Update
	Count  *Count
	End    *End
	Vacant bool // the lease is free
}

// Update is a run of changes of one flow that came from one node.
type Update struct {
	Epoch   string
	First   uint64 // seq of the first change
	At      time.Time
	Node    string // the incarnation that sent it
	Run     uint64 // its number for the run
	Changes []Change
}

// Change is one change of a run.
type Change struct {
	Member   uint64 // the sending node's number for the client; 0 for none
	ClientID string
	Changes  string // JSON as its sender wrote it
}

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

// Body is the part of an update that the node makes: a run of changes.
type Body struct {
	bytes []byte
	count int
}

// MaxRun bounds the changes of one run, and MaxRunBytes their bytes (one change may be larger).
const (
	MaxRun      = 256
	MaxRunBytes = 1 << 20
)

// Start begins a run, reusing the memory of the one before.
func (b *Body) Start(node string, run uint64) {
	b.bytes = append(b.bytes[:0], node...)
	b.bytes = append(b.bytes, ' ')
	b.bytes = strconv.AppendUint(b.bytes, run, 10)
	b.bytes = append(b.bytes, '\n')
	b.count = 0
}

// Add appends a change.
func (b *Body) Add(member uint64, clientID string, changes []byte) {
	b.bytes = binary.AppendUvarint(b.bytes, member)
	b.bytes = binary.AppendUvarint(b.bytes, uint64(len(clientID)))
	b.bytes = append(b.bytes, clientID...)
	b.bytes = binary.AppendUvarint(b.bytes, uint64(len(changes)))
	b.bytes = append(b.bytes, changes...)
	b.count++
}

// Bytes is the run as it is published; it belongs to the Body.
func (b *Body) Bytes() []byte { return b.bytes }

// Len is the number of changes.
func (b *Body) Len() int { return b.count }

// Size is the number of bytes.
func (b *Body) Size() int { return len(b.bytes) }

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
	u := &Update{Epoch: p.word(), First: p.unsigned(), At: time.UnixMilli(p.number()), Node: p.word()}
	line, rest, ok := strings.Cut(p.rest, "\n")
	run, err := strconv.ParseUint(line, 10, 64)
	if !ok || err != nil {
		p.bad = true
		return nil
	}
	u.Run, p.rest = run, rest
	for p.rest != "" && !p.bad {
		if len(u.Changes) == 0 {
			u.Changes = make([]Change, 0, 1)
		}
		u.Changes = append(u.Changes, Change{Member: p.uvarint(), ClientID: p.block(), Changes: p.block()})
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
