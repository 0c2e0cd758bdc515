package api_test

import (
	"net/http"
	"strings"
	"testing"

	"helix/edge/internal/api"
)

func TestPage_isServed_withItsTypes_andAskedForEachTime(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{}))
	cases := []struct{ path, contentType, body string }{
		{"/", "text/html; charset=utf-8", "<!doctype html><title>flow</title>"},
		{"/?flow=demo", "text/html; charset=utf-8", "<!doctype html><title>flow</title>"},
		{"/index.html", "text/html; charset=utf-8", "<!doctype html><title>flow</title>"},
		{"/page.css", "text/css; charset=utf-8", "body{}"},
		{"/vendor/phoenix.mjs", "text/javascript; charset=utf-8", "export class Socket{}"},
	}
	for _, c := range cases {
		w := serve(h, request("GET", c.path, ""))
		if w.Code != http.StatusOK || w.Body.String() != c.body || w.Header().Get("Content-Type") != c.contentType {
			t.Errorf("%s: %d %q as %q", c.path, w.Code, w.Body, w.Header().Get("Content-Type"))
		}
		tag := w.Header().Get("ETag")
		if w.Header().Get("Cache-Control") != "no-cache" || !strings.HasPrefix(tag, `"`) {
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

func TestPage_hidesHiddenFilesAndFolders(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{}))
	for _, path := range []string{"/vendor/.gitkeep", "/vendor", "/vendor/", "/page.css/", "//page.css"} {
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
