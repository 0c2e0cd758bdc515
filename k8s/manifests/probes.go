package manifests

import (
	"slices"

	core "k8s.io/api/core/v1"
)

// checkProbes: every container has the three probes; what they ask is on a port that it has and a path that the edge
// serves there; being alive never depends on Redis.
func checkProbes(s *Set, edge Edge, c *complaints) {
	for _, w := range s.workloads() {
		ports := containerPorts(w.pod)
		for _, container := range w.pod.Spec.Containers {
			for what, probe := range map[string]*core.Probe{"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe} {
				if probe == nil {
					c.add(w, "its container %s has no %s probe", container.Name, what)
					continue
				}
				var port string
				switch {
				case probe.HTTPGet != nil:
					port = probe.HTTPGet.Port.StrVal
				case probe.TCPSocket != nil:
					port = probe.TCPSocket.Port.StrVal
				default:
					continue
				}
				if _, ok := ports[port]; !ok {
					c.add(w, "its %s probe asks the port %q, which it does not have", what, port)
				}
				if container.Name != "helix" || probe.HTTPGet == nil {
					continue
				}
				path := probe.HTTPGet.Path
				if served := map[string][]string{"http": edge.PublicPaths, "admin": edge.AdminPaths}[port]; !slices.Contains(served, path) {
					c.add(w, "its %s probe asks %s, which the edge does not serve on the port %s", what, path, port)
				}
				if want := map[string]string{"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}[what]; path != want {
					c.add(w, "its %s probe asks %s, it must ask %s", what, path, want)
				}
			}
		}
	}
	for _, monitor := range s.ServiceMonitors {
		for _, endpoint := range monitor.Spec.Endpoints {
			if !slices.Contains(edge.AdminPaths, endpoint.Path) {
				c.add(object{"ServiceMonitor", monitor}, "scrapes %s, which the admin listener does not serve", endpoint.Path)
			}
		}
	}
}
