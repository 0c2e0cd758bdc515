package manifests

import (
	"fmt"
	"net"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// checkPorts: every port that is named is one that a container has, and the edge's are those of its settings (see
// checkSettings). The admin listener is on no Service that has an address.
func checkPorts(s *Set, c *complaints) {
	for _, service := range s.Services {
		who := object{"Service", service}
		public := service.Spec.ClusterIP != "None"
		for _, w := range s.selected(equals(service.Spec.Selector)) {
			ports := containerPorts(w.pod)
			for _, port := range service.Spec.Ports {
				target := port.TargetPort.StrVal
				if _, ok := ports[target]; !ok {
					c.add(who, "its port %s goes to the port %q, which %s does not have", port.Name, port.TargetPort.String(), w)
				}
				if target == "admin" && public {
					c.add(who, "shows the admin listener to whoever reaches it")
				}
			}
		}
	}
	for _, ingress := range s.Ingresses {
		for _, backend := range backends(ingress) {
			if backend.Service == nil || !s.hasServicePort(backend.Service.Name, backend.Service.Port) {
				c.add(object{"Ingress", ingress}, "its backend %s is no port of a Service", name(backend))
			}
		}
	}
	for _, monitor := range s.ServiceMonitors {
		for _, service := range s.monitored(monitor) {
			for _, endpoint := range monitor.Spec.Endpoints {
				if !s.hasServicePort(service.Name, networking.ServiceBackendPort{Name: endpoint.Port}) {
					c.add(object{"ServiceMonitor", monitor}, "its port %q is none of Service %s", endpoint.Port, service.Name)
				}
			}
		}
	}
	for _, network := range s.NetworkPolicies {
		who := object{"NetworkPolicy", network}
		named := func(pods []workload, ports []networking.NetworkPolicyPort) {
			for _, port := range ports {
				if port.Port == nil || port.Port.Type != intstr.String {
					continue
				}
				for _, w := range pods {
					if _, ok := containerPorts(w.pod)[port.Port.StrVal]; !ok {
						c.add(who, "its port %q is none of %s", port.Port.StrVal, w)
					}
				}
			}
		}
		for _, rule := range network.Spec.Ingress {
			named(s.selected(&network.Spec.PodSelector), rule.Ports)
		}
		for _, rule := range network.Spec.Egress {
			for _, peer := range rule.To {
				if peer.NamespaceSelector == nil && peer.PodSelector != nil {
					named(s.selected(peer.PodSelector), rule.Ports)
				}
			}
		}
	}
}

func backends(ingress *networking.Ingress) []networking.IngressBackend {
	var all []networking.IngressBackend
	if ingress.Spec.DefaultBackend != nil {
		all = append(all, *ingress.Spec.DefaultBackend)
	}
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP != nil {
			for _, path := range rule.HTTP.Paths {
				all = append(all, path.Backend)
			}
		}
	}
	return all
}

func name(backend networking.IngressBackend) string {
	if backend.Service == nil {
		return "(no Service)"
	}
	return fmt.Sprintf("%s:%s%d", backend.Service.Name, backend.Service.Port.Name, backend.Service.Port.Number)
}

func (s *Set) hasServicePort(service string, port networking.ServiceBackendPort) bool {
	return s.servicePort(service, port) != nil
}

func (s *Set) servicePort(service string, port networking.ServiceBackendPort) *core.ServicePort {
	for _, candidate := range s.Services {
		if candidate.Name != service {
			continue
		}
		for i, p := range candidate.Spec.Ports {
			if (port.Name != "" && p.Name == port.Name) || (port.Number != 0 && p.Port == port.Number) {
				return &candidate.Spec.Ports[i]
			}
		}
	}
	return nil
}

// portOf gives the port of an address as settings write it.
func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return port
}
