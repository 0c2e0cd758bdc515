package socket

import (
	"net/http"
	"net/url"
	"strings"
)

// originAllowed says whether a page of the request's origin may connect. A request without an Origin
// header comes from no browser and may. Without a list the origin's host must be the one that is
// connected to; in the list, "*" is all, "https://a.example" one origin, "a.example" any scheme of it,
// and "*.example.com" one more label before it.
func originAllowed(r *http.Request, allowed []string) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return true
	}
	if len(allowed) == 1 && allowed[0] == "*" {
		return true
	}
	if len(values) > 1 {
		return false
	}
	origin, err := url.Parse(values[0])
	if err != nil || origin.Host == "" || origin.User != nil || origin.Path != "" {
		return false
	}
	if len(allowed) == 0 {
		return strings.EqualFold(origin.Host, r.Host)
	}
	for _, want := range allowed {
		if want == "*" || matches(origin, want) {
			return true
		}
	}
	return false
}

func matches(origin *url.URL, want string) bool {
	if scheme, host, ok := strings.Cut(want, "://"); ok {
		if !strings.EqualFold(scheme, origin.Scheme) {
			return false
		}
		want = host
	}
	host := origin.Host
	if suffix, ok := strings.CutPrefix(want, "*."); ok {
		_, rest, found := strings.Cut(host, ".")
		return found && strings.EqualFold(rest, suffix)
	}
	return strings.EqualFold(host, want)
}
