package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"helix/edge/internal/api"
	"helix/shared/flows"
)

// The schema is the OpenAPI Initiative's own, of 2021-04-15.
func TestOpenAPI_isAnOpenAPI31Document(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/openapi-3.1-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schemaOf31, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi-3.1-schema.json", schemaOf31); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("openapi-3.1-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	d := readDocument(t)
	if err := schema.Validate(d.root); err != nil {
		t.Error(err)
	}
	delete(d.root["info"].(map[string]any), "title")
	if schema.Validate(d.root) == nil {
		t.Error("the check lets a document without a title pass")
	}
}

func TestOpenAPI_describesEveryRoute_andNoOther(t *testing.T) {
	t.Parallel()
	var routes []string
	err := chi.Walk(api.Routes(options(&fakeSessions{})), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routes = append(routes, method+" "+route)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(routes)
	if described := slices.Sorted(maps.Keys(readDocument(t).operations())); !slices.Equal(routes, described) {
		t.Errorf("routes    %q\ndescribed %q", routes, described)
	}
}

func TestOpenAPI_saysForEachOperation_whatItAnswers(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	ids := map[any]string{}
	for operation, place := range d.operations() {
		v, _ := d.at(place)
		id := v.(map[string]any)["operationId"]
		if other := ids[id]; id == nil || other != "" {
			t.Errorf("%s has the operationId %v, as has %q", operation, id, other)
		}
		ids[id] = operation
		if !slices.ContainsFunc(d.statuses(operation), func(status string) bool { return status < "300" }) {
			t.Errorf("%s does not say how it answers when all is well", operation)
		}
		for _, status := range d.statuses(operation) {
			response, at := d.at(place + "/responses/" + status)
			if response == nil {
				t.Errorf("%s %s refers to nothing: %s", operation, status, at)
				continue
			}
			content, _ := response.(map[string]any)["content"].(map[string]any)
			types := slices.Sorted(maps.Keys(content))
			if status >= "400" && !slices.Equal(types, []string{"application/problem+json"}) {
				t.Errorf("%s %s is answered as %q", operation, status, types)
			}
			if number, err := strconv.Atoi(status); err != nil || hasBody(number) != (len(types) > 0) {
				t.Errorf("%s %s does not say what its body is, or has none and says it", operation, status)
			}
		}
	}
}

// Every documented answer of every operation is provoked and held against its schema; an answer that
// is documented and never seen fails as well as one that is seen and not documented.
func TestAPI_answersWhatItsDocumentSays_andAllOfIt(t *testing.T) {
	t.Parallel()
	const status, sessions, session, changes = "/api/flows/demo/status", "/api/sessions", "/api/flows/demo/session", "/api/flows/demo/changes"
	const change = `{"changes":{"a":1}}`
	fails := func(err error) *fakeSessions { return &fakeSessions{err: err} }
	panics := &fakeSessions{panics: "boom"}
	busy := flows.Status{Flow: "demo", Active: true, ClientCount: 2, LastActivity: lastSeen, StartedAt: began}
	foreign := []string{"Origin", "https://evil.example"}
	const list, flow, badID = "/api/flows", "/api/flows/demo", "/api/flows/%00"
	const drawing = `{"title":"T","nodes":{}}`
	ifMatch := func(tag string) []string { return []string{"If-Match", tag} }
	ifNoneMatch := func(tag string) []string { return []string{"If-None-Match", tag} }
	stored := &fakeSessions{
		document: flows.Document{Position: flows.Position{Epoch: "e", Seq: 7}, JSON: []byte(drawing), UpdatedAt: lastSeen},
		summary:  flows.Summary{Flow: "demo", Position: flows.Position{Epoch: "e", Seq: 7}, UpdatedAt: lastSeen},
	}
	listed := &fakeSessions{next: flows.Place{Changed: 1, Flow: "demo"}, list: []flows.Summary{
		{Flow: "demo", Position: flows.Position{Epoch: "e", Seq: 7}, CreatedAt: began, UpdatedAt: lastSeen, Title: "T", Nodes: 2, Edges: 1, CountedSeq: 7, Active: true, ClientCount: 2},
		{Flow: "x"},
	}}
	listed.members = [][]flows.Profile{{{ClientID: "c", UserID: "ann", Name: "Ann", Color: "#f00"}, {ClientID: "d"}}}
	const versions, version, name = "/api/flows/demo/versions", "/api/flows/demo/versions/v", `{"name":"Before"}`
	kept := &fakeSessions{more: true, document: stored.document}
	kept.version = flows.Version{ID: "v", Position: stored.document.Position, At: lastSeen, Title: "T", Nodes: 2, By: []flows.Author{{ClientID: "c", UserID: "ann", Name: "Ann"}, {ClientID: "d"}}}
	kept.versions = []flows.Version{kept.version, {ID: "w", Name: "Before", Position: stored.document.Position, Number: 3}}
	drawn := &fakeSessions{document: stored.document}
	drawn.document.JSON = []byte(`{"nodes":{"a":{"type":"agent","position":{"x":1,"y":2.5}},"b":{"position":{"x":0,"y":0},"width":9}},"edges":[{"source":"a","target":"b"}]}`)
	cases := []struct {
		operation, path, body string
		header                []string
		sessions              *fakeSessions
		ready                 error
		panicWhenAsked        bool
		knows                 bool // the node asks for tokens
		often                 bool // the address asks too often
	}{
		{operation: "GET /api/flows/{id}/status", path: status},
		{operation: "GET /api/flows/{id}/status", path: status, sessions: &fakeSessions{status: busy}},
		{operation: "GET /api/flows/{id}/status", path: "/api/flows/%20/status"},
		{operation: "GET /api/flows/{id}/status", path: status, sessions: fails(flows.ErrUnavailable)},
		{operation: "GET /api/flows/{id}/status", path: status, sessions: panics},
		{operation: "GET /api/sessions", path: sessions},
		{operation: "GET /api/sessions", path: sessions, sessions: &fakeSessions{active: []flows.Status{busy, {Flow: "x"}}}},
		{operation: "GET /api/sessions", path: sessions, sessions: fails(io.EOF)},
		{operation: "GET /api/sessions", path: sessions, sessions: panics},
		{operation: "DELETE /api/flows/{id}/session", path: session},
		{operation: "DELETE /api/flows/{id}/session", path: "/api/flows/%00/session"},
		{operation: "DELETE /api/flows/{id}/session", path: session, header: foreign},
		{operation: "DELETE /api/flows/{id}/session", path: session, sessions: fails(flows.ErrUnauthorized)},
		{operation: "DELETE /api/flows/{id}/session", path: session, sessions: fails(flows.ErrUnavailable)},
		{operation: "DELETE /api/flows/{id}/session", path: session, sessions: panics},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, sessions: &fakeSessions{receipt: flows.Receipt{Seq: 7, Epoch: "e"}}},
		{operation: "POST /api/flows/{id}/changes", path: "/api/flows/%0A/changes", body: change},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: `{"changes":{},"more":1}`},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, header: foreign},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, sessions: fails(flows.ErrUnauthorized)},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: stalls},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: `{"changes":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: strings.Repeat(" ", 2<<20)},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, header: []string{"Content-Type", "text/plain"}},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: `{"changes":1}`},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: `{"changes":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: `{"changes":{},"client_id":1}`},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, sessions: fails(flows.ErrRateLimited)},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, sessions: fails(flows.ErrUnavailable)},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, sessions: panics},
		{operation: "GET /api/flows", path: list},
		{operation: "GET /api/flows", path: list + "?limit=2", sessions: listed},
		{operation: "GET /api/flows", path: list + "?limit=0"},
		{operation: "GET /api/flows", path: list, sessions: fails(io.EOF)},
		{operation: "GET /api/flows", path: list, sessions: panics},
		{operation: "GET /api/flows/{id}", path: flow, sessions: stored},
		{operation: "GET /api/flows/{id}", path: flow, sessions: stored, header: ifNoneMatch(`"e-7"`)},
		{operation: "GET /api/flows/{id}", path: flow, sessions: stored, header: ifMatch(`"e-6"`)},
		{operation: "GET /api/flows/{id}", path: flow, sessions: stored, header: ifMatch(`e-7`)},
		{operation: "GET /api/flows/{id}", path: badID},
		{operation: "GET /api/flows/{id}", path: flow, sessions: fails(flows.ErrNoDocument)},
		{operation: "GET /api/flows/{id}", path: flow, sessions: fails(flows.ErrUnavailable)},
		{operation: "GET /api/flows/{id}", path: flow, sessions: panics},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: &fakeSessions{replaced: flows.Replaced{Position: flows.Position{Epoch: "e", Seq: 1}, Created: true, Changed: true}}},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: &fakeSessions{replaced: flows.Replaced{Position: flows.Position{Epoch: "e", Seq: 8}, Changed: true}}},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: &fakeSessions{replaced: flows.Replaced{Position: flows.Position{Epoch: "e", Seq: 8}}}},
		{operation: "PUT /api/flows/{id}", path: badID, body: drawing},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, header: ifMatch(`"`)},
		{operation: "PUT /api/flows/{id}", path: flow, body: `{"a":}`},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, header: foreign},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: fails(flows.ErrUnauthorized)},
		{operation: "PUT /api/flows/{id}", path: flow, body: stalls},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: fails(flows.ErrConflict)},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: fails(flows.ErrPrecondition)},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: fails(flows.ErrDocumentTooLarge)},
		{operation: "PUT /api/flows/{id}", path: flow, body: strings.Repeat(" ", 9<<20)},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, header: []string{"Content-Type", "application/merge-patch+json"}},
		{operation: "PUT /api/flows/{id}", path: flow, body: `[]`},
		{operation: "PUT /api/flows/{id}", path: flow, body: `{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`},
		{operation: "PUT /api/flows/{id}", path: flow, body: `{"a":{"b":null}}`},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: fails(flows.ErrUnavailable)},
		{operation: "PUT /api/flows/{id}", path: flow, body: drawing, sessions: panics},
		{operation: "DELETE /api/flows/{id}", path: flow},
		{operation: "DELETE /api/flows/{id}", path: badID},
		{operation: "DELETE /api/flows/{id}", path: flow, header: ifNoneMatch(`x`)},
		{operation: "DELETE /api/flows/{id}", path: flow, header: foreign},
		{operation: "DELETE /api/flows/{id}", path: flow, sessions: fails(flows.ErrUnauthorized)},
		{operation: "DELETE /api/flows/{id}", path: flow, sessions: fails(flows.ErrNoDocument)},
		{operation: "DELETE /api/flows/{id}", path: flow, sessions: fails(flows.ErrConflict)},
		{operation: "DELETE /api/flows/{id}", path: flow, sessions: fails(flows.ErrPrecondition)},
		{operation: "DELETE /api/flows/{id}", path: flow, sessions: fails(flows.ErrUnavailable)},
		{operation: "DELETE /api/flows/{id}", path: flow, sessions: panics},
		{operation: "POST /api/flows/{id}/changes", path: changes, body: change, sessions: fails(flows.ErrDocumentTooLarge)},
		{operation: "GET /api/flows", path: list + "?members=true", sessions: listed},
		{operation: "GET /api/flows/{id}/outline", path: flow + "/outline", sessions: drawn},
		{operation: "GET /api/flows/{id}/outline", path: flow + "/outline", sessions: stored, header: ifNoneMatch(`"e-7"`)},
		{operation: "GET /api/flows/{id}/outline", path: flow + "/outline", sessions: stored, header: ifMatch(`"e-6"`)},
		{operation: "GET /api/flows/{id}/outline", path: flow + "/outline", sessions: stored, header: ifMatch(`e-7`)},
		{operation: "GET /api/flows/{id}/outline", path: badID + "/outline"},
		{operation: "GET /api/flows/{id}/outline", path: flow + "/outline", sessions: fails(flows.ErrNoDocument)},
		{operation: "GET /api/flows/{id}/outline", path: flow + "/outline", sessions: fails(flows.ErrUnavailable)},
		{operation: "GET /api/flows/{id}/outline", path: flow + "/outline", sessions: panics},
		{operation: "GET /api/flows/{id}/versions", path: versions, sessions: kept},
		{operation: "GET /api/flows/{id}/versions", path: versions + "?members=true"},
		{operation: "GET /api/flows/{id}/versions", path: badID + "/versions"},
		{operation: "GET /api/flows/{id}/versions", path: versions, sessions: fails(flows.ErrUnavailable)},
		{operation: "GET /api/flows/{id}/versions", path: versions, sessions: panics},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, sessions: kept},
		{operation: "POST /api/flows/{id}/versions", path: badID + "/versions", body: name},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: `{"title":""}`},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, header: foreign},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, sessions: fails(flows.ErrUnauthorized)},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, sessions: fails(flows.ErrNoDocument)},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: stalls},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, sessions: fails(flows.ErrVersionsFull)},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, sessions: fails(flows.ErrConflict)},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: strings.Repeat(" ", 2<<20)},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, header: []string{"Content-Type", "text/plain"}},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: `{"name":null}`},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, sessions: fails(flows.ErrUnavailable)},
		{operation: "POST /api/flows/{id}/versions", path: versions, body: name, sessions: panics},
		{operation: "GET /api/flows/{id}/versions/{version}", path: version, sessions: kept},
		{operation: "GET /api/flows/{id}/versions/{version}", path: version, sessions: kept, header: ifNoneMatch(`"e-7"`)},
		{operation: "GET /api/flows/{id}/versions/{version}", path: version, sessions: kept, header: ifMatch(`"e-6"`)},
		{operation: "GET /api/flows/{id}/versions/{version}", path: version, sessions: kept, header: ifMatch(`e-7`)},
		{operation: "GET /api/flows/{id}/versions/{version}", path: badID + "/versions/v"},
		{operation: "GET /api/flows/{id}/versions/{version}", path: version, sessions: fails(flows.ErrNoVersion)},
		{operation: "GET /api/flows/{id}/versions/{version}", path: version, sessions: fails(flows.ErrUnavailable)},
		{operation: "GET /api/flows/{id}/versions/{version}", path: version, sessions: panics},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: `{"name":null}`, sessions: kept},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: badID + "/versions/v", body: name},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: `[]`},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: name, header: foreign},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: name, sessions: fails(flows.ErrUnauthorized)},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: name, sessions: fails(flows.ErrNoVersion)},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: stalls},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: name, sessions: fails(flows.ErrVersionsFull)},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: strings.Repeat(" ", 2<<20)},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: name, header: []string{"Content-Type", "text/plain"}},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: `{"name":1}`},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: name, sessions: fails(flows.ErrUnavailable)},
		{operation: "PATCH /api/flows/{id}/versions/{version}", path: version, body: name, sessions: panics},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: version},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: badID + "/versions/v"},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: version, header: foreign},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: version, sessions: fails(flows.ErrUnauthorized)},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: version, sessions: fails(flows.ErrNoVersion)},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: version, sessions: fails(flows.ErrConflict)},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: version, sessions: fails(flows.ErrUnavailable)},
		{operation: "DELETE /api/flows/{id}/versions/{version}", path: version, sessions: panics},
		{operation: "GET /api/version", path: "/api/version"},
		{operation: "GET /api/openapi.json", path: "/api/openapi.json"},
		{operation: "GET /healthz", path: "/healthz"},
		{operation: "GET /readyz", path: "/readyz"},
		{operation: "GET /readyz", path: "/readyz", ready: api.NotReady("the node is draining")},
		{operation: "GET /readyz", path: "/readyz", panicWhenAsked: true},
	}
	for operation, of := range guarded {
		c := cases[0]
		c.operation, c.path, c.body, c.often = operation, of.path, of.body, true
		cases = append(cases, c)
		for _, token := range []string{"", "expired", "nothing"} {
			if token == "nothing" && of.right == 0 {
				continue
			}
			c := cases[0]
			c.operation, c.path, c.body, c.knows = operation, of.path, of.body, true
			c.header = []string{"Authorization", "Bearer " + token}
			cases = append(cases, c)
		}
	}
	d := readDocument(t)
	seen := map[string][]string{}
	codes := map[string][]string{} // by place of the response
	for _, c := range cases {
		if c.sessions == nil {
			c.sessions = &fakeSessions{}
		}
		o := options(c.sessions)
		o.Ready = readyFunc(c.ready, c.panicWhenAsked)
		if c.knows {
			o.Authenticate = knows
		}
		if c.often {
			o.Allow = func(*http.Request, string) (string, time.Duration) { return "address_request_rate", time.Second }
		}
		method, _, _ := strings.Cut(c.operation, " ")
		status, header, body := ask(t, o, method, c.path, c.body, c.header)
		d.check(t, c.operation, status, header, body)
		if !slices.Contains(seen[c.operation], strconv.Itoa(status)) {
			seen[c.operation] = append(seen[c.operation], strconv.Itoa(status))
		}
		var p problemBody
		if json.Unmarshal(body, &p) == nil && p.Code != "" {
			_, place := d.at(d.operations()[c.operation] + "/responses/" + strconv.Itoa(status))
			codes[place] = append(codes[place], p.Code)
		}
	}
	for operation := range d.operations() {
		slices.Sort(seen[operation])
		if documented := d.statuses(operation); !slices.Equal(documented, seen[operation]) {
			t.Errorf("%s documents %q, but answered %q", operation, documented, seen[operation])
		}
	}
	for place, got := range codes {
		enum, _ := d.at(place + "/content/" + pointerEscape("application/problem+json") + "/schema")
		for _, code := range enum.(map[string]any)["allOf"].([]any)[1].(map[string]any)["properties"].(map[string]any)["code"].(map[string]any)["enum"].([]any) {
			if !slices.Contains(got, code.(string)) {
				t.Errorf("%s documents the code %s, which was never seen", place, code)
			}
		}
	}
}

func TestOpenAPI_asksForATokenWhereTheRoutesDo(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	for operation, place := range d.operations() {
		v, _ := d.at(place)
		_, asks := v.(map[string]any)["security"]
		if _, should := guarded[operation]; asks != should {
			t.Errorf("%s: security %v, want %v", operation, asks, should)
		}
	}
}

// stalls as a body stands for one that never ends.
const stalls = "a body that never ends"

// ask sends a request over a real connection: answers to bodies that stall or go on too long are the
// server's as much as the handler's.
func ask(t *testing.T, o api.Options, method, path, body string, header []string) (int, http.Header, []byte) {
	t.Helper()
	r := request(method, path, body, header...)
	r.RequestURI = ""
	if body == stalls {
		o.RequestTimeout = 50 * time.Millisecond
		pr, pw := io.Pipe()
		defer pw.Close()
		r.Body, r.ContentLength = pr, -1
	}
	s := httptest.NewServer(api.New(o))
	defer s.Close()
	r.URL.Scheme, r.URL.Host, r.Host = "http", s.Listener.Addr().String(), ""
	client := s.Client()
	client.Timeout = 20 * time.Second // only a hanging server reaches it
	res, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, res.Header, answer
}
