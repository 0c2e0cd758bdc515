package fanout

import (
	"fmt"
	"log/slog"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// sink is a member that counts what it gets.
type sink struct {
	flows.Member
	bytes int
}

type sinkEncoding struct{}

func (sinkEncoding) AppendFrame(dst []byte, e flows.Event) []byte {
	dst = append(dst, `[null,null,"flow:f","flow_update",{"changes":`...)
	dst = append(dst, e.Changes...)
	return append(strconv.AppendUint(append(dst, `,"seq":`...), e.Seq, 10), `}]`...)
}

func (*sink) Encoding() flows.Encoding { return sinkEncoding{} }
func (s *sink) Deliver(frames []byte)  { s.bytes += len(frames) }

// A published change on its way to a flow's 1,000 members: parsing, ordering, encoding once, handing
// over. What handing over costs in the socket is socket.BenchmarkSend_1000Clients.
func BenchmarkFanout_1000Clients(b *testing.B) {
	l, err := lanes.Open(lanes.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	h := NewHub(Options{
		Store: session.NewStore(l, "bench", session.DefaultOptions), Metrics: telemetry.NewMetrics(prometheus.NewRegistry()),
		Log: slog.New(slog.DiscardHandler), Supervise: func(string, Service) {}, Hold: func(*session.Lease, Folder) func() { return func() {} },
	})
	f := newFlow(h, "f")
	const clients = 1000
	for range clients {
		f.members.add(&member{Member: &sink{}, flow: f})
	}
	f.history.start(session.Held{Position: session.Position{Epoch: "EPOCH"}})
	changes := `{"nodes":{"node-1734":{"position":{"x":1042.5,"y":-310.25},"data":{"label":"Classify the ticket"}}}}`
	payloads := make([]string, 1024)
	seq := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		if seq%uint64(len(payloads)) == 0 {
			b.StopTimer()
			for i := range payloads {
				var body session.Body
				body.Start("another.node", seq)
				body.Add(1, session.Change{ClientID: "IOFJBSXZ6DYZ3EIL", Changes: changes})
				payloads[i] = fmt.Sprintf("u EPOCH %d 1700000000123 4711 0 %s", seq+uint64(i)+1, body.Bytes())
			}
			b.StartTimer()
		}
		f.Message(payloads[seq%uint64(len(payloads))])
		seq++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/clients, "ns/client")
}
