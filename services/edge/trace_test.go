package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"helix/shared/redistest"
)

// span is one span as the collector got it, with the node that sent it.
type span struct {
	*tracepb.Span
	node string
}

func (s span) id() string     { return hex.EncodeToString(s.SpanId) }
func (s span) parent() string { return hex.EncodeToString(s.ParentSpanId) }
func (s span) trace() string  { return hex.EncodeToString(s.TraceId) }

func attribute(all []*common.KeyValue, key string) *common.AnyValue {
	for _, a := range all {
		if a.Key == key {
			return a.Value
		}
	}
	return &common.AnyValue{}
}

// traceCollector is an OTLP receiver over HTTP in this process.
type traceCollector struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	spans   []span
	headers []http.Header
}

func startCollector(t testing.TB) *traceCollector {
	c := &traceCollector{t: t}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.Close)
	return c
}

func (c *traceCollector) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.t.Errorf("%s %s %s: %v", r.Method, r.URL, r.Header, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = append(c.headers, r.Header)
	for _, of := range request.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, span{s, attribute(of.Resource.Attributes, "service.instance.id").GetStringValue()})
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *traceCollector) named(name string) (found []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// only gives the one span of a name, and of a node, that has this parent.
func (c *traceCollector) only(name, node string, parent span) span {
	c.t.Helper()
	var found []span
	for _, s := range c.named(name) {
		if s.node == node && (parent.Span == nil && s.parent() == "" || parent.Span != nil && s.parent() == parent.id()) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		c.t.Fatalf("%d spans %q of %s below %v, among:\n%s", len(found), name, node, parent.Span, c)
	}
	if parent.Span != nil && (found[0].trace() != parent.trace() || found[0].StartTimeUnixNano < parent.StartTimeUnixNano) {
		c.t.Errorf("%v is not of the trace of %v, or began before it", found[0], parent)
	}
	return found[0]
}

func (c *traceCollector) String() string {
	var b strings.Builder
	for _, s := range c.spans {
		fmt.Fprintf(&b, "%s %s %s, parent %s, trace %s, %d links, %s\n", s.node, s.Name, s.id(), s.parent(), s.trace(), len(s.Links), s.Attributes)
	}
	return b.String()
}

// traced starts an edge that follows a share of the changes.
func traced(t testing.TB, redis *redistest.Server, node, endpoint, sample string) *running {
	return start(t, "HELIX_REDIS_URL="+redis.URL, "HELIX_NODE_ID="+node, "HELIX_TRACE_OTLP_ENDPOINT="+endpoint, "HELIX_TRACE_SAMPLE="+sample, "HELIX_SHUTDOWN_DELAY=0s", "HELIX_SHUTDOWN_DRAIN=0s")
}

func TestTrace_ofOneChange_leadsFromTheSocketToTheMembersOfBothEdges(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=helix") // so not in parallel with others
	to, redis := startCollector(t), redistest.Start(t)
	a, b := traced(t, redis, "a", to.URL, "1"), traced(t, redis, "b", to.URL, "1")
	ann, bob := a.dial(), b.dial()
	ann.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	bob.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	ann.ask(`["1","2","flow:f","flow_change",{"changes":{"n":1},"change_id":1}]`, `"broadcasted"`)
	ann.read("flow_update")
	bob.read("flow_update")
	ann.ask(`["1","3","flow:f","flow_change",{"changes":[]}]`, `"invalid_changes"`)
	for _, r := range []*running{a, b} { // which sends the spans
		r.stop()
		<-r.ended
	}

	var change, refused span
	for _, s := range to.named("flow_change") {
		if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			refused = s
		} else {
			change = s
		}
	}
	if change.Span == nil || refused.Span == nil || change.parent() != "" || change.node != "a" || len(to.named("flow_change")) != 2 {
		t.Fatalf("the changes:\n%s", to)
	}
	if attribute(change.Attributes, "helix.flow").GetStringValue() != "f" || attribute(change.Attributes, "helix.seq").GetIntValue() != 1 {
		t.Errorf("the change tells %v", change.Attributes)
	}
	run := to.only("run", "a", change)
	to.only("script", "a", run)
	heard := to.only("receive", "b", run)
	delivered := to.only("deliver", "b", heard)
	if attribute(delivered.Attributes, "helix.members").GetIntValue() != 1 || attribute(heard.Attributes, "helix.outcome").GetStringValue() != "delivered" {
		t.Errorf("b tells %v, %v", heard.Attributes, delivered.Attributes)
	}
	own := to.only("receive", "a", run)
	if attribute(own.Attributes, "helix.outcome").GetStringValue() == "delivered" { // it was faster than the script's answer
		to.only("deliver", "a", own)
	} else {
		to.only("deliver", "a", run)
	}
	for _, s := range to.spans {
		if s.trace() != change.trace() && s.trace() != refused.trace() {
			t.Errorf("%v is of a third trace", s)
		}
	}
	for _, h := range to.headers {
		if h.Get("X-Tenant") != "helix" {
			t.Errorf("sent without the headers of the environment: %v", h)
		}
	}
}

