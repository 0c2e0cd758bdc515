package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"helix/edge/internal/api"
	"helix/shared/flows"
)

// stored are sessions in which a document is at seq 7.
func stored() *fakeSessions {
	at := flows.Position{Epoch: "E1", Seq: 7}
	return &fakeSessions{
		document: flows.Document{Position: at, JSON: []byte(`{"n":12345678901234567890,"t":"<\u2028"}`), UpdatedAt: lastSeen},
		summary:  flows.Summary{Flow: "a", Position: at, UpdatedAt: lastSeen},
		replaced: flows.Replaced{Position: flows.Position{Epoch: "E1", Seq: 8}, Changed: true},
		at:       at,
	}
}

func TestGetFlow_isTheDocumentByteForByte_withItsPlace(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD"} {
		s := stored()
		w := serve(api.New(options(s)), request(method, "/api/flows/a", ""))
		want := map[string]string{
			"Etag": `"E1-7"`, "Helix-Epoch": "E1", "Helix-Seq": "7", "Last-Modified": "Mon, 06 May 2024 08:08:09 GMT",
			"Content-Type": "application/json", "Cache-Control": "private, no-cache", "Content-Length": fmt.Sprint(len(s.document.JSON)),
		}
		for name, value := range want {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", method, name, got, value)
			}
		}
		if w.Code != http.StatusOK || (method == "GET" && w.Body.String() != string(s.document.JSON)) {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
	s := stored()
	s.document = flows.Document{Position: s.document.Position, JSON: []byte(`{}`)}
	if w := serve(api.New(options(s)), request("GET", "/api/flows/a", "")); len(w.Header().Values("Last-Modified")) > 0 {
		t.Errorf("a time that is not known is told: %q", w.Header().Get("Last-Modified"))
	}
}

func TestConditions_areThoseOfRFC9110(t *testing.T) {
	t.Parallel()
	const here, other = `"E1-7"`, `"E1-6"`
	for _, test := range []struct {
		name, value       string
		get, put, without int // to GET, to PUT and DELETE, and to PUT where there is no document
	}{
		{"If-Match", here, 200, 200, 412},
		{"If-Match", other, 412, 412, 412},
		{"If-Match", other + " , " + here, 200, 200, 412},
		{"If-Match", "W/" + here, 412, 412, 412},
		{"If-Match", "*", 200, 200, 412},
		{"If-Match", `"E1-7`, 400, 400, 400},
		{"If-Match", `E1-7`, 400, 400, 400},
		{"If-Match", ``, 400, 400, 400},
		{"If-Match", `*, ` + here, 400, 400, 400},
		{"If-Match", here + " " + other, 400, 400, 400},
		{"If-None-Match", here, 304, 412, 201},
		{"If-None-Match", "W/" + here, 304, 412, 201},
		{"If-None-Match", `"a,b",` + here, 304, 412, 201},
		{"If-None-Match", other, 200, 200, 201},
		{"If-None-Match", `"", "x"`, 200, 200, 201},
		{"If-None-Match", "*", 304, 412, 201},
		{"If-None-Match", "none", 400, 400, 400},
	} {
		s := stored()
		w := serve(api.New(options(s)), request("GET", "/api/flows/a", "", test.name, test.value))
		if w.Code != test.get {
			t.Errorf("GET %s %s: %d, want %d", test.name, test.value, w.Code, test.get)
		}
		if w.Code == http.StatusNotModified && (w.Body.Len() > 0 || w.Header().Get("ETag") != here || w.Header().Get("Helix-Seq") != "7") {
			t.Errorf("GET %s %s: %v %s", test.name, test.value, w.Header(), w.Body)
		}
		if w = serve(api.New(options(s)), request("PUT", "/api/flows/a", `{}`, test.name, test.value)); w.Code != test.put {
			t.Errorf("PUT %s %s: %d, want %d", test.name, test.value, w.Code, test.put)
		}
		want := test.put
		if want == http.StatusOK {
			want = http.StatusNoContent
		}
		if w = serve(api.New(options(s)), request("DELETE", "/api/flows/a", "", test.name, test.value)); w.Code != want {
			t.Errorf("DELETE %s %s: %d, want %d", test.name, test.value, w.Code, want)
		}
		none := &fakeSessions{replaced: flows.Replaced{Created: true}}
		if w = serve(api.New(options(none)), request("PUT", "/api/flows/a", `{}`, test.name, test.value)); w.Code != test.without {
			t.Errorf("PUT of a new one %s %s: %d, want %d", test.name, test.value, w.Code, test.without)
		}
	}
}

