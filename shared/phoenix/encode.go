package phoenix

// AppendMessage appends a frame to dst. joinRef, ref, topic and payload are JSON; event is a name that
// needs no escaping. Serializer 1.0.0 sends no join_ref.
func (v Version) AppendMessage(dst, joinRef, ref, topic []byte, event string, payload []byte) []byte {
	dst = v.appendHead(dst, joinRef, ref, topic, event)
	dst = append(dst, payload...)
	return v.appendTail(dst, ref, topic)
}

// AppendReply appends the reply to the message of a ref.
func (v Version) AppendReply(dst, joinRef, ref, topic []byte, ok bool, response []byte) []byte {
	dst = v.appendHead(dst, joinRef, ref, topic, EventReply)
	dst = append(dst, `{"response":`...)
	dst = append(dst, response...)
	if ok {
		dst = append(dst, `,"status":"ok"}`...)
	} else {
		dst = append(dst, `,"status":"error"}`...)
	}
	return v.appendTail(dst, ref, topic)
}

// appendHead appends what stands before the payload.
func (v Version) appendHead(dst, joinRef, ref, topic []byte, event string) []byte {
	if v == V1 {
		dst = append(append(dst, `{"event":"`...), event...)
		return append(dst, `","payload":`...)
	}
	dst = append(append(dst, '['), joinRef...)
	dst = append(append(dst, ','), ref...)
	dst = append(append(dst, ','), topic...)
	dst = append(append(dst, `,"`...), event...)
	return append(dst, `",`...)
}

// appendTail appends what stands behind the payload.
func (v Version) appendTail(dst, ref, topic []byte) []byte {
	if v == V1 {
		dst = append(append(dst, `,"ref":`...), ref...)
		dst = append(append(dst, `,"topic":`...), topic...)
		return append(dst, '}')
	}
	return append(dst, ']')
}
