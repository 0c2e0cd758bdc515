package api_test

import (
	"net/http"
	"strings"
	"testing"

	"helix/edge/internal/api"
	"helix/shared/flows"
)

// keeping are sessions in which a version is at seq 7.
func keeping() *fakeSessions {
	s := stored()
	s.version = flows.Version{
		ID: "v1", Position: s.at, At: lastSeen, Title: "T", Nodes: 2, Edges: 1, Number: 5,
		By: []flows.Author{{ClientID: "c1", UserID: "ann", Name: "Ann <&>"}, {ClientID: "c2"}},
	}
	s.versions = []flows.Version{s.version}
	return s
}

const versionJSON = `{"id":"v1","name":NAME,"epoch":"E1","seq":7,"at":"2024-05-06T08:08:09Z","by":[{"client_id":"c1","user_id":"ann","name":"Ann <&>"},{"client_id":"c2","user_id":null,"name":null}],"title":"T","nodes":2,"edges":1}`

func TestListVersions_saysWhoAndWhen_andWhereItGoesOn(t *testing.T) {
	t.Parallel()
	s := keeping()
	w := serve(api.New(options(s)), request("GET", "/api/flows/a/versions?limit=1", ""))
	body := strings.Replace(`{"versions":[`+versionJSON+`],"next_cursor":null}`, "NAME", "null", 1)
	if got := strings.Replace(strings.TrimSpace(w.Body.String()), "2024-05-06T08:08:09.000Z", "2024-05-06T08:08:09Z", 1); w.Code != 200 || !sameBut(got, body, `"at"`) {
		t.Errorf("%d\n got %s\nwant %s", w.Code, got, body)
	}
	s.more = true
	w = serve(api.New(options(s)), request("GET", "/api/flows/a/versions?limit=1", ""))
	if !strings.Contains(w.Body.String(), `"next_cursor":"NQ"`) {
		t.Fatal(w.Body)
	}
	if w = serve(api.New(options(s)), request("GET", "/api/flows/a/versions?cursor=NQ", "")); w.Code != 200 || s.below != 5 || s.limit != flows.DefaultPage {
		t.Errorf("%d, below %d, limit %d", w.Code, s.below, s.limit)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "cursor=!", "cursor=MA", "members=true", "more=1", "limit=1&limit=2"} {
		if p := mustProblem(t, serve(api.New(options(s)), request("GET", "/api/flows/a/versions?"+query, ""))); p.Code != "invalid_query" {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

// sameBut compares two texts but for what stands in them behind a word, up to the next comma.
func sameBut(a, b, word string) bool {
	cut := func(s string) string {
		before, rest, _ := strings.Cut(s, word)
		_, after, _ := strings.Cut(rest, ",")
		return before + after
	}
	return cut(a) == cut(b)
}

func TestGetVersion_mayBeKeptByWhoReadsIt(t *testing.T) {
	t.Parallel()
	s := keeping()
	w := serve(api.New(options(s)), request("GET", "/api/flows/a/versions/v1", ""))
	for name, value := range map[string]string{
		"Etag": `"E1-7"`, "Helix-Epoch": "E1", "Helix-Seq": "7", "Content-Type": "application/json", "Cache-Control": "private, max-age=86400, immutable",
	} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if w.Code != 200 || w.Body.String() != string(s.document.JSON) || s.askedFor != "v1" {
		t.Errorf("%d %s, asked for %q", w.Code, w.Body, s.askedFor)
	}
	if w = serve(api.New(options(s)), request("GET", "/api/flows/a/versions/v1", "", "If-None-Match", `"E1-7"`)); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	serve(api.New(options(s)), request("GET", "/api/flows/a%2Fb/versions/%41%2F%25", ""))
	if s.askedFor != "A/%" || s.lastAsked() != "a/b" {
		t.Errorf("asked for %q of %q", s.askedFor, s.lastAsked())
	}
}

func TestNameVersion_takesANameAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body, name string
		post       int
		patch      int
	}{
		{`{"name":" Before the demo "}`, `"Before the demo"`, 201, 200},
		{`{"name":"\u00e4<&>"}`, `"ä<&>"`, 201, 200},
		{`{"name":null}`, `null`, 422, 200},
		{`{"name":""}`, ``, 422, 422},
		{`{"name":" "}`, ``, 422, 422},
		{`{"name":"a\nb"}`, ``, 422, 422},
		{`{"name":"` + strings.Repeat("x", 200) + `"}`, `"` + strings.Repeat("x", 200) + `"`, 201, 200},
		{`{"name":"` + strings.Repeat("x", 201) + `"}`, ``, 422, 422},
		{`{"name":7}`, ``, 422, 422},
		{`{}`, ``, 422, 422},
		{`{"name":"a","more":1}`, ``, 400, 400},
		{`{"Name":"a"}`, ``, 400, 400},
		{`"name"`, ``, 400, 400},
		{`null`, ``, 400, 400},
		{`{"name":"a"} {}`, ``, 400, 400},
		{`{"name":"a"`, ``, 400, 400},
		{"{\"name\":\"\xff\"}", ``, 400, 400},
	} {
		for method, want := range map[string]int{"POST": c.post, "PATCH": c.patch} {
			path := "/api/flows/ a /versions"
			path = strings.ReplaceAll(path, " ", "%20")
			if method == "PATCH" {
				path += "/v1"
			}
			w := serve(api.New(options(keeping())), request(method, path, c.body))
			if w.Code != want {
				t.Errorf("%s %.40s: %d %s, want %d", method, c.body, w.Code, w.Body, want)
				continue
			}
			if want >= 300 {
				mustProblem(t, w)
				continue
			}
			if body := strings.Replace(versionJSON, "NAME", c.name, 1); !sameBut(strings.TrimSpace(w.Body.String()), body, `"at"`) {
				t.Errorf("%s %s: %s", method, c.body, w.Body)
			}
			if place := w.Header().Get("Location"); method == "POST" && place != "/api/flows/a/versions/v1" {
				t.Errorf("%s: it is at %q", c.body, place)
			}
		}
	}
}

func TestListFlows_tellsMembersWhereItIsAsked(t *testing.T) {
	t.Parallel()
	s := &fakeSessions{
		list:    []flows.Summary{{Flow: "quiet"}, {Flow: "busy", Active: true, ClientCount: 9}},
		members: [][]flows.Profile{{{ClientID: "c", Name: "Ann", Color: "#0a0"}}},
	}
	for query, want := range map[string]string{
		"": ``, "?members=false&limit=1000": ``, "?members=true&limit=100": `"members":[]`, "?members=true": `"client_count":0,"members":[]},{"flow_id":"busy"`,
	} {
		w := serve(api.New(options(s)), request("GET", "/api/flows"+query, ""))
		body := w.Body.String()
		if w.Code != 200 || (want == "") == strings.Contains(body, "members") || !strings.Contains(body, want) {
			t.Errorf("%q: %d %s", query, w.Code, body)
		}
		if want != "" && !strings.Contains(body, `"client_count":9,"members":[{"client_id":"c","user_id":null,"name":"Ann","color":"#0a0"}]}`) {
			t.Errorf("%q: %s", query, body)
		}
	}
	for _, query := range []string{"members=1", "members=", "members", "members=true&members=true", "members=true&limit=101"} {
		if p := mustProblem(t, serve(api.New(options(s)), request("GET", "/api/flows?"+query, ""))); p.Code != "invalid_query" {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

func TestOutline_hasTheDocumentsValidator(t *testing.T) {
	t.Parallel()
	s := stored()
	s.document.JSON = []byte(`{"nodes":{"n":{"type":"a<b","position":{"x":1,"y":2}}}}`)
	w := serve(api.New(options(s)), request("GET", "/api/flows/a/outline", ""))
	const want = `{"nodes":[{"id":"n","type":"a<b","x":1,"y":2,"width":0,"height":0}],"edges":[],"truncated":false}`
	if strings.TrimSpace(w.Body.String()) != want || w.Header().Get("ETag") != `"E1-7"` || w.Header().Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	s.document = flows.Document{}
	if w = serve(api.New(options(s)), request("GET", "/api/flows/a/outline", "", "If-None-Match", `"E1-7"`)); w.Code != http.StatusNotModified {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
