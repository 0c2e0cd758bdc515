package fanout

import (
	"testing"
	"unsafe"

	"helix/shared/session"
)

// What there is one of for each client, or each flow, is kept within a size of the allocator's: a byte more costs up to
// a fifth more of it.
func TestSizes(t *testing.T) {
	for what, got := range map[string][2]uintptr{
		"member": {unsafe.Sizeof(member{}), 176},
		"Flow":   {unsafe.Sizeof(Flow{}), 1536},
	} {
		if got[0] > got[1] {
			t.Errorf("%s has %d bytes; the size that it was in is %d", what, got[0], got[1])
		}
	}
}

// A change of a client that is known already is noted in place.
func TestAuthors_NoteAllocatesNothing(t *testing.T) {
	var a authors
	u := &session.Update{First: 1, Changes: []session.Change{{ClientID: "a"}, {ClientID: "b"}}}
	if n := testing.AllocsPerRun(100, func() { a.note(u); u.First += 2 }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got := a.newest(); len(got) != 2 || got[0].clientID != "b" || got[0].seq != u.First-1 {
		t.Errorf("noted %v, the newest seq is %d", got, u.First-1)
	}
}
