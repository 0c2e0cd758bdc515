package socket

// queue is what waits to be written to one client. The first frame has a place of its own: most
// deliveries find the queue empty, and so need no memory beside the frame that all clients share.
type queue struct {
	first []byte
	more  [][]byte
	bytes int
}

func (q *queue) push(frames []byte) {
	q.bytes += len(frames)
	if q.first == nil {
		q.first = frames
		return
	}
	q.more = append(q.more, frames)
}

func (q *queue) empty() bool { return q.first == nil }

// take empties the queue into dst.
func (q *queue) take(dst [][]byte) [][]byte {
	if q.first == nil {
		return dst
	}
	dst = append(append(dst, q.first), q.more...)
	q.first, q.bytes = nil, 0
	if cap(q.more) > 64 {
		q.more = nil // a burst is over: the client does not keep its memory
	} else {
		clear(q.more)
		q.more = q.more[:0]
	}
	return dst
}

func (q *queue) drop() { *q = queue{} }
