package flows

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxIDBytes bounds a flow id after trimming, in bytes of UTF-8.
const MaxIDBytes = 255

// ID names a flow. Only ParseID makes one, so an ID in hand is a valid one: trimmed, 1 to MaxIDBytes
// bytes of UTF-8, without control characters. Angle brackets, dots, '#', inner spaces and letters of
// any script are allowed.
type ID string

// ParseID trims raw of white space as Unicode defines it and checks what is left. It is the one
// place where a flow id is normalized; two spellings that ParseID maps to one ID are one flow.
// It returns ErrInvalidFlowID for everything else.
func ParseID(raw string) (ID, error) {
	id := strings.TrimSpace(raw)
	if id == "" || len(id) > MaxIDBytes || !utf8.ValidString(id) || strings.IndexFunc(id, unicode.IsControl) >= 0 {
		return "", ErrInvalidFlowID
	}
	return ID(id), nil
}

func (id ID) String() string { return string(id) }
