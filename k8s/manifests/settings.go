package manifests

import (
	"net/url"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
)

// placeholders stand for what is in Secrets, so that the edge can be asked about its settings.
var placeholders = map[string]string{
	"HELIX_REDIS_URL":               "rediss-cluster://user:password@redis.example.com:6379",
	"HELIX_REDIS_PASSWORD":          "password",
	"HELIX_REDIS_SENTINEL_PASSWORD": "password",
	"HELIX_AUTH_SECRET":             strings.Repeat("x", 32),
}

// secrets are the variables whose value belongs into a Secret.
var secrets = []string{"HELIX_AUTH_SECRET", "HELIX_REDIS_PASSWORD", "HELIX_REDIS_SENTINEL_PASSWORD"}

// environ gives the variables of the edge that a container has, and how each one comes to be there.
func (s *Set) environ(container *core.Container) (values map[string]string, hidden map[string]bool) {
	values, hidden = map[string]string{}, map[string]bool{}
	for _, from := range container.EnvFrom {
		for _, config := range s.ConfigMaps {
			if from.ConfigMapRef != nil && config.Name == from.ConfigMapRef.Name {
				for key, value := range config.Data {
					values[from.Prefix+key] = value
				}
			}
		}
	}
	for _, v := range container.Env {
		values[v.Name] = v.Value
		if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
			values[v.Name], hidden[v.Name] = placeholders[v.Name], true
		}
	}
	return values, hidden
}

// settings asks the edge about the variables of its container. Files that a volume brings are not here: another
// one stands for a password, and what must be a certificate is left out.
func (s *Set) settings(e edgeDeployment, edge Edge) (Settings, error) {
	values, _ := s.environ(e.container)
	var environ []string
	for name, value := range values {
		switch {
		case !strings.HasPrefix(name, "HELIX_"):
		case strings.HasPrefix(name, "HELIX_REDIS_TLS_") && strings.HasSuffix(name, "_FILE"):
		case strings.HasSuffix(name, "_FILE") && mounted(e.container, value):
			environ = append(environ, name+"="+edge.SecretFile)
		default:
			environ = append(environ, name+"="+value)
		}
	}
	slices.Sort(environ)
	return edge.Settings(environ)
}

// mounted says whether a file is in a volume of the container.
func mounted(container *core.Container, file string) bool {
	return slices.ContainsFunc(container.VolumeMounts, func(m core.VolumeMount) bool { return strings.HasPrefix(file, m.MountPath+"/") })
}

// checkSettings: the edge takes its variables, which are all settings of it; its addresses are the ports of its
// container; it has a Redis, which others have too; and no secret stands in plain sight.
func checkSettings(s *Set, edge Edge, c *complaints) {
	if len(s.edges()) != 1 {
		*c = append(*c, "there must be one Deployment with a container that is named helix")
	}
	for _, e := range s.edges() {
		who := object{"Deployment", e.Deployment}
		values, hidden := s.environ(e.container)
		for _, from := range e.container.EnvFrom {
			for _, config := range s.ConfigMaps {
				for key := range config.Data {
					if from.ConfigMapRef != nil && config.Name == from.ConfigMapRef.Name && !strings.HasPrefix(key, "HELIX_") {
						c.add(object{"ConfigMap", config}, "its key %s is no setting of the edge", key)
					}
				}
			}
		}
		for _, name := range secrets {
			if _, ok := values[name]; ok && !hidden[name] {
				c.add(who, "its variable %s must come from a Secret", name)
			}
		}
		for name, value := range values {
			if strings.HasPrefix(name, "HELIX_") && strings.HasSuffix(name, "_FILE") && !mounted(e.container, value) {
				c.add(who, "its variable %s names %s, which no volume brings", name, value)
			}
		}
		if !hidden["HELIX_REDIS_URL"] {
			s.checkRedis(who, values["HELIX_REDIS_URL"], c)
		}
		settings, err := s.settings(e, edge)
		if err != nil {
			c.add(who, "the edge refuses its settings: %v", err)
			continue
		}
		for port, key := range map[string]string{"http": "http.addr", "admin": "admin.addr"} {
			if got := itoa(containerPorts(&e.Spec.Template)[port]); got != portOf(settings[key]) {
				c.add(who, "its port %s is %s, and %s is %s", port, got, key, settings[key])
			}
			if host, _, _ := strings.Cut(settings[key], ":"); host != "" {
				c.add(who, "%s is %s: only the pod itself could reach it", key, settings[key])
			}
		}
	}
}

// checkRedis: the URL holds no password; each of its addresses is a Service, or a name of another place, which is
// asked by TLS only.
func (s *Set) checkRedis(who object, raw string, c *complaints) {
	u, err := url.Parse(raw)
	if err != nil {
		return // the edge says so
	}
	if _, password := u.User.Password(); password {
		c.add(who, "its variable HELIX_REDIS_URL holds a password: it must come from a Secret")
	}
	if u.Host == "" {
		c.add(who, "has no HELIX_REDIS_URL: each edge would have a Redis of its own")
		return
	}
	for address := range strings.SplitSeq(u.Host, ",") {
		host, port, found := strings.Cut(address, ":")
		if strings.Contains(host, ".") {
			if !strings.HasPrefix(u.Scheme, "rediss") {
				c.add(who, "asks the Redis at %s without TLS", address)
			}
			continue
		}
		if !found {
			port = "6379"
		}
		if !slices.ContainsFunc(s.Services, func(service *core.Service) bool {
			return service.Name == host && slices.ContainsFunc(service.Spec.Ports, func(p core.ServicePort) bool { return itoa(p.Port) == port })
		}) {
			c.add(who, "its Redis at %s is no Service", address)
		}
	}
}
