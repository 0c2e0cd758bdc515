package phoenix

// MaxDepth bounds how deep the JSON of a frame may nest, the frame itself being level 1. A frame that
// nests deeper does not decode: what nests deeper is an attack on those who read it recursively.
const MaxDepth = 1024

// The functions of this file check JSON by RFC 8259. Each takes where something begins and gives where it
// ends, or -1 where it is none. That the bytes are UTF-8 is checked elsewhere, for the whole frame at once.

// scanValue checks the value that begins at i, in depth containers.
func scanValue(b []byte, i, depth int) int {
	if i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return scanString(b, i)
	case c == '{' || c == '[':
		return scanContainer(b, i, depth)
	case c == '-' || isDigit(c):
		return scanNumber(b, i)
	default:
		return scanWord(b, i)
	}
}

// scanContainer checks the array or object that begins at i, in depth others. What it is inside of it
// keeps as bits, not as calls: depth costs no stack.
func scanContainer(b []byte, i, depth int) int {
	var objects [MaxDepth/64 + 1]uint64 // bit d: the container at level d is an object
	outside := depth
	for {
		// i is where a value begins.
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			i = scanString(b, i)
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return -1
			}
			i = skipSpace(b, i+1)
			if i == len(b) {
				return -1
			}
			if b[i] == c+2 { // both closing brackets are two places behind the opening ones
				i++
				depth--
				break
			}
			if c == '[' {
				objects[depth/64] &^= 1 << (depth % 64)
				continue
			}
			objects[depth/64] |= 1 << (depth % 64)
			if i = scanKey(b, i); i < 0 {
				return -1
			}
			continue
		case c == '-' || isDigit(c):
			i = scanNumber(b, i)
		default:
			i = scanWord(b, i)
		}
		if i < 0 {
			return -1
		}
		// i is behind a value: what it is in goes on or ends.
		for {
			if depth == outside {
				return i
			}
			i = skipSpace(b, i)
			if i == len(b) {
				return -1
			}
			object := objects[depth/64]&(1<<(depth%64)) != 0
			if b[i] == ',' {
				i = skipSpace(b, i+1)
				if object {
					if i = scanKey(b, i); i < 0 {
						return -1
					}
				}
				break
			}
			if object && b[i] != '}' || !object && b[i] != ']' {
				return -1
			}
			i++
			depth--
		}
	}
}

// scanKey checks a key and its colon, and gives where the member's value begins.
func scanKey(b []byte, i int) int {
	if i = scanString(b, i); i < 0 {
		return -1
	}
	return scanColon(b, i)
}

// scanColon checks the colon behind a key and gives where the member's value begins.
func scanColon(b []byte, i int) int {
	i = skipSpace(b, i)
	if i == len(b) || b[i] != ':' {
		return -1
	}
	return skipSpace(b, i+1)
}

// ordinary says of a byte that it stands for itself in a string: neither a quote, a backslash nor a
// control character.
var ordinary = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func scanString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		c := b[i]
		if ordinary[c] {
			continue
		}
		if c == '"' {
			return i + 1
		}
		if c != '\\' {
			return -1
		}
		n := escapeLength(b[i:])
		if n == 0 {
			return -1
		}
		i += n - 1
	}
	return -1
}

// escapeLength is the length of the escape that b begins with, 0 where it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' { // a further digit behind it is left over, and refused as such
		i++
	} else if i = scanDigits(b, i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i
}

// scanDigits passes over at least one digit.
func scanDigits(b []byte, i int) int {
	start := i
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func scanWord(b []byte, i int) int {
	rest := b[i:]
	switch {
	case len(rest) >= 4 && (string(rest[:4]) == "null" || string(rest[:4]) == "true"):
		return i + 4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		return i + 5
	}
	return -1
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isHex(c byte) bool { return isDigit(c) || (c|0x20)-'a' <= 'f'-'a' }
