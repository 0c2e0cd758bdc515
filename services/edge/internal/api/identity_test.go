package api_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"helix/edge/internal/api"
	"helix/shared/flows"
)

// guarded are the routes that want a token, and the right that each needs to the flow "demo"; 0: none.
var guarded = map[string]struct {
	path, body string
	right      flows.Right
}{
	"GET /api/flows":                {"/api/flows", "", 0},
	"GET /api/sessions":             {"/api/sessions", "", 0},
	"GET /api/flows/{id}":           {"/api/flows/demo", "", flows.Read},
	"GET /api/flows/{id}/status":    {"/api/flows/demo/status", "", flows.Read},
	"PUT /api/flows/{id}":           {"/api/flows/demo", `{}`, flows.Write},
	"GET /api/flows/{id}/outline":   {"/api/flows/demo/outline", "", flows.Read},
	"GET /api/flows/{id}/versions":  {"/api/flows/demo/versions", "", flows.Read},
	"POST /api/flows/{id}/versions": {"/api/flows/demo/versions", `{"name":"x"}`, flows.Write},

	"GET /api/flows/{id}/versions/{version}":    {"/api/flows/demo/versions/v", "", flows.Read},
	"PATCH /api/flows/{id}/versions/{version}":  {"/api/flows/demo/versions/v", `{"name":"x"}`, flows.Write},
	"DELETE /api/flows/{id}/versions/{version}": {"/api/flows/demo/versions/v", "", flows.Manage},

	"POST /api/flows/{id}/changes":   {"/api/flows/demo/changes", `{"changes":{}}`, flows.Write},
	"DELETE /api/flows/{id}":         {"/api/flows/demo", "", flows.Manage},
	"DELETE /api/flows/{id}/session": {"/api/flows/demo/session", "", flows.Manage},
}

// open are those that want none.
var open = []string{"/api/version", "/api/openapi.json", "/healthz", "/readyz", "/", "/page.css"}

// person is who a token of these tests says: their rights to the flow "demo", and to no other.
type person flows.Right

func (person) UserID() string { return "ann" }
func (person) Name() string   { return "Ann" }
func (p person) May(right flows.Right, id flows.ID) bool {
	return id == "demo" && flows.Right(p)&right == right
}

// knows takes a token that lists rights, or "nothing".
func knows(_ context.Context, token string) (flows.Identity, error) {
	switch token {
	case "nothing":
		return person(0), nil
	case "expired":
		return nil, flows.ErrTokenExpired.Because(errors.New("by an hour"))
	case "keyless":
		return nil, flows.ErrKeysUnavailable
	case "":
		return nil, flows.ErrUnauthenticated.Because(errors.New("there is no token"))
	}
	var may flows.Right
	for _, word := range strings.Split(token, ",") {
		right, ok := flows.ParseRight(word)
		if !ok {
			return nil, flows.ErrUnauthenticated.Because(errors.New("hunter2"))
		}
		may |= right
	}
	return person(may), nil
}

func guardedOptions(sessions flows.Sessions) api.Options {
	o := options(sessions)
	o.Authenticate = knows
	return o
}

func TestRoutes_needTheirRight_andNoOther(t *testing.T) {
	t.Parallel()
	for operation, of := range guarded {
		method, _, _ := strings.Cut(operation, " ")
		for _, token := range []string{"nothing", "read", "write", "manage", "read,write", "read,manage", "write,manage", "read,write,manage"} {
			who, _ := knows(t.Context(), token)
			sessions := &fakeSessions{}
			w := serve(api.New(guardedOptions(sessions)), request(method, of.path, of.body, "Authorization", "Bearer "+token))
			if who.May(of.right, "demo") {
				if w.Code >= 300 || len(sessions.asked) == 0 {
					t.Errorf("%s with %q: %d %s", operation, token, w.Code, w.Body)
				}
				continue
			}
			if p := mustProblem(t, w); w.Code != http.StatusForbidden || p.Code != "unauthorized" || len(sessions.asked) != 0 {
				t.Errorf("%s with %q: %d %+v, asked %q", operation, token, w.Code, p, sessions.asked)
			}
		}
	}
}

// What the right is compared with is the flow that the boundary would act on, however the path writes it.
func TestRoutes_compareTheFlowThatIsMeant(t *testing.T) {
	t.Parallel()
	for id, may := range map[string]bool{
		"demo": true, "%64emo": true, "%20demo%20": true, "%C2%A0demo": true, "demo%20": true,
		"Demo": false, "demo2": false, "%2564emo": false, "demo%2F": false, "demo%E2%80%8B": false, "x%2F..%2Fdemo": false,
	} {
		for operation, of := range guarded {
			if of.right == 0 {
				continue
			}
			method, _, _ := strings.Cut(operation, " ")
			sessions := &fakeSessions{}
			w := serve(api.New(guardedOptions(sessions)), request(method, strings.Replace(of.path, "demo", id, 1), of.body, "Authorization", "Bearer read,write,manage"))
			if may != (w.Code < 300) || (may && sessions.lastAsked() != "demo") || (!may && len(sessions.asked) != 0) {
				t.Errorf("%s of %q: %d, asked %q", operation, id, w.Code, sessions.asked)
			}
		}
	}
}

