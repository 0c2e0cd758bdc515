package proxy

import "bytes"

// sniffer finds the first subscription in the commands that a client sends to Redis. A command's name
// stands alone on its line in Redis's protocol. A change whose text holds such a line would be taken for
// one too: JSON strings hold none.
type sniffer struct{ tail []byte }

// The lines that make a connection a subscriber's, in lower case.
var subscriptions = [][]byte{[]byte("\nsubscribe\r"), []byte("\nssubscribe\r"), []byte("\npsubscribe\r")}

const longestLine = len("\nssubscribe\r")

// subscribes takes the next bytes of the stream.
func (s *sniffer) subscribes(chunk []byte) bool {
	text := bytes.ToLower(append(s.tail, chunk...))
	for _, line := range subscriptions {
		if bytes.Contains(text, line) {
			return true
		}
	}
	s.tail = append(s.tail[:0:0], text[max(len(text)-longestLine+1, 0):]...)
	return false
}
