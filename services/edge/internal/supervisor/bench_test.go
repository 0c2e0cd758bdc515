package supervisor_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"helix/edge/internal/supervisor"
	"helix/shared/telemetry"
)

type once struct{ wg *sync.WaitGroup }

func (o once) Serve(context.Context) error { o.wg.Done(); return nil }

type lasting struct{ wg *sync.WaitGroup }

func (l lasting) Serve(ctx context.Context) error { l.wg.Done(); <-ctx.Done(); return ctx.Err() }

// A flow's first join and last leave cost one of these.
func BenchmarkAddAndEnd_besides10000Services(b *testing.B) {
	s := supervisor.New(supervisor.Options{Metrics: telemetry.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var wg sync.WaitGroup
	for range 10_000 {
		wg.Add(1)
		s.Add("flow l", lasting{&wg})
	}
	wg.Wait()
	b.ReportAllocs()
	for b.Loop() {
		wg.Add(1)
		s.Add("flow f", once{&wg})
	}
	wg.Wait()
	cancel()
	<-ended
}
