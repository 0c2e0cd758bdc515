package document

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// parser reads JSON (RFC 8259). Texts of values are parts of its source where they have no spaces.
type parser struct {
	src   string
	at    int
	depth int // that may still be entered
}

func parseObject(src string, depth int) (*object, error) {
	p := &parser{src: src, depth: depth}
	p.space()
	if p.at < len(src) && src[p.at] != '{' {
		if err := p.skip(); err != nil {
			return nil, err
		}
		return nil, ErrNotObject
	}
	o, err := p.object()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at != len(src) {
		return nil, p.wrong()
	}
	return o, nil
}

func (p *parser) wrong() error { return fmt.Errorf("%w at byte %d", ErrSyntax, p.at) }

func (p *parser) space() {
	for p.at < len(p.src) {
		switch p.src[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// take takes one byte if it is the next.
func (p *parser) take(b byte) bool {
	if p.at < len(p.src) && p.src[p.at] == b {
		p.at++
		return true
	}
	return false
}

func (p *parser) enter() error {
	if p.depth == 0 {
		return fmt.Errorf("%w: at byte %d", ErrTooDeep, p.at)
	}
	p.depth--
	return nil
}

func (p *parser) object() (*object, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	o := newObject()
	err := p.members(func(quoted string) error {
		v, err := p.value()
		if err == nil {
			o.set(unquote(quoted), quoted, v)
		}
		return err
	})
	p.depth++
	return o, err
}

// members reads an object's braces, names, colons and commas; each reads the value behind a name.
func (p *parser) members(each func(quoted string) error) error {
	if !p.take('{') {
		return p.wrong()
	}
	if p.space(); p.take('}') {
		return nil
	}
	for {
		p.space()
		from := p.at
		if err := p.text(); err != nil {
			return err
		}
		quoted := p.src[from:p.at]
		if p.space(); !p.take(':') {
			return p.wrong()
		}
		if err := each(quoted); err != nil {
			return err
		}
		if p.space(); p.take('}') {
			return nil
		}
		if !p.take(',') {
			return p.wrong()
		}
	}
}

func (p *parser) value() (value, error) {
	if p.space(); p.at < len(p.src) && p.src[p.at] == '{' {
		o, err := p.object()
		return value{object: o}, err
	}
	from := p.at
	if err := p.skip(); err != nil {
		return value{}, err
	}
	return value{text: compact(p.src[from:p.at])}, nil
}

// skip reads a value and keeps nothing of it.
func (p *parser) skip() error {
	p.space()
	if p.at == len(p.src) {
		return p.wrong()
	}
	switch c := p.src[p.at]; {
	case c == '{':
		if err := p.enter(); err != nil {
			return err
		}
		err := p.members(func(string) error { return p.skip() })
		p.depth++
		return err
	case c == '[':
		return p.array()
	case c == '"':
		return p.text()
	case c == '-' || (c >= '0' && c <= '9'):
		return p.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.src[p.at:], word) {
			p.at += len(word)
			return nil
		}
	}
	return p.wrong()
}

func (p *parser) array() error {
	if err := p.enter(); err != nil {
		return err
	}
	defer func() { p.depth++ }()
	p.at++
	if p.space(); p.take(']') {
		return nil
	}
	for {
		if err := p.skip(); err != nil {
			return err
		}
		if p.space(); p.take(']') {
			return nil
		}
		if !p.take(',') {
			return p.wrong()
		}
	}
}

// text reads a string.
func (p *parser) text() error {
	if !p.take('"') {
		return p.wrong()
	}
	for p.at < len(p.src) {
		switch c := p.src[p.at]; {
		case c == '"':
			p.at++
			return nil
		case c < ' ':
			return p.wrong()
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		default:
			p.at++
		}
	}
	return p.wrong()
}

func (p *parser) escape() error {
	p.at++
	if p.at == len(p.src) {
		return p.wrong()
	}
	switch p.src[p.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.at++
		return nil
	case 'u':
		p.at++
		for range 4 {
			if p.at == len(p.src) || !isHex(p.src[p.at]) {
				return p.wrong()
			}
			p.at++
		}
		return nil
	}
	return p.wrong()
}

func isHex(c byte) bool {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
}

func (p *parser) number() error {
	p.take('-')
	if !p.take('0') && !p.digits() {
		return p.wrong()
	}
	if p.take('.') && !p.digits() {
		return p.wrong()
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return p.wrong()
		}
	}
	return nil
}

// digits takes one digit or more.
func (p *parser) digits() bool {
	from := p.at
	for p.at < len(p.src) && p.src[p.at] >= '0' && p.src[p.at] <= '9' {
		p.at++
	}
	return p.at > from
}

// unquote gives what a JSON string means, as encoding/json sees it: what is no character becomes U+FFFD.
func unquote(quoted string) string {
	s := quoted[1 : len(quoted)-1]
	if strings.IndexByte(s, '\\') < 0 && utf8.ValidString(s) {
		return s
	}
	var decoded string
	_ = json.Unmarshal([]byte(quoted), &decoded) // it was read as a string before
	return decoded
}

// compact takes the spaces out of valid JSON.
func compact(s string) string {
	if s[0] != '[' { // only arrays may have some
		return s
	}
	spaces, inText := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case !inText && isSpace(c):
			spaces++
		}
	}
	if spaces == 0 {
		return s
	}
	b := make([]byte, 0, len(s)-spaces)
	inText = false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case inText && c == '\\':
			b = append(b, c)
			i++
			c = s[i]
		case c == '"':
			inText = !inText
		case !inText && isSpace(c):
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// elements counts the elements of an array.
func elements(s string) (n int) {
	p := &parser{src: s, at: 1, depth: MaxDepth}
	for !p.take(']') {
		p.take(',')
		if p.skip() != nil {
			return n
		}
		n++
	}
	return n
}
