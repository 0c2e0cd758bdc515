package socket

import "encoding/binary"

// WebSocket opcodes (RFC 6455, section 5.2) that the server writes.
const (
	opText  = 1
	opClose = 8
	opPong  = 10
)

// AppendText appends a text frame whose payload is what write appends. The bytes are ready for any
// number of connections: a server's frames are not masked.
func AppendText(dst []byte, write func(dst []byte) []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, 4)...) // the common header: payloads of 126 to 65,535 bytes
	dst = write(dst)
	return finishText(dst, start)
}

// finishText puts the header of a text frame before a payload that begins 4 bytes after start.
func finishText(dst []byte, start int) []byte {
	n := len(dst) - start - 4
	switch {
	case n < 126:
		copy(dst[start+2:], dst[start+4:])
		dst = dst[:len(dst)-2]
		dst[start], dst[start+1] = 0x80|opText, byte(n)
	case n <= 0xffff:
		dst[start], dst[start+1] = 0x80|opText, 126
		binary.BigEndian.PutUint16(dst[start+2:], uint16(n))
	default:
		dst = append(dst, make([]byte, 6)...)
		copy(dst[start+10:], dst[start+4:start+4+n])
		dst[start], dst[start+1] = 0x80|opText, 127
		binary.BigEndian.PutUint64(dst[start+2:], uint64(n))
	}
	return dst
}

// control makes a control frame; its payload has at most 125 bytes.
func control(opcode byte, payload []byte) []byte {
	frame := make([]byte, 0, 2+len(payload))
	frame = append(frame, 0x80|opcode, byte(len(payload)))
	return append(frame, payload...)
}

// closeFrame makes a close frame; a reason that is too long is cut.
func closeFrame(code CloseCode, reason string) []byte {
	payload := binary.BigEndian.AppendUint16(nil, uint16(code))
	payload = append(payload, reason[:min(len(reason), 123)]...)
	return control(opClose, payload)
}
