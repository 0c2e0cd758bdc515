package socket

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"helix/shared/phoenix"
	"helix/shared/telemetry"
)

// One frame handed to the queues of 1,000 clients and taken off again, without the write.
func BenchmarkSend_1000Clients(b *testing.B) {
	writers := NewWriters()
	o := DefaultOptions
	o.Metrics = telemetry.NewMetrics(prometheus.NewRegistry())
	server := NewServer(o, writers)
	topics := make([]*Topic, 1000)
	for i := range topics {
		s := &Socket{server: server, version: phoenix.V2}
		topics[i] = &Topic{socket: s, name: `"flow:f"`, joinRef: `"1"`}
		topics[i].state.Store(topicJoined)
	}
	frame := AppendText(nil, func(dst []byte) []byte { return append(dst, make([]byte, 256)...) })
	var frames [][]byte
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range topics {
			t.Send(frame)
		}
		for _, s := range writers.pending {
			s.mu.Lock()
			frames = s.queue.take(frames[:0])
			s.written()
			s.mu.Unlock()
		}
		writers.pending = writers.pending[:0]
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(topics)), "ns/client")
}
