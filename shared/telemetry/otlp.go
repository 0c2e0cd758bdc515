package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlp sends spans to a collector, as OTLP over HTTP in protobuf. OpenTelemetry's own exporter does the same, and
// brings all of gRPC into the binary, which would be two thirds larger by it.
type otlp struct {
	url     string
	headers http.Header
	client  *http.Client
}

const (
	otlpTimeout    = 10 * time.Second // of one try
	otlpFirstRetry = time.Second
	otlpMostRetry  = 8 * time.Second
)

// newOTLP reads the endpoint and, in the form of OTEL_EXPORTER_OTLP_HEADERS, the headers to send.
func newOTLP(endpoint, headers string) (*otlp, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("read the endpoint of traces: %w", err)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	o := &otlp{url: u.String(), headers: http.Header{}, client: &http.Client{Timeout: otlpTimeout, Transport: http.DefaultTransport.(*http.Transport).Clone()}}
	for pair := range strings.SplitSeq(headers, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || err != nil || name == "" {
			return nil, errors.New("read OTEL_EXPORTER_OTLP_HEADERS: they are name=value, comma separated, and the value is percent-encoded") // it may hold a key: not shown
		}
		o.headers.Set(name, value)
	}
	o.headers.Set("Content-Type", "application/x-protobuf")
	return o, nil
}

// ExportSpans implements sdktrace.SpanExporter. What the collector refuses for now is sent again until ctx ends.
func (o *otlp) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	body, err := proto.Marshal(encodeSpans(spans))
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	for wait := otlpFirstRetry; ; wait = min(2*wait, otlpMostRetry) {
		again, err := o.post(ctx, body)
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

// post tries once; again says whether it may work later.
func (o *otlp) post(ctx context.Context, body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("ask the collector: %w", err)
	}
	request.Header = o.headers.Clone()
	response, err := o.client.Do(request)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("send spans: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	switch code := response.StatusCode; {
	case code < http.StatusMultipleChoices:
		return false, nil
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return true, fmt.Errorf("send spans: the collector answers %s", response.Status)
	default:
		return false, fmt.Errorf("send spans: the collector refuses them: %s", response.Status)
	}
}

// Shutdown implements sdktrace.SpanExporter.
func (o *otlp) Shutdown(context.Context) error {
	o.client.CloseIdleConnections()
	return nil
}

// encodeSpans gives the spans, which are all of one edge, as OTLP has them. The message that a collector asks for has
// TracesData's very fields.
func encodeSpans(spans []sdktrace.ReadOnlySpan) *wire.TracesData {
	if len(spans) == 0 {
		return &wire.TracesData{}
	}
	scope := &wire.ScopeSpans{Scope: &common.InstrumentationScope{Name: spans[0].InstrumentationScope().Name}}
	for _, s := range spans {
		scope.Spans = append(scope.Spans, encodeSpan(s))
	}
	of := spans[0].Resource()
	return &wire.TracesData{ResourceSpans: []*wire.ResourceSpans{{
		Resource: &resource.Resource{Attributes: encodeAttributes(of.Attributes())}, SchemaUrl: of.SchemaURL(), ScopeSpans: []*wire.ScopeSpans{scope},
	}}}
}

func encodeSpan(s sdktrace.ReadOnlySpan) *wire.Span {
	id, trace := s.SpanContext().SpanID(), s.SpanContext().TraceID()
	out := &wire.Span{
		TraceId: trace[:], SpanId: id[:], TraceState: s.SpanContext().TraceState().String(),
		Name: s.Name(), Kind: wire.Span_SpanKind(s.SpanKind()), // the same numbers
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes: encodeAttributes(s.Attributes()), DroppedAttributesCount: uint32(s.DroppedAttributes()), DroppedLinksCount: uint32(s.DroppedLinks()),
		Flags: spanFlags(s.SpanContext().TraceFlags().IsSampled(), s.Parent().IsRemote()),
	}
	if parent := s.Parent().SpanID(); parent.IsValid() {
		out.ParentSpanId = parent[:]
	}
	for _, l := range s.Links() {
		trace, id := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		out.Links = append(out.Links, &wire.Span_Link{TraceId: trace[:], SpanId: id[:], Attributes: encodeAttributes(l.Attributes), Flags: spanFlags(l.SpanContext.IsSampled(), l.SpanContext.IsRemote())})
	}
	if status := s.Status(); status.Code == codes.Error {
		out.Status = &wire.Status{Code: wire.Status_STATUS_CODE_ERROR, Message: strings.ToValidUTF8(status.Description, "\uFFFD")}
	}
	return out
}

// spanFlags says of a span or a link whether it is sampled, and whether its context came from another process.
func spanFlags(sampled, remote bool) uint32 {
	flags := uint32(wire.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if sampled {
		flags |= 1
	}
	if remote {
		flags |= uint32(wire.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	return flags
}

// encodeAttributes knows the kinds that are used here; others go as text.
func encodeAttributes(all []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(all))
	for _, a := range all {
		value := &common.AnyValue{}
		switch a.Value.Type() {
		case attribute.INT64:
			value.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		case attribute.FLOAT64:
			value.Value = &common.AnyValue_DoubleValue{DoubleValue: a.Value.AsFloat64()}
		case attribute.BOOL:
			value.Value = &common.AnyValue_BoolValue{BoolValue: a.Value.AsBool()}
		default:
			value.Value = &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(a.Value.String(), "\uFFFD")}
		}
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: value})
	}
	return out
}
