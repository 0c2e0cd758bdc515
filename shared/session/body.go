package session

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// Body is the part of an update that the node makes: a run of changes. Changes without an id stand
// together in one part; each with an id has a part of its own, for the script decides about it.
type Body struct {
	bytes []byte
	open  int // length of the opening, before the parts
	parts []part
	count int
}

type part struct {
	end    int // in bytes
	count  int
	client string
	id     uint64
	// refused: it is not carried out, only noted as refused for good.
	refused bool
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
	b.open, b.parts, b.count = len(b.bytes), b.parts[:0], 0
}

// Trace says what the trace of the run goes on from, a W3C traceparent; empty: it is not followed. At most
// once after Start.
func (b *Body) Trace(parent string) {
	if parent == "" {
		return
	}
	b.bytes = slices.Insert(b.bytes, b.open-1, []byte(" "+parent)...)
	more := 1 + len(parent)
	b.open += more
	for i := range b.parts {
		b.parts[i].end += more
	}
}

// Add appends a change; member is the node's number for its client.
func (b *Body) Add(member uint64, c Change) {
	b.bytes = binary.AppendUvarint(b.bytes, member)
	b.bytes = binary.AppendUvarint(b.bytes, c.ID)
	b.bytes = binary.AppendUvarint(b.bytes, uint64(len(c.ClientID)))
	b.bytes = append(b.bytes, c.ClientID...)
	b.bytes = binary.AppendUvarint(b.bytes, uint64(len(c.Changes)))
	b.bytes = append(b.bytes, c.Changes...)
	b.count++
	if last := len(b.parts) - 1; last >= 0 && c.ID == 0 && b.parts[last].id == 0 {
		b.parts[last].count++
		b.parts[last].end = len(b.bytes)
		return
	}
	p := part{end: len(b.bytes), count: 1}
	if c.ID > 0 {
		p.id, p.client = c.ID, c.ClientID
	}
	b.parts = append(b.parts, p)
}

// Refuse adds a change, which has an id, that is not carried out: it is noted as refused for good, unless
// another copy of it was carried out before. A repeat of it is refused again.
func (b *Body) Refuse(c Change) {
	b.count++
	b.parts = append(b.parts, part{end: len(b.bytes), id: c.ID, client: c.ClientID, refused: true})
}

// Bytes is the run as it is published; it belongs to the Body.
func (b *Body) Bytes() []byte { return b.bytes }

// Len is the number of changes.
func (b *Body) Len() int { return b.count }

// Size is the number of bytes.
func (b *Body) Size() int { return len(b.bytes) }

// appendArgs appends the arguments of the change script from the opening on.
func (b *Body) appendArgs(args []any) []any {
	args = append(args, b.bytes[:b.open])
	from := b.open
	for i := range b.parts {
		p := &b.parts[i]
		args = append(args, p.count, p.client, p.id, refusedArg(p.refused), b.bytes[from:p.end])
		from = p.end
	}
	return args
}

func refusedArg(refused bool) string {
	if refused {
		return "1"
	}
	return ""
}

// firstOf gives the index of a part's first change.
func (b *Body) firstOf(index int) int {
	first := 0
	for i := range index {
		first += max(b.parts[i].count, 1)
	}
	return first
}