func TestTrace_ofARunOfManyChanges_linksThem(t *testing.T) {
	t.Parallel()
	to, redis := startCollector(t), redistest.Start(t)
	a := traced(t, redis, "a", to.URL, "1")
	ann := a.dial()
	ann.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	redis.Pause()
	const changes = 10
	for i := range changes {
		ann.send(fmt.Sprintf(`["1","%d","flow:f","flow_change",{"changes":{"n":%d},"change_id":%d}]`, i+2, i, i+1))
	}
	ann.send(`["1","99","flow:f","ping",{}]`) // its answer: the edge has taken them all
	if got := ann.read("phx_reply"); !strings.Contains(got, "pong") {
		t.Fatal(got)
	}
	redis.Resume()
	for i := range changes {
		if got := ann.read("flow_update"); !strings.Contains(got, fmt.Sprintf(`"seq":%d,`, i+1)) {
			t.Fatal(got)
		}
	}
	a.stop()
	<-a.ended

	runs, all := to.named("run"), to.named("flow_change")
	if len(all) != changes || len(runs) < 2 || len(runs) >= changes {
		t.Fatalf("%d changes in %d runs", len(all), len(runs))
	}
	count, links := 0, 0
	for _, r := range runs {
		count += int(attribute(r.Attributes, "helix.changes").GetIntValue())
		links += len(r.Links)
	}
	if count != changes || links != changes-len(runs) {
		t.Errorf("runs of %d changes in all, with %d links", count, links)
	}
	for _, c := range all {
		leads := slices.ContainsFunc(runs, func(r span) bool {
			return r.parent() == c.id() || len(c.Links) == 1 && hex.EncodeToString(c.Links[0].SpanId) == r.id()
		})
		if !leads {
			t.Errorf("no way from %v to a run", c)
		}
	}
}

func TestTrace_ofAChangeOverHTTP_goesOnWhereItIsDelivered(t *testing.T) {
	t.Parallel()
	to, redis := startCollector(t), redistest.Start(t)
	a, b := traced(t, redis, "a", to.URL, "1"), traced(t, redis, "b", to.URL, "1")
	bob := b.dial()
	bob.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	response, err := http.Post(a.url()+"/api/flows/f/changes", "application/json", strings.NewReader(`{"changes":{"n":1}}`))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	bob.read("flow_update")
	for _, r := range []*running{a, b} {
		r.stop()
		<-r.ended
	}
	run := to.only("run", "a", to.only("flow_change", "a", span{}))
	to.only("script", "a", run)
	to.only("deliver", "b", to.only("receive", "b", run))
}

func TestTrace_ofWhatIsNotFollowed_isNowhere(t *testing.T) {
	t.Parallel()
	to, redis := startCollector(t), redistest.Start(t)
	a := traced(t, redis, "a", to.URL, "0")
	ann := a.dial()
	ann.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	ann.ask(`["1","2","flow:f","flow_change",{"changes":{"n":1}}]`, `"broadcasted"`)
	client := redis.Client(t)
	keys := client.Keys(context.Background(), "*log").Val()
	if len(keys) != 1 {
		t.Fatal(keys)
	}
	entries := client.XRange(context.Background(), keys[0], "-", "+").Val()
	if len(entries) != 1 || strings.Contains(entries[0].Values["u"].(string), " 00-") {
		t.Fatal(entries)
	}
	a.stop()
	<-a.ended
	if len(to.headers) > 0 {
		t.Fatalf("sent:\n%s", to)
	}
}

func TestTrace_disturbsNobody_whenTheCollectorIsStuckOrAway(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() { close(over); stuck.Close() })
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for name, url := range map[string]string{"stuck": stuck.URL, "away": away.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			a := start(t, "HELIX_REDIS_URL="+redis.URL, "HELIX_TRACE_OTLP_ENDPOINT="+url, "HELIX_TRACE_SAMPLE=1", "HELIX_SHUTDOWN_TIMEOUT=500ms", "HELIX_SHUTDOWN_DELAY=0s", "HELIX_SHUTDOWN_DRAIN=0s")
			ann := a.dial()
			ann.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
			for i := range 100 {
				ann.ask(fmt.Sprintf(`["1","%d","flow:f","flow_change",{"changes":{"n":%d}}]`, i+2, i), `"broadcasted"`)
			}
			began := time.Now()
			a.stop()
			select {
			case err := <-a.ended:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the edge waits for the collector")
			}
			t.Logf("ended after %v", time.Since(began))
		})
	}
}
