package socket

import (
	"io"
	"strconv"
	"sync"
)

// buffers hold a message while it is handled; an idle socket has none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// maxPooled is the largest buffer that is kept for the next message.
const maxPooled = 64 << 10

// readAll reads a message to its end, into buf as far as it goes.
func readAll(r io.Reader, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// codeLabel bounds the values of the metric's label: clients choose codes too.
func codeLabel(code CloseCode) string {
	if (code >= 1000 && code <= 1015) || code == 0 {
		return strconv.Itoa(int(code))
	}
	return "other"
}