func TestGetFlow_ofWhatIsAsItWas_isNotRead(t *testing.T) {
	t.Parallel()
	s := stored()
	s.document = flows.Document{}
	if w := serve(api.New(options(s)), request("GET", "/api/flows/a", "", "If-None-Match", `"E1-7"`)); w.Code != http.StatusNotModified || len(s.asked) != 1 {
		t.Errorf("%d, asked %d times", w.Code, len(s.asked))
	}
}

func TestPutFlow_answers(t *testing.T) {
	t.Parallel()
	at := flows.Position{Epoch: "E1", Seq: 3}
	for _, test := range []struct {
		replaced flows.Replaced
		code     int
		want     string
	}{
		{flows.Replaced{Position: at, Created: true, Changed: true}, 201, `{"status":"created","seq":3,"epoch":"E1"}`},
		{flows.Replaced{Position: at, Changed: true}, 200, `{"status":"replaced","seq":3,"epoch":"E1"}`},
		{flows.Replaced{Position: at}, 200, `{"status":"unchanged","seq":3,"epoch":"E1"}`},
	} {
		s := &fakeSessions{replaced: test.replaced}
		w := serve(api.New(options(s)), request("PUT", "/api/flows/%20a%2Fb%20%C3%BC", ` {"n": 12345678901234567890, "l": [ 1 ]} `))
		if w.Code != test.code || strings.TrimSpace(w.Body.String()) != test.want || w.Header().Get("ETag") != `"E1-3"` || w.Header().Get("Helix-Seq") != "3" {
			t.Errorf("%d %s %v, want %s", w.Code, w.Body, w.Header(), test.want)
		}
		if location := w.Header().Get("Location"); (test.code == 201) != (location == "/api/flows/a%2Fb%20%C3%BC") {
			t.Errorf("%d with location %q", w.Code, location)
		}
		if s.put != `{"n":12345678901234567890,"l":[1]}` || s.lastAsked() != "a/b ü" {
			t.Errorf("put %s at %q", s.put, s.lastAsked())
		}
	}
}

func TestPutFlow_refusesWhatIsNoDocument_andSaysWhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body   string
		code   int
		word   string
		detail string
	}{
		{` `, 400, "invalid_body", "at byte 1"},
		{`{"a":1,}`, 400, "invalid_body", "at byte 7"},
		{`{"a":1} {}`, 400, "invalid_body", "at byte 8"},
		{"{\"a\":\"\xff\"}", 400, "invalid_body", "UTF-8"},
		{`[]`, 422, "invalid_document", "object"},
		{`null`, 422, "invalid_document", "object"},
		{`{"nodes":{"n1":{"label":null}}}`, 422, "null_member", `"/nodes/n1/label"`},
		{`{"a":` + strings.Repeat(`{"a":`, 128) + `1` + strings.Repeat(`}`, 129), 422, "document_too_deep", "deep"},
	} {
		s := stored()
		w := serve(api.New(options(s)), request("PUT", "/api/flows/a", test.body))
		if p := mustProblem(t, w); w.Code != test.code || p.Code != test.word || !strings.Contains(p.Detail, test.detail) {
			t.Errorf("%.40q: %d %+v, want %d %s %q", test.body, w.Code, p, test.code, test.word, test.detail)
		}
		if len(s.asked) != 0 {
			t.Errorf("%.40q went past the boundary", test.body)
		}
	}
	for _, good := range []string{`{}`, `{"a":[null,{"b":null}],"":{},"a":1}`, `{"a":` + strings.Repeat(`{"a":`, 126) + `1` + strings.Repeat(`}`, 127)} {
		if w := serve(api.New(options(stored())), request("PUT", "/api/flows/a", good)); w.Code != http.StatusOK {
			t.Errorf("%.40q: %d %s", good, w.Code, w.Body)
		}
	}
}

