package phoenix

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// StringValue gives the text of a JSON string; ok is false for whatever else, other values as well as
// what is no JSON. Half a surrogate pair becomes U+FFFD.
func StringValue(value []byte) (text string, ok bool) {
	if scanString(value, 0) != len(value) || !utf8.Valid(value) {
		return "", false
	}
	rest := value[1 : len(value)-1]
	next := bytes.IndexByte(rest, '\\')
	if next < 0 {
		return string(rest), true
	}
	var b strings.Builder
	b.Grow(len(rest)) // an escape is never shorter than what it stands for
	for ; next >= 0; next = bytes.IndexByte(rest, '\\') {
		b.Write(rest[:next])
		r, n := unescape(rest[next:])
		b.WriteRune(r)
		rest = rest[next+n:]
	}
	b.Write(rest)
	return b.String(), true
}

// textIs says whether a valid JSON value is a string of this text. It allocates nothing, whatever the
// client has written.
func textIs(value []byte, text string) bool {
	const longest = len(`\u0000`) // what one byte of text takes at most
	if len(value) < len(text)+2 || len(value) > longest*len(text)+2 || value[0] != '"' {
		return false
	}
	rest := value[1 : len(value)-1]
	for {
		next := bytes.IndexByte(rest, '\\')
		if next < 0 {
			return string(rest) == text
		}
		if next > len(text) || string(rest[:next]) != text[:next] {
			return false
		}
		r, n := unescape(rest[next:])
		var char [utf8.UTFMax]byte
		size := utf8.EncodeRune(char[:], r)
		text = text[next:]
		if size > len(text) || string(char[:size]) != text[:size] {
			return false
		}
		rest, text = rest[next+n:], text[size:]
	}
}

// unescape gives the character that the valid escape at the start of b stands for, and the escape's
// length: two escapes where they are one surrogate pair.
func unescape(b []byte) (r rune, length int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(b[1]), 2
	}
	r = hex4(b[2:6])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(b[8:12])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (r rune) {
	for _, c := range b {
		if isDigit(c) {
			c -= '0'
		} else {
			c = (c | 0x20) - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// Quote gives s as a JSON string; see AppendQuote.
func Quote(s string) []byte { return AppendQuote(make([]byte, 0, len(s)+2), s) }

// AppendQuote appends s as a JSON string. It escapes what JSON demands and no more; bytes that are no
// UTF-8 become U+FFFD, one for each run of them.
func AppendQuote(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	return appendQuoted(dst, s)
}

// appendQuoted appends a text that is UTF-8 as a JSON string.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if ordinary[c] {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
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
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
