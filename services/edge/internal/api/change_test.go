package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"helix/edge/internal/api"
	"helix/shared/flows"
)

func TestChange_passesChangesOn_byteForByte(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, body, changes, client string }{
		{"plain", `{"changes":{"a":1}}`, `{"a":1}`, ""},
		{"client id", `{"client_id":"tab-1","changes":{"a":1}}`, `{"a":1}`, "tab-1"},
		{"empty client id", `{"client_id":"","changes":{}}`, `{}`, ""},
		{"digits", `{"changes":{"n":123456789012345678901234567890,"f":1.10,"e":1E400,"z":-0}}`, `{"n":123456789012345678901234567890,"f":1.10,"e":1E400,"z":-0}`, ""},
		{"white space inside", "{ \"changes\" :\n { \"a\" : [ 1 , 2 ] }\n }\n", `{ "a" : [ 1 , 2 ] }`, ""},
		{"escapes", `{"changes":{"a":"\u2028<\/é\ud83d"}}`, `{"a":"\u2028<\/é\ud83d"}`, ""},
		{"doubled and null members inside", `{"changes":{"b":2,"b":null}}`, `{"b":2,"b":null}`, ""},
		{"escaped name", `{"ch\u0061nges":{"a":1}}`, `{"a":1}`, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sessions := &fakeSessions{}
			w := serve(api.New(options(sessions)), request("POST", "/api/flows/a/changes", c.body))
			if w.Code != http.StatusOK {
				t.Fatalf("refused: %d %s", w.Code, w.Body)
			}
			if got := string(sessions.change.Changes); got != c.changes {
				t.Errorf("changes %q, want %q", got, c.changes)
			}
			if sessions.change.ClientID != c.client {
				t.Errorf("client id %q, want %q", sessions.change.ClientID, c.client)
			}
		})
	}
}

func TestChange_refusesBadBodies_andChangesNothing(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	cases := []struct {
		name, body string
		status     int
		code       string
	}{
		{"empty", ` `, 400, "invalid_body"},
		{"no JSON", `hello`, 400, "invalid_body"},
		{"cut short", `{"changes":{"a":1}`, 400, "invalid_body"},
		{"cut short inside", `{"changes":{"a":`, 400, "invalid_body"},
		{"a list", `[{"changes":{}}]`, 400, "invalid_body"},
		{"null", `null`, 400, "invalid_body"},
		{"something after it", `{"changes":{}} {}`, 400, "invalid_body"},
		{"no comma", `{"changes":{} "client_id":"x"}`, 400, "invalid_body"},
		{"comma at the end", `{"changes":{},}`, 400, "invalid_body"},
		{"unknown member", `{"changes":{},"chnages":{}}`, 400, "invalid_body"},
		{"other letter case", `{"Changes":{}}`, 400, "invalid_body"},
		{"changes twice", `{"changes":{},"changes":{"a":1}}`, 400, "invalid_body"},
		{"not UTF-8", "{\"changes\":{\"a\":\"\xff\"}}", 400, "invalid_body"},
		{"no changes", `{}`, 422, "invalid_changes"},
		{"changes null", `{"changes":null}`, 422, "invalid_changes"},
		{"changes a list", `{"changes":[]}`, 422, "invalid_changes"},
		{"changes a string", `{"changes":"{}"}`, 422, "invalid_changes"},
		{"too deep", `{"changes":` + deep(flows.DefaultLimits.MaxDepth+1) + `}`, 422, "changes_too_deep"},
		{"too deep for any parser", `{"changes":` + deep(20_000) + `}`, 400, "invalid_body"},
		{"changes too large", `{"changes":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, 413, "changes_too_large"},
		{"body too large", `{"changes":{"a":"` + strings.Repeat("x", 2<<20) + `"}}`, 413, "body_too_large"},
		{"client id no string", `{"changes":{},"client_id":7}`, 422, "invalid_params"},
		{"client id null", `{"changes":{},"client_id":null}`, 422, "invalid_params"},
		{"client id an object", `{"client_id":{"a":[1]},"changes":{}}`, 422, "invalid_params"},
		{"client id too long", `{"changes":{},"client_id":"` + strings.Repeat("x", 129) + `"}`, 422, "invalid_params"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sessions := &fakeSessions{}
			w := serve(api.New(options(sessions)), request("POST", "/api/flows/a/changes", c.body))
			if p := mustProblem(t, w); w.Code != c.status || p.Code != c.code {
				t.Errorf("got %d %+v, want %d %s", w.Code, p, c.status, c.code)
			}
			if len(sessions.asked) != 0 {
				t.Error("a refused change was made")
			}
		})
	}
}

func TestChange_demandsJSONAsContentType(t *testing.T) {
	t.Parallel()
	cases := map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON": 200,
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, ";": 415,
	}
	for contentType, status := range cases {
		w := serve(api.New(options(&fakeSessions{})), request("POST", "/api/flows/a/changes", `{"changes":{}}`, "Content-Type", contentType))
		if w.Code != status {
			t.Errorf("%q: %d, want %d", contentType, w.Code, status)
		}
		if status == 415 {
			mustProblem(t, w)
		}
	}
}

func TestChange_boundsBodies_asConfigured(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	o.MaxBodyBytes = 20
	for body, status := range map[string]int{`{"changes":{"a":12}}`: 200, `{"changes":{"a":123}}`: 413} {
		if w := serve(api.New(o), request("POST", "/api/flows/a/changes", body)); w.Code != status {
			t.Errorf("%d bytes: %d, want %d", len(body), w.Code, status)
		}
	}
}

func FuzzParseChange(f *testing.F) {
	for _, seed := range []string{
		`{"changes":{"a":1}}`, `{"changes":{"n":123456789012345678901234567890},"client_id":"x"}`, `{"changes":[],"client_id":null}`,
		`{"changes":{} "client_id":"x"}`, `{"changes":{},}`, `{,"changes":{}}`, `{"changes"}`, `{"changes":{}}}`, `{"changes":{"a":"\ud800"}}`,
		`{"changes":{"a":{}}`, `[]`, `{}`, ``, "{\"changes\":{\"\xff\":1}}", `{"changes":{},"changes":{}}`, `{"client_id":"\u0000","changes":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		c, err := api.ParseChange(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was written to")
		}
		if err != nil {
			return
		}
		// What is accepted is JSON as the standard decoder sees it, and means the same to it.
		var want struct {
			Changes  json.RawMessage `json:"changes"`
			ClientID string          `json:"client_id"`
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&want); err != nil || !json.Valid(body) {
			t.Fatalf("accepted %q: %v", body, err)
		}
		if !bytes.Equal(c.Changes, want.Changes) || c.ClientID != want.ClientID {
			t.Fatalf("%q read as %q, %q", body, c.Changes, c.ClientID)
		}
		if !utf8.Valid(c.Changes) || !bytes.Contains(body, c.Changes) || len(c.ClientID) > flows.MaxClientIDBytes {
			t.Fatalf("%q read as %q, %q", body, c.Changes, c.ClientID)
		}
	})
}
