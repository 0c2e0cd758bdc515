package phoenix

import (
	"encoding/json"
	"unicode/utf8"
)

// MaxDepth bounds how deep the JSON of a frame may nest. A frame that nests deeper does not decode.
const MaxDepth = 1024

// class says what a byte is inside a string: ordinary, or one that ends the fast path.
var ordinary = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scan checks the JSON value that begins at i, depth levels inside others, and gives where it ends,
// or -1. It keeps what it is inside of as bits, not as calls: depth costs no stack.
func scan(b []byte, i, depth int) int {
	var objects [MaxDepth/64 + 1]uint64 // bit d: the container at depth d is an object
	base := depth
	for {
		// A value.
		i = skipSpace(b, i)
		if i == len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return -1
			}
			object := c == '{'
			if object {
				objects[depth/64] |= 1 << (depth % 64)
			} else {
				objects[depth/64] &^= 1 << (depth % 64)
			}
			i = skipSpace(b, i+1)
			if i == len(b) {
				return -1
			}
			if b[i] == closing(object) {
				i++
				depth--
				break
			}
			if object {
				if i = scanKey(b, i); i < 0 {
					return -1
				}
			}
			continue
		case c == '"':
			i = scanString(b, i)
		case c == '-' || (c >= '0' && c <= '9'):
			i = scanNumber(b, i)
		default:
			i = scanWord(b, i)
		}
		if i < 0 {
			return -1
		}
		// Behind a value: the end of what it is in, or the next one.
		for {
			if depth == base {
				return i
			}
			object := objects[depth/64]&(1<<(depth%64)) != 0
			i = skipSpace(b, i)
			if i == len(b) {
				return -1
			}
			if b[i] == ',' {
				i = skipSpace(b, i+1)
				if object {
					if i = scanKey(b, i); i < 0 {
						return -1
					}
				}
				break
			}
			if b[i] != closing(object) {
				return -1
			}
			i++
			depth--
		}
	}
}

func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

// scanKey checks a key and its colon.
func scanKey(b []byte, i int) int {
	if i == len(b) || b[i] != '"' {
		return -1
	}
	if i = scanString(b, i); i < 0 {
		return -1
	}
	i = skipSpace(b, i)
	if i == len(b) || b[i] != ':' {
		return -1
	}
	return i + 1
}

// scanString checks a string whose first quote is at i.
func scanString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		c := b[i]
		if ordinary[c] {
			continue
		}
		switch {
		case c == '"':
			return i + 1
		case c != '\\' || i+1 == len(b):
			return -1
		}
		i++
		switch b[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if i+4 >= len(b) {
				return -1
			}
			for range 4 {
				if i++; !isHex(b[i]) {
					return -1
				}
			}
		default:
			return -1
		}
	}
	return -1
}

func isHex(c byte) bool {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
}

func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	switch {
	case i == len(b):
		return -1
	case b[i] == '0':
		i++
	case b[i] >= '1' && b[i] <= '9':
		i = digits(b, i)
	default:
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = atLeastOneDigit(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return atLeastOneDigit(b, i)
	}
	return i
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

func atLeastOneDigit(b []byte, i int) int {
	end := digits(b, i)
	if end == i {
		return -1
	}
	return end
}

func scanWord(b []byte, i int) int {
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return -1
}

// members gives the members of the object that begins at i to each, until that returns false, and
// where the object ends; -1 where it is none.
func members(b []byte, i int, each func(key, value []byte) (more bool)) int {
	if i == len(b) || b[i] != '{' {
		return -1
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		start := i
		after := scanKey(b, i)
		if after < 0 {
			return -1
		}
		key := b[start:scanString(b, start)]
		i = skipSpace(b, after)
		end := scan(b, i, 1)
		if end < 0 {
			return -1
		}
		if !each(key, b[i:end]) {
			return end
		}
		i = skipSpace(b, end)
		switch {
		case i == len(b):
			return -1
		case b[i] == '}':
			return i + 1
		case b[i] != ',':
			return -1
		}
		i = skipSpace(b, i+1)
	}
}

// Field gives the value of a member of an object, the first where the key is doubled. object must be
// valid JSON, as a Message's payload is; ok is false where it is no object or has no such member.
func Field(object []byte, key string) (value []byte, ok bool) {
	members(object, skipSpace(object, 0), func(k, v []byte) bool {
		if stringIs(k, key) {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

// StringValue gives the text of a JSON string; ok is false for other values.
func StringValue(value []byte) (text string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	inner := value[1 : len(value)-1]
	for _, c := range inner {
		if c == '\\' {
			err := json.Unmarshal(value, &text)
			return text, err == nil
		}
	}
	return string(inner), true
}

// stringIs says whether a JSON value is a string of this text, without allocating unless it has escapes.
func stringIs(value []byte, text string) bool {
	if len(value) == len(text)+2 && value[0] == '"' && string(value[1:len(value)-1]) == text {
		return true
	}
	if len(value) < len(text)+2 || value[0] != '"' {
		return false
	}
	got, ok := StringValue(value)
	return ok && got == text
}

const hex = "0123456789abcdef"

// AppendQuote appends s as a JSON string. It escapes what JSON demands; bytes that are no UTF-8
// become U+FFFD.
func AppendQuote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if ordinary[c] {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(append(dst, s[start:i]...), `�`...)
			start = i + 1
		}
		i += n
	}
	return append(append(dst, s[start:]...), '"')
}
