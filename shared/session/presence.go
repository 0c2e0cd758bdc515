package session

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"helix/shared/lanes"
)

// Shown is what one client tells of itself.
type Shown struct {
	Node     string // the incarnation that it is on
	Member   uint64 // the node's number for it
	ClientID string
	Version  uint64 // of the presence, when it told this
	Meta     string // a JSON object; empty: the client is gone
}

// Presence is a step of a session's presence: what changed between two versions. Who holds another
// version than Before has missed something, and reads it all.
type Presence struct {
	Before, Version uint64
	Shown           []Shown
	Gone            []string // nodes that died, with all their clients
}

// Present tells what clients of this node tell of themselves, and who is gone. known is false where this
// node has no clients in a session: nothing was done. done must not block.
func (f *Flow) Present(clients []Shown, done func(before, version uint64, known bool, err error)) {
	s := f.store
	var told []byte
	args := make([]any, 0, 4+2*len(clients))
	args = append(args, s.argNode, (2 * s.opts.NodeTTL()).Milliseconds(), s.argPublish, nil)
	for i := range clients {
		c := &clients[i]
		told = binary.AppendUvarint(told, c.Member)
		told = appendBlock(appendBlock(told, c.ClientID), c.Meta)
		args = append(args, strconv.FormatUint(c.Member, 10)+" "+c.ClientID, c.Meta)
	}
	args[3] = told
	s.lanes.Start(presenceScript, []string{f.keys.Session, f.keys.Presence, f.keys.Channel}, args, func(reply any, err error) {
		if lanes.IsNil(err) {
			done(0, 0, false, nil)
			return
		}
		r := reader{values: asList(reply)}
		if err == nil {
			before, version := uint64(r.integer()), uint64(r.integer())
			done(before, version, true, r.failed("presence"))
			return
		}
		done(0, 0, false, err)
	})
}

// Presences reads what all clients tell of themselves. done must not block.
func (f *Flow) Presences(done func(all []Shown, version uint64, err error)) {
	f.store.lanes.Start(presencesScript, []string{f.keys.Session, f.keys.Presence}, nil, func(reply any, err error) {
		if err != nil {
			done(nil, 0, err)
			return
		}
		done(parsePresences(reply))
	})
}

func parsePresences(reply any) (all []Shown, version uint64, err error) {
	r := reader{values: asList(reply)}
	version = uint64(r.integer())
	all, err = r.shown("presences")
	return all, version, err
}

// shown reads what clients tell, to the end of a reply.
func (r *reader) shown(script string) (all []Shown, err error) {
	for len(r.values) > 0 && !r.bad {
		node, rest, _ := strings.Cut(r.text(), " ")
		member, client, ok := strings.Cut(rest, " ")
		number, badNumber := strconv.ParseUint(member, 10, 64)
		told, meta, _ := strings.Cut(r.text(), " ")
		at, badVersion := strconv.ParseUint(told, 10, 64)
		if !ok || badNumber != nil || badVersion != nil {
			return nil, fmt.Errorf("read the presence: %w", ErrMessage)
		}
		all = append(all, Shown{Node: node, Member: number, ClientID: client, Version: at, Meta: meta})
	}
	return all, r.failed(script)
}

// Signal is a message of one client to the others, which nobody keeps.
type Signal struct {
	Member   uint64 // the sending node's number for the client
	ClientID string
	Type     string
	Data     string // JSON
}

// Signals are signals of one node's clients.
type Signals struct {
	Node    string
	Signals []Signal
}

// Signal passes signals of this node's clients on to all nodes. done must not block.
func (f *Flow) Signal(signals []Signal, done func(error)) {
	s := f.store
	body := append([]byte(s.node), '\n')
	for i := range signals {
		g := &signals[i]
		body = binary.AppendUvarint(body, g.Member)
		body = appendBlock(appendBlock(appendBlock(body, g.ClientID), g.Type), g.Data)
	}
	s.lanes.Start(signalScript, []string{f.keys.Channel}, []any{s.argPublish, body}, func(_ any, err error) { done(err) })
}

func appendBlock(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func (p *parser) presence() *Presence {
	step := &Presence{Before: p.unsigned(), Version: p.unsigned()}
	node, rest, ok := strings.Cut(p.rest, "\n")
	if p.rest = rest; !ok || node == "" {
		p.bad = true
	}
	for p.rest != "" && !p.bad {
		step.Shown = append(step.Shown, Shown{Node: node, Version: step.Version, Member: p.uvarint(), ClientID: p.block(), Meta: p.block()})
	}
	return step
}

func (p *parser) gone() *Presence {
	step := &Presence{Before: p.unsigned(), Version: p.unsigned()}
	if step.Gone = strings.Fields(p.rest); len(step.Gone) == 0 {
		p.bad = true
	}
	return step
}

func (p *parser) signals() *Signals {
	s := &Signals{}
	var ok bool
	if s.Node, p.rest, ok = strings.Cut(p.rest, "\n"); !ok || s.Node == "" {
		p.bad = true
	}
	for p.rest != "" && !p.bad {
		s.Signals = append(s.Signals, Signal{Member: p.uvarint(), ClientID: p.block(), Type: p.block(), Data: p.block()})
	}
	return s
}
