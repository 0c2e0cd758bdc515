package manifests

import (
	"net/url"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
)

// placeholders stand for what is in Secrets, so that the edge can be asked about its settings.
var placeholders = map[string]string{
	"HELIX_REDIS_URL":   "rediss-cluster://user:password@redis.example.com:6379",
	"HELIX_AUTH_SECRET": strings.Repeat("x", 32),
}

// secrets are the variables whose value belongs into a Secret.
var secrets = []string{"HELIX_AUTH_SECRET"}

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

// settings asks the edge about the variables of a container.
func (s *Set) settings(container *core.Container, edge Edge) (Settings, error) {
	values, _ := s.environ(container)
	var environ []string
	for name, value := range values {
		if strings.HasPrefix(name, "HELIX_") {
			environ = append(environ, name+"="+value)
		}
	}
	slices.Sort(environ)
	return edge.Settings(environ)
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
		redis, err := url.Parse(values["HELIX_REDIS_URL"])
		if _, password := redis.User.Password(); err == nil && password && !hidden["HELIX_REDIS_URL"] {
			c.add(who, "its variable HELIX_REDIS_URL holds a password: it must come from a Secret")
		}
		if redis != nil && !hidden["HELIX_REDIS_URL"] {
			if redis.Host == "" {
				c.add(who, "has no HELIX_REDIS_URL: each edge would have a Redis of its own")
			} else if !slices.ContainsFunc(s.Services, func(service *core.Service) bool {
				return service.Name == redis.Hostname() && slices.ContainsFunc(service.Spec.Ports, func(p core.ServicePort) bool {
					return portOf(redis.Host) == p.TargetPort.String() || portOf(redis.Host) == itoa(p.Port)
				})
			}) {
				c.add(who, "its Redis at %s is no Service", redis.Host)
			}
		}
		settings, err := s.settings(e.container, edge)
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