func TestRoutes_wantAToken_exceptThoseForEverybody(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		header    []string
		status    int
		code      string
		challenge string
	}{
		{"none", nil, 401, "unauthenticated", `Bearer realm="helix"`},
		{"another scheme", []string{"Authorization", "Basic cmVhZDpyZWFk"}, 401, "unauthenticated", `Bearer realm="helix"`},
		{"a scheme alone", []string{"Authorization", "Bearer"}, 401, "unauthenticated", `Bearer realm="helix"`},
		{"a token alone", []string{"Authorization", "read,write,manage"}, 401, "unauthenticated", `Bearer realm="helix"`},
		{"a bad one", []string{"Authorization", "Bearer forged"}, 401, "unauthenticated", `Bearer realm="helix", error="invalid_token", error_description="this needs a valid token"`},
		{
			"an expired one", []string{"Authorization", "bearer expired"}, 401, "token_expired",
			`Bearer realm="helix", error="invalid_token", error_description="the token has expired; come back with a fresh one"`,
		},
		{"one that cannot be verified now", []string{"Authorization", "Bearer keyless"}, 503, "unavailable", ""},
	}
	for _, c := range cases {
		for operation, of := range guarded {
			method, _, _ := strings.Cut(operation, " ")
			sessions := &fakeSessions{}
			w := serve(api.New(guardedOptions(sessions)), request(method, of.path, of.body, c.header...))
			p := mustProblem(t, w)
			if w.Code != c.status || p.Code != c.code || w.Header().Get("WWW-Authenticate") != c.challenge || len(sessions.asked) != 0 {
				t.Errorf("%s, %s: %d %+v %q, asked %q", operation, c.name, w.Code, p, w.Header().Get("WWW-Authenticate"), sessions.asked)
			}
			if strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("%s, %s: tells why: %s", operation, c.name, w.Body)
			}
		}
		for _, path := range open {
			if w := serve(api.New(guardedOptions(&fakeSessions{})), request("GET", path, "", c.header...)); w.Code != http.StatusOK {
				t.Errorf("%s, %s: %d %s", path, c.name, w.Code, w.Body)
			}
		}
	}
	twice := request("GET", "/api/sessions", "")
	twice.Header["Authorization"] = []string{"Bearer read", "Bearer read"}
	if w := serve(api.New(guardedOptions(&fakeSessions{})), twice); w.Code != http.StatusUnauthorized {
		t.Errorf("two tokens: %d", w.Code)
	}
	if w := serve(api.New(guardedOptions(&fakeSessions{})), request("GET", "/api/sessions?access_token=read", "")); w.Code != http.StatusUnauthorized {
		t.Errorf("a token in the query: %d", w.Code)
	}
	if w := serve(api.New(guardedOptions(&fakeSessions{})), request("HEAD", "/api/flows/demo", "", "Authorization", "Bearer nothing")); w.Code != http.StatusForbidden {
		t.Errorf("HEAD without the right: %d", w.Code)
	}
}

func TestLists_showWhatOneMayRead(t *testing.T) {
	t.Parallel()
	secrets := func() *fakeSessions {
		return &fakeSessions{
			active: []flows.Status{{Flow: "demo", Active: true}, {Flow: "secret", Active: true}, {Flow: "demo2", Active: true}},
			list:   []flows.Summary{{Flow: "secret", Changed: 3}, {Flow: "demo", Changed: 2}, {Flow: "demo2", Changed: 1}},
		}
	}
	for _, path := range []string{"/api/flows", "/api/sessions"} {
		for token, shows := range map[string][]string{"read": {`"demo"`}, "write,manage": nil, "nothing": nil} {
			w := serve(api.New(guardedOptions(secrets())), request("GET", path, "", "Authorization", "Bearer "+token))
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
			var got []string
			for _, id := range []string{`"demo"`, `"secret"`, `"demo2"`} {
				if strings.Contains(w.Body.String(), id) {
					got = append(got, id)
				}
			}
			if !slices.Equal(got, shows) {
				t.Errorf("%s with %q shows %q, want %q", path, token, got, shows)
			}
		}
		w := serve(api.New(options(secrets())), request("GET", path, ""))
		if !strings.Contains(w.Body.String(), `"secret"`) {
			t.Errorf("%s shows everybody less than all: %s", path, w.Body)
		}
	}
}

func TestAPI_logsWhoEndedWhat_andNoToken(t *testing.T) {
	t.Parallel()
	o := guardedOptions(&fakeSessions{})
	log, logged := logTo()
	o.Log = log
	for _, path := range []string{"/api/flows/demo", "/api/flows/demo/session"} {
		if w := serve(api.New(o), request("DELETE", path, "", "Authorization", "Bearer read,manage")); w.Code >= 300 {
			t.Fatal(w.Code)
		}
	}
	serve(api.New(o), request("DELETE", "/api/flows/demo", "", "Authorization", "Bearer forged"))
	l := logged()
	if strings.Count(l, "user_id=ann") != 2 || strings.Contains(l, "read,manage") || strings.Contains(l, "forged") {
		t.Error(l)
	}
}
