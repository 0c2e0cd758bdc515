package socket

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"helix/edge/internal/peer"
)

// anyOrigin stands for all origins in a list of those that are allowed.
const anyOrigin = "*"

// originAllowed says whether a page of the request's origin may connect. A request without an Origin
// header comes from no browser and may. Without a list the origin's host must be the one that is
// connected to, and over TLS its scheme https: who stands between can make up a page of the same host
// without it. In the list, "*" is all, "https://a.example" one origin, "a.example" any scheme of it,
// and "*.example.com" one more label before it.
func originAllowed(r *http.Request, allowed []string) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return true
	}
	if len(allowed) == 1 && allowed[0] == anyOrigin {
		return true
	}
	if len(values) > 1 {
		return false
	}
	scheme, host, ok := parseOrigin(values[0])
	if !ok {
		return false
	}
	if len(allowed) == 0 {
		own := scheme == "https" || scheme == "http" && !peer.Secure(r)
		return own && strings.EqualFold(host, withoutPort(scheme, r.Host))
	}
	for _, want := range allowed {
		if want == anyOrigin || matches(scheme, host, want) {
			return true
		}
	}
	return false
}

// parseOrigin reads an Origin as browsers write it (RFC 6454, section 6.2), the port left out that is the
// scheme's own. "null" is none, and so is everything that is more than an origin, or not ASCII: letters of
// other scripts may be equal to Latin ones where case does not count.
func parseOrigin(text string) (scheme, host string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !strings.EqualFold(text, u.Scheme+"://"+u.Host) || !isASCII(text) {
		return "", "", false
	}
	return u.Scheme, withoutPort(u.Scheme, u.Host), true
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// withoutPort leaves out the port of a host that a scheme has anyway.
func withoutPort(scheme, host string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

func matches(scheme, host, want string) bool {
	if wantScheme, wantHost, ok := strings.Cut(want, "://"); ok {
		if !strings.EqualFold(wantScheme, scheme) {
			return false
		}
		want = wantHost
	}
	want = withoutPort(scheme, want)
	if suffix, ok := strings.CutPrefix(want, "*."); ok {
		label, rest, found := strings.Cut(host, ".")
		return found && label != "" && strings.EqualFold(rest, suffix)
	}
	return strings.EqualFold(host, want)
}

// CheckAllowed says what is wrong with an entry of AllowedOrigins: one that no browser's origin can ever be
// equal to would turn everybody away, and nobody would know why.
func CheckAllowed(entry string) error {
	if entry == anyOrigin {
		return nil
	}
	scheme, host, ok := strings.Cut(entry, "://")
	if !ok {
		scheme, host = "https", entry
	}
	host = strings.TrimPrefix(host, "*.")
	switch _, _, ok := parseOrigin(scheme + "://" + host); {
	case !isASCII(entry):
		return errors.New("a name of another script must be written as browsers send it, beginning with xn--")
	case !ok || strings.Contains(host, "*"):
		return errors.New("it must be an origin (scheme://host, with a port if it has one, and no path), a host, *.host or *")
	}
	return nil
}