func TestPutFlow_mayBeAsLargeAsADocument_andTheOthersMayNot(t *testing.T) {
	t.Parallel()
	o := options(stored())
	o.MaxBodyBytes, o.MaxDocumentBytes = 30, 60
	h := api.New(o)
	for _, test := range []struct {
		method, path, body string
		code               int
	}{
		{"PUT", "/api/flows/a", `{"a":"` + strings.Repeat("x", 52) + `"}`, 200},
		{"PUT", "/api/flows/a", `{"a":"` + strings.Repeat("x", 53) + `"}`, 413},
		{"POST", "/api/flows/a/changes", `{"changes":{"a":"` + strings.Repeat("x", 20) + `"}}`, 413},
	} {
		w := serve(h, request(test.method, test.path, test.body))
		if w.Code != test.code {
			t.Errorf("%s of %d bytes: %d, want %d", test.method, len(test.body), w.Code, test.code)
		}
		if test.code == http.StatusRequestEntityTooLarge && mustProblem(t, w).Code != "body_too_large" {
			t.Errorf("%s", w.Body)
		}
	}
}

func TestListFlows_pages(t *testing.T) {
	t.Parallel()
	at := flows.Position{Epoch: "E1", Seq: 7}
	s := &fakeSessions{next: flows.Place{Changed: 1_700_000_000_123, Flow: "b ü"}, list: []flows.Summary{
		{Flow: "a", Position: at, CreatedAt: began, UpdatedAt: lastSeen, Title: "<Größe>", Nodes: 2, Edges: 1, CountedSeq: 7, Active: true, ClientCount: 3},
		{Flow: "b ü", Position: at, CountedSeq: 4},
	}}
	ask := func(query string) *httptest.ResponseRecorder {
		return serve(api.New(options(s)), request("GET", "/api/flows"+query, ""))
	}
	w := ask("")
	cursor := s.next.Cursor()
	want := `{"flows":[{"flow_id":"a","title":"<Größe>","nodes":2,"edges":1,"up_to_date":true,"epoch":"E1","seq":7,` +
		`"created_at":"2024-05-06T07:08:09Z","updated_at":"2024-05-06T08:08:09.5Z","active":true,"client_count":3},` +
		`{"flow_id":"b ü","title":"","nodes":0,"edges":0,"up_to_date":false,"epoch":"E1","seq":7,` +
		`"created_at":null,"updated_at":null,"active":false,"client_count":0}],"next_cursor":"` + cursor + `"}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want {
		t.Fatalf("%d %s\nwant %s", w.Code, got, want)
	}
	if s.limit != 100 || s.after != (flows.Place{}) {
		t.Errorf("asked for %d behind %v", s.limit, s.after)
	}
	asked := s.next
	s.next = flows.Place{}
	if w = ask("?limit=1000&cursor=" + cursor); w.Code != 200 || !strings.HasSuffix(strings.TrimSpace(w.Body.String()), `"next_cursor":null}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if s.limit != 1000 || s.after != asked {
		t.Errorf("asked for %d behind %v", s.limit, s.after)
	}
	before := len(s.asked)
	for _, bad := range []string{
		"?limit=0", "?limit=-1", "?limit=1001", "?limit=ten", "?limit=", "?limit=1&limit=2", "?cursor=%25", "?cursor=YWJj", "?cursor=" + cursor + "x",
		"?curser=" + cursor, "?cursor=a;b",
		"?cursor=" + flows.Place{Changed: -5, Flow: "a"}.Cursor(), "?cursor=" + flows.Place{Changed: 5, Flow: " "}.Cursor(),
	} {
		if w := ask(bad); w.Code != http.StatusBadRequest || mustProblem(t, w).Code != "invalid_query" {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}
	if len(s.asked) != before {
		t.Error("a query that cannot be went past the boundary")
	}
}

func TestDocumentRoutes_tellWhichMethodsTheyTake(t *testing.T) {
	t.Parallel()
	for path, allow := range map[string]string{"/api/flows": "GET, HEAD", "/api/flows/a": "GET, HEAD, PUT, DELETE"} {
		w := serve(api.New(options(stored())), request("POST", path, `{}`))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != allow {
			t.Errorf("%s: %d %q", path, w.Code, w.Header().Get("Allow"))
		}
		mustProblem(t, w)
	}
	if w := serve(api.New(options(stored())), request("GET", "/api/flows/", "")); w.Code != http.StatusNotFound {
		t.Errorf("a flow without an id: %d", w.Code)
	}
}
