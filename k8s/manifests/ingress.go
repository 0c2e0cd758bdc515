package manifests

import (
	"strconv"
	"strings"
	"time"
)

// timeouts are the annotations that say how long a controller lets a socket be silent; a bare number is seconds.
var timeouts = []string{
	"nginx.ingress.kubernetes.io/proxy-read-timeout",
	"nginx.ingress.kubernetes.io/proxy-send-timeout",
	"haproxy-ingress.github.io/timeout-tunnel",
}

const bodySize = "nginx.ingress.kubernetes.io/proxy-body-size"

// checkIngress: the edge ends a silent socket, nobody before it; what the edge takes passes; and the edge believes what
// it is told of the client.
func checkIngress(s *Set, edge Edge, c *complaints) {
	for _, e := range s.edges() {
		settings, err := s.settings(e, edge)
		if err != nil {
			continue // checkSettings says so
		}
		for _, ingress := range s.Ingresses {
			who := object{"Ingress", ingress}
			if settings["http.trusted_proxies"] == "" {
				c.add(who, "stands before the edge, and http.trusted_proxies does not name it: all clients would share the limits of one address")
			}
			for _, annotation := range timeouts {
				value, idle := ingress.Annotations[annotation], settings.duration("socket.idle_timeout")
				if _, err := strconv.Atoi(value); err == nil {
					value += "s"
				}
				if d, err := time.ParseDuration(value); err != nil || d < 2*idle {
					c.add(who, "%s is %q: it must be twice socket.idle_timeout, which is %v, at least", annotation, value, idle)
				}
			}
			if got, want := mebibytes(ingress.Annotations[bodySize]), mebibytes(settings["document.max_bytes"]); got <= want {
				c.add(who, "%s is %q: documents of %s do not pass", bodySize, ingress.Annotations[bodySize], settings["document.max_bytes"])
			}
		}
	}
}

// mebibytes reads 8MiB as the edge writes it and 9m as nginx does; 0 is anything else.
func mebibytes(size string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSuffix(size, "MiB"), "m"))
	if err != nil {
		return 0
	}
	return n
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
