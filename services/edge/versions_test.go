package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"helix/shared/redistest"
)

// do asks over HTTP and gives the answer with its headers.
func (r *running) do(method, path, token, body string, header ...string) (int, http.Header, string) {
	r.t.Helper()
	request, err := http.NewRequest(method, r.url()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

type versionList struct {
	Versions []struct {
		ID   string
		Name *string
		Seq  uint64
		At   time.Time
		By   []struct {
			ClientID string  `json:"client_id"`
			UserID   *string `json:"user_id"`
			Name     *string
		}
		Nodes int
	}
}

func (r *running) versions(token string) (list versionList) {
	r.t.Helper()
	code, _, body := r.do("GET", "/api/flows/f/versions", token, "")
	if err := json.Unmarshal([]byte(body), &list); code != http.StatusOK || err != nil {
		r.t.Fatalf("%d %s", code, body)
	}
	return list
}

// Two people on two edges edit; what they made is named, read, restored; who may only read cannot.
func TestVersions_onTheWire_sayWhoAndWhen(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	environ := withTokens("HELIX_REDIS_URL="+redis.URL, "HELIX_VERSION_INTERVAL=1s")
	a, b := start(t, environ...), start(t, environ...)
	token := func(user, name, rights string) string {
		return minted(t, environ, "--user", user, "--name", name, "--right", "f="+rights)
	}
	writer, reader, manager := token("u-ann", "Ann", "read,write"), token("u-eve", "Eve", "read"), token("u-max", "Max", "read,write,manage")
	ann, _, _ := a.dialAs(writer)
	bob, _, _ := b.dialAs(token("u-bob", "Bob", "read,write"))
	ann.ask(`["1","1","flow:f","phx_join",{"client_id":"c-ann","sync":true,"presence":{"name":"somebody else"}}]`, `"status":"ok"`)
	bob.ask(`["1","1","flow:f","phx_join",{"client_id":"c-bob"}]`, `"status":"ok"`)
	ann.ask(`["1","2","flow:f","flow_change",{"changes":{"nodes":{"n1":{"x":1}}}}]`, `"seq":1`)
	bob.ask(`["1","2","flow:f","flow_change",{"changes":{"nodes":{"n2":{"x":2}}}}]`, `"seq":2`)

	code, header, body := b.do("POST", "/api/flows/f/versions", writer, `{"name":"Two nodes"}`)
	place := header.Get("Location")
	if code != http.StatusCreated || !strings.HasPrefix(place, "/api/flows/f/versions/") || !strings.Contains(body, `"name":"Two nodes"`) || !strings.Contains(body, `"seq":2`) {
		t.Fatalf("%d %v %s", code, header, body)
	}
	const document = `{"nodes":{"n1":{"x":1},"n2":{"x":2}}}`
	code, header, body = a.do("GET", place, reader, "")
	if code != http.StatusOK || body != document || !strings.Contains(header.Get("Cache-Control"), "immutable") || header.Get("Helix-Seq") != "2" {
		t.Fatalf("%d %v %s", code, header, body)
	}
	if code, _, body = a.do("GET", place, reader, "", "If-None-Match", header.Get("ETag")); code != http.StatusNotModified || body != "" {
		t.Fatalf("%d %s", code, body)
	}

	ann.ask(`["1","3","flow:f","flow_change",{"changes":{"nodes":{"n1":null}}}]`, `"seq":3`)
	var list versionList
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if list = b.versions(reader); len(list.Versions) > 1 || time.Now().After(deadline) {
			break
		}
	}
	if len(list.Versions) != 2 || list.Versions[0].Seq != 3 || list.Versions[0].Name != nil || list.Versions[0].Nodes != 1 || *list.Versions[1].Name != "Two nodes" {
		t.Fatalf("%+v", list)
	}
	for i, want := range []string{"c-ann u-ann Ann", "c-bob u-bob Bob, c-ann u-ann Ann"} {
		var by []string
		for _, a := range list.Versions[i].By {
			by = append(by, fmt.Sprint(a.ClientID, " ", *a.UserID, " ", *a.Name))
		}
		if got := strings.Join(by, ", "); got != want || time.Since(list.Versions[i].At) > time.Minute {
			t.Errorf("version %d is by %s, want %s; at %v", i, got, want, list.Versions[i].At)
		}
	}

	if code, _, body = a.do("POST", "/api/flows/f/changes", manager, `{"changes":{"title":"Max"},"client_id":"script"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if code, _, body = a.do("POST", "/api/flows/f/versions", writer, `{"name":"By Max"}`); code != http.StatusCreated || !strings.Contains(body, `"by":[{"client_id":"script","user_id":"u-max","name":"Max"}]`) {
		t.Fatalf("%d %s", code, body)
	}

	if code, _, body = a.do("PUT", "/api/flows/f", writer, document); code != http.StatusOK { // restored
		t.Fatalf("%d %s", code, body)
	}
	if got := ann.read("flow_update"); !strings.Contains(got, `"seq":`) {
		t.Fatal(got)
	}
	for _, refused := range []struct{ method, path, token, body string }{
		{"POST", "/api/flows/f/versions", reader, `{"name":"x"}`}, {"PATCH", place, reader, `{"name":"x"}`},
		{"DELETE", place, writer, ""}, {"GET", strings.Replace(place, "/f/", "/g/", 1), reader, ""},
	} {
		if code, _, body = a.do(refused.method, refused.path, refused.token, refused.body); code != http.StatusForbidden {
			t.Errorf("%+v: %d %s", refused, code, body)
		}
	}
	if code, _, body = b.do("PATCH", place, writer, `{"name":"Both"}`); code != http.StatusOK || !strings.Contains(body, `"name":"Both"`) {
		t.Fatalf("%d %s", code, body)
	}
	if code, _, body = a.do("DELETE", place, manager, ""); code != http.StatusNoContent {
		t.Fatalf("%d %s", code, body)
	}
	if code, _, body = b.do("GET", place, reader, ""); code != http.StatusNotFound || !strings.Contains(body, `"no_version"`) {
		t.Fatalf("%d %s", code, body)
	}
	if code, _, body = b.do("GET", "/api/flows/f/outline", reader, ""); code != http.StatusOK || !strings.Contains(body, `"nodes":[]`) { // none has a position
		t.Fatalf("%d %s", code, body)
	}
	if code, _, body = b.do("GET", "/api/flows?members=true", reader, ""); code != http.StatusOK || !strings.Contains(body, `"members":[{"client_id":"c-ann","user_id":"u-ann","name":"Ann","color":null}]`) {
		t.Fatalf("%d %s", code, body)
	}
}
