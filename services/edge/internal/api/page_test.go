package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"helix/edge/internal/api"
)

const testIndex = "<!doctype html><title>flow</title>"

func TestPage_isServed_withItsTypes(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{}))
	const ask, keep = "no-cache", "public, max-age=31536000, immutable"
	cases := []struct{ path, contentType, body, cache string }{
		{"/", "text/html; charset=utf-8", testIndex, ask},
		{"/?flow=demo", "text/html; charset=utf-8", testIndex, ask},
		{"/index.html", "text/html; charset=utf-8", testIndex, ask},
		{"/page.css", "text/css; charset=utf-8", "body{}", ask},
		{"/assets/main-abc123.js", "text/javascript; charset=utf-8", "export{}", keep},
		{"/assets/inter-abc123.woff2", "font/woff2", "wOF2", keep},
	}
	for _, c := range cases {
		w := serve(h, request("GET", c.path, ""))
		if w.Code != http.StatusOK || w.Body.String() != c.body || w.Header().Get("Content-Type") != c.contentType {
			t.Errorf("%s: %d %q as %q", c.path, w.Code, w.Body, w.Header().Get("Content-Type"))
		}
		tag := w.Header().Get("ETag")
		if w.Header().Get("Cache-Control") != c.cache || !strings.HasPrefix(tag, `"`) {
			t.Errorf("%s: Cache-Control %q, ETag %q", c.path, w.Header().Get("Cache-Control"), tag)
		}
		if again := serve(h, request("GET", c.path, "", "If-None-Match", tag)); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s asked for again: %d %q", c.path, again.Code, again.Body)
		}
		if other := serve(h, request("GET", c.path, "", "If-None-Match", `"other"`)); other.Code != http.StatusOK {
			t.Errorf("%s with another tag: %d", c.path, other.Code)
		}
	}
}

// A flow's address opens the page in it, whatever the id looks like: a file's name, a path, an API route.
func TestPage_isWhatEveryFlowsAddressOpens(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{}))
	for path, found := range map[string]bool{
		"/flows/demo": true, "/flows/page.css": true, "/flows/a%2Fb": true, "/flows/a/b": true, "/flows/50%25%20off": true,
		"/flows/../etc": true, "/flows/%C3%BC?from=mail": true,
		"/flows/": false, "/flows": false, "/Flows/demo": false, "/flow/demo": false,
	} {
		w := serve(h, request("GET", path, ""))
		if !found {
			if mustProblem(t, w); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d %q", path, w.Code, w.Body)
			}
			continue
		}
		if w.Code != http.StatusOK || w.Body.String() != testIndex || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %q, Cache-Control %q", path, w.Code, w.Body, w.Header().Get("Cache-Control"))
		}
	}
	if w := serve(h, request("POST", "/flows/demo", "")); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestPage_isSentInTheBestFormThatTheClientTakes(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	o.Page = fstest.MapFS{
		"index.html":     {Data: []byte("plain")},
		"assets/a.js":    {Data: []byte("plain script")},
		"assets/a.js.br": {Data: []byte("BR")},
		"assets/a.js.gz": {Data: []byte("GZ")},
		"assets/b.js":    {Data: []byte("plain b")},
		"assets/b.js.gz": {Data: []byte("GZ b")},
		"notes.gz":       {Data: []byte("a file of its own")},
	}
	h := api.New(o)
	cases := []struct{ path, accept, encoding, body string }{
		{"/assets/a.js", "", "", "plain script"},
		{"/assets/a.js", "gzip, deflate, br, zstd", "br", "BR"},
		{"/assets/a.js", "gzip;q=1.0, br;q=0.1", "br", "BR"},
		{"/assets/a.js", "BR", "br", "BR"},
		{"/assets/a.js", "gzip", "gzip", "GZ"},
		{"/assets/a.js", "br;q=0, gzip", "gzip", "GZ"},
		{"/assets/a.js", "br; q=0.000, *", "gzip", "GZ"},
		{"/assets/a.js", "*", "br", "BR"},
		{"/assets/a.js", "*;q=0", "", "plain script"},
		{"/assets/a.js", "identity", "", "plain script"},
		{"/assets/a.js", "br;q=high", "", "plain script"},
		{"/assets/a.js", "brotli, , ;", "", "plain script"},
		{"/assets/b.js", "br, gzip", "gzip", "GZ b"},
		{"/assets/b.js", "br", "", "plain b"},
		{"/", "br, gzip", "", "plain"},
		{"/notes.gz", "br, gzip", "", "a file of its own"},
	}
	tags := map[string]string{}
	for _, c := range cases {
		w := serve(h, request("GET", c.path, "", "Accept-Encoding", c.accept))
		got := w.Header()
		if w.Code != http.StatusOK || got.Get("Content-Encoding") != c.encoding || w.Body.String() != c.body {
			t.Errorf("%s for %q: %d %q %q", c.path, c.accept, w.Code, got.Get("Content-Encoding"), w.Body)
		}
		if got.Get("Content-Length") != strconv.Itoa(len(c.body)) {
			t.Errorf("%s for %q: Content-Length %q", c.path, c.accept, got.Get("Content-Length"))
		}
		if varies := got.Get("Vary") == "Accept-Encoding"; varies != strings.HasPrefix(c.path, "/assets/") {
			t.Errorf("%s: Vary %q", c.path, got.Get("Vary"))
		}
		// Each form has a tag of its own: a cache must not take one for the other.
		if other, seen := tags[got.Get("ETag")]; seen && other != c.body {
			t.Errorf("%q and %q have one tag", other, c.body)
		}
		tags[got.Get("ETag")] = c.body
	}
	for _, path := range []string{"/assets/a.js.br", "/assets/a.js.gz"} {
		if w := serve(h, request("GET", path, "")); w.Code != http.StatusNotFound {
			t.Errorf("%s is served by its own name: %d", path, w.Code)
		}
	}
}

func TestPage_hidesHiddenFilesAndFolders(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{}))
	for _, path := range []string{"/assets/.gitkeep", "/assets", "/assets/", "/page.css/", "//page.css"} {
		w := serve(h, request("GET", path, ""))
		if mustProblem(t, w); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
}

func TestPage_comesWithTheBinary(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	o.Page = nil
	w := serve(api.New(o), request("GET", "/", ""))
	if w.Code != http.StatusOK || !strings.Contains(strings.ToLower(w.Body.String()), "<!doctype html>") {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestPage_thatWasNotBuilt_saysWhatToDo(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	o.Page = fstest.MapFS{".gitkeep": {}}
	h := api.New(o)
	for _, path := range []string{"/", "/flows/demo"} {
		if w := serve(h, request("GET", path, "")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "make build") {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
}
