package telemetry

import (
	"context"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Traces follows some changes on their way:
//
//	flow_change         from the client's frame to the answer to it
//	└── run             the run of changes that it left in; others of the run are linked, both ways
//	    ├── script      one call of the change script: Redis orders, stores and publishes the run
//	    ├── receive     an edge heard of the run, one on each edge that has members
//	    │   └── deliver it was handed to the members
//	    └── deliver     the same, where the run came by the script's answer or was read from the log
//
// What goes to other edges is one line, the run's traceparent, in what is published and kept in the log.
// nil follows nothing. It is safe for concurrent use. A change that is not followed costs nothing but
// a random number: no memory, no lock.
type Traces struct {
	provider *sdktrace.TracerProvider
	queue    *queue
	sender   *sender
	tracer   trace.Tracer
	sample   float64
}

// Span is one stretch of a way. nil is none: its methods do nothing, and give nil and "".
type Span struct {
	traces *Traces
	span   trace.Span
	remote string // the traceparent that it began from
}

// Change begins the way of a change. Most are not followed: then it gives nil.
// flow is the flow's id, as it was asked for.
func (t *Traces) Change(flow string) *Span {
	if t == nil || rand.Float64() >= t.sample {
		return nil
	}
	return t.start(context.Background(), "flow_change", trace.SpanKindServer, attribute.String("helix.flow", strings.TrimSpace(flow)))
}

// Receive goes on where another span left off, by its Parent; nil where that is none.
func (t *Traces) Receive(parent, flow string) *Span {
	return t.goOn(parent, "receive", trace.SpanKindConsumer, flow)
}

// Deliver is Receive for what did not come as a message.
func (t *Traces) Deliver(parent, flow string) *Span {
	return t.goOn(parent, "deliver", trace.SpanKindInternal, flow)
}

func (t *Traces) goOn(parent, name string, kind trace.SpanKind, flow string) *Span {
	if t == nil || parent == "" {
		return nil
	}
	from, ok := parseParent(parent)
	if !ok {
		return nil
	}
	s := t.start(trace.ContextWithRemoteSpanContext(context.Background(), from), name, kind, attribute.String("helix.flow", flow))
	s.remote = parent
	return s
}

func (t *Traces) start(ctx context.Context, name string, kind trace.SpanKind, attributes ...attribute.KeyValue) *Span {
	_, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
	return &Span{traces: t, span: span}
}

// Run begins the stretch of a run of changes that goes to Redis; s is the first of them that is followed.
func (s *Span) Run() *Span { return s.child("run", trace.SpanKindProducer) }

// Script begins one call of the change script.
func (s *Span) Script() *Span { return s.child("script", trace.SpanKindClient) }

// Deliver begins the handing over to members.
func (s *Span) Deliver() *Span { return s.child("deliver", trace.SpanKindInternal) }

func (s *Span) child(name string, kind trace.SpanKind) *Span {
	if s == nil {
		return nil
	}
	return s.traces.start(trace.ContextWithSpan(context.Background(), s.span), name, kind)
}

// Link links two spans with each other: another followed change that left in the same run.
func (s *Span) Link(other *Span) {
	if s == nil || other == nil {
		return
	}
	s.span.AddLink(trace.Link{SpanContext: other.span.SpanContext()})
	other.span.AddLink(trace.Link{SpanContext: s.span.SpanContext()})
}

// Number notes a number.
func (s *Span) Number(key string, n int64) {
	if s != nil {
		s.span.SetAttributes(attribute.Int64("helix."+key, n))
	}
}

// Text notes a word.
func (s *Span) Text(key, text string) {
	if s != nil {
		s.span.SetAttributes(attribute.String("helix."+key, text))
	}
}

// End ends the span; err, where there is one, is why it failed. A second End does nothing.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// Began says whether the span goes on from this traceparent.
func (s *Span) Began(parent string) bool { return s != nil && s.remote == parent }

// Parent names the span to others, who go on from it: a W3C traceparent.
func (s *Span) Parent() string {
	if s == nil {
		return ""
	}
	c := s.span.SpanContext()
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"
}

// parseParent reads what Parent wrote. Anything else is no parent, which is no error: it came with a
// change that counts without it.
func parseParent(s string) (trace.SpanContext, bool) {
	const size = len("00-") + 32 + len("-") + 16 + len("-01")
	if len(s) != size || s[:3] != "00-" || s[35] != '-' || s[52:] != "-01" {
		return trace.SpanContext{}, false
	}
	id, err := trace.TraceIDFromHex(s[3:35])
	if err != nil {
		return trace.SpanContext{}, false
	}
	span, err := trace.SpanIDFromHex(s[36:52])
	if err != nil {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true}), true
}
