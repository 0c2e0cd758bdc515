package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// decoder takes WebSocket frames off a client's bytes (RFC 6455, section 5) and puts fragmented
// messages together. It keeps nothing between whole messages. It is ours and not gorilla's because a
// reader there costs each idle client a buffer and a connection's state, here none.
type decoder struct {
	limit    int    // bytes of one message
	fragment []byte // of a message whose end is yet to come
	opcode   byte   // of that message; 0: there is none
}

// What is wrong with a client's frames.
var (
	errTooLarge = errors.New("the message is too large")
	errProtocol = errors.New("not as RFC 6455 says")
)

const (
	opContinuation = 0
	opBinary       = 2
	opPing         = 9

	maxControl      = 125
	maxClientHeader = 14 // two bytes, eight of length, four of mask
)

// frame is what next found.
type frame struct {
	used    int    // bytes of the input that it took; 0: the frame is not whole yet
	need    int    // where it is not whole: bytes that it has in all, as far as is known
	opcode  byte   // of a whole message, or of a control frame; opContinuation: nothing to act on yet
	payload []byte // unmasked in place: part of the input, or the fragments put together
}

// next takes the first frame of b. Its error is errTooLarge or wraps errProtocol.
func (d *decoder) next(b []byte) (frame, error) {
	if len(b) < 2 {
		return frame{need: 2}, nil
	}
	final, opcode, length, size := b[0]&0x80 != 0, b[0]&0x0f, uint64(b[1]&0x7f), 2+4
	switch {
	case b[0]&0x70 != 0:
		return frame{}, fmt.Errorf("%w: a reserved bit is set and no extension was agreed on", errProtocol)
	case b[1]&0x80 == 0:
		return frame{}, fmt.Errorf("%w: a client's frame must be masked", errProtocol)
	case length == 126:
		size += 2
	case length == 127:
		size += 8
	}
	if len(b) < size {
		return frame{need: size}, nil
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		length = binary.BigEndian.Uint64(b[2:])
	}
	if err := d.check(final, opcode, length); err != nil {
		return frame{}, err
	}
	whole := size + int(length)
	if len(b) < whole {
		return frame{need: whole}, nil
	}
	payload := b[size:whole:whole]
	unmask(payload, [4]byte(b[size-4:size]))
	f := frame{used: whole, opcode: opcode, payload: payload}
	switch {
	case opcode >= opClose:
	case final && d.opcode == 0:
	case final:
		d.fragment = append(d.fragment, payload...)
		f.opcode, f.payload = d.opcode, d.fragment
		d.opcode, d.fragment = 0, nil
	default:
		if opcode != opContinuation {
			d.opcode = opcode
		}
		d.fragment = append(d.fragment, payload...)
		f.opcode, f.payload = opContinuation, nil
	}
	return f, nil
}

// check says whether a frame may come now, before any of its payload is kept.
func (d *decoder) check(final bool, opcode byte, length uint64) error {
	switch opcode {
	case opClose, opPing, opPong:
		if !final || length > maxControl {
			return fmt.Errorf("%w: a control frame is one short frame", errProtocol)
		}
		return nil
	case opContinuation:
		if d.opcode == 0 {
			return fmt.Errorf("%w: a continuation of nothing", errProtocol)
		}
	case opText, opBinary:
		if d.opcode != 0 {
			return fmt.Errorf("%w: a message within a message", errProtocol)
		}
	default:
		return fmt.Errorf("%w: opcode %d", errProtocol, opcode)
	}
	if length > uint64(d.limit-len(d.fragment)) {
		return errTooLarge
	}
	return nil
}

// unmask takes a frame's mask off (section 5.3), eight bytes at a time.
func unmask(b []byte, mask [4]byte) {
	word := uint64(binary.LittleEndian.Uint32(mask[:]))
	word |= word << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= mask[i%4]
	}
}
