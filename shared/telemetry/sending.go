package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// TraceOptions say where traces go.
type TraceOptions struct {
	// Endpoint of an OTLP collector, over HTTP; a URL without a path gets /v1/traces. Empty: no traces.
	Endpoint string
	Sample   float64 // share of the changes that are followed, 0 to 1
	Node     string
	Version  string
	Metrics  *Metrics
	Log      *slog.Logger
}

// maxSpans bounds the spans that wait to be sent; those that come then are dropped, and counted.
const maxSpans = 2048

// NewTraces makes the traces of an edge; nil where there is no endpoint. Headers come from the standard variable
// OTEL_EXPORTER_OTLP_HEADERS, the name and attributes of the sender may come from OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES. It connects to nothing yet.
func NewTraces(o TraceOptions) (*Traces, error) {
	if o.Endpoint == "" {
		return nil, nil //nolint:nilnil // nil Traces are those that follow nothing
	}
	headers := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
	if headers == "" {
		headers = os.Getenv("OTEL_EXPORTER_OTLP_HEADERS")
	}
	to, err := newOTLP(o.Endpoint, headers)
	if err != nil {
		return nil, err
	}
	own := resource.NewSchemaless(
		attribute.String("service.name", "helix"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Node),
	)
	what, err := resource.New(context.Background(), resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err == nil {
		what, err = resource.Merge(own, what) // the environment has the last word
	}
	if err != nil {
		return nil, fmt.Errorf("say who sends the traces: %w", err)
	}
	for _, outcome := range []string{"sent", "failed", "dropped"} {
		o.Metrics.TraceSpans.WithLabelValues(outcome) // from 0, so that the first failure is seen as one
	}
	b := &sender{SpanExporter: to, metrics: o.Metrics, log: o.Log, ended: make(chan struct{})}
	b.ctx, b.stop = context.WithCancel(context.Background())
	queue := &queue{SpanProcessor: sdktrace.NewBatchSpanProcessor(b, sdktrace.WithMaxQueueSize(maxSpans)), sender: b}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(what), sdktrace.WithSpanProcessor(queue))
	return &Traces{provider: provider, queue: queue, sender: b, tracer: provider.Tracer("helix"), sample: o.Sample}, nil
}

// Close sends what waits, for as long as ctx allows, and ends the sending.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	err := t.provider.Shutdown(ctx)
	t.sender.stop()           // where the time was too short: what is under way ends now, and what waits fails at once
	_ = t.queue.Shutdown(ctx) // the provider does not, where there was no time at all; twice is once
	<-t.sender.ended
	if err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// queue stands before the SDK's batches and counts what waits, so that what is dropped is known.
type queue struct {
	sdktrace.SpanProcessor // the batches
	sender                 *sender
}

// OnEnd implements sdktrace.SpanProcessor.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.sender.waiting.Add(1) > maxSpans {
		q.sender.waiting.Add(-1)
		q.sender.metrics.TraceSpans.WithLabelValues("dropped").Inc()
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// sender stands behind the batches. That the collector is away it counts and logs, and keeps to itself:
// it must disturb nobody.
type sender struct {
	sdktrace.SpanExporter
	metrics *Metrics
	log     *slog.Logger
	waiting atomic.Int64
	failing atomic.Bool
	ctx     context.Context // of all that is sent
	stop    context.CancelFunc
	ended   chan struct{} // closed when the batches are done with it
}

// ExportSpans implements sdktrace.SpanExporter.
func (b *sender) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	err := b.SpanExporter.ExportSpans(ctx, spans)
	b.waiting.Add(-int64(len(spans)))
	outcome := "sent"
	if err != nil {
		outcome = "failed"
	}
	b.metrics.TraceSpans.WithLabelValues(outcome).Add(float64(len(spans)))
	switch was := b.failing.Swap(err != nil); {
	case err != nil && !was:
		b.log.Warn("cannot send traces; told again when it works", "error", err)
	case err == nil && was:
		b.log.Info("traces can be sent again")
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter: the batches call it once, when they have nothing left.
func (b *sender) Shutdown(ctx context.Context) error {
	defer close(b.ended)
	return b.SpanExporter.Shutdown(ctx)
}
