package manifests

import (
	"slices"

	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// checkNetwork: each pod is closed in both directions but for what is named; what needs to pass, passes: clients to
// the public port, Prometheus to the admin port, edges to DNS and to some Redis. Peers that are named are there, and
// nothing goes out to everywhere.
func checkNetwork(s *Set, c *complaints) {
	for _, w := range s.workloads() {
		mine := slices.DeleteFunc(slices.Clone(s.NetworkPolicies), func(n *networking.NetworkPolicy) bool {
			return !matches(&n.Spec.PodSelector, w.pod.Labels)
		})
		for _, direction := range []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress} {
			if !slices.ContainsFunc(mine, func(n *networking.NetworkPolicy) bool { return slices.Contains(n.Spec.PolicyTypes, direction) }) {
				c.add(w, "no NetworkPolicy closes its %s", direction)
			}
		}
	}
	for _, n := range s.NetworkPolicies {
		who := object{"NetworkPolicy", n}
		for _, rule := range n.Spec.Egress {
			if len(rule.To) == 0 || len(rule.Ports) == 0 {
				c.add(who, "lets out to everywhere, or to every port")
			}
			for _, peer := range rule.To {
				checkPeer(s, who, peer, c)
				if peer.IPBlock != nil && (peer.IPBlock.CIDR == "0.0.0.0/0" || peer.IPBlock.CIDR == "::/0") {
					c.add(who, "lets out to everywhere")
				}
			}
		}
		for _, rule := range n.Spec.Ingress {
			if len(rule.Ports) == 0 {
				c.add(who, "lets in to every port")
			}
			for _, peer := range rule.From {
				checkPeer(s, who, peer, c)
			}
			for _, port := range rule.Ports {
				if len(rule.From) == 0 && port.Port != nil && port.Port.StrVal != "http" {
					c.add(who, "lets everybody in to the port %s", port.Port)
				}
			}
		}
	}
	for _, edge := range s.edges() {
		who := object{"Deployment", edge.Deployment}
		pods := edge.Spec.Template.Labels
		if !s.letsIn(pods, "http") {
			c.add(who, "no NetworkPolicy lets clients in to the port http")
		}
		if len(s.ServiceMonitors) > 0 && !s.letsIn(pods, "admin") {
			c.add(who, "no NetworkPolicy lets Prometheus in to the port admin")
		}
		if !s.letsOut(pods, 53) {
			c.add(who, "no NetworkPolicy lets it ask the DNS")
		}
		if !s.letsOut(pods, 6379) {
			c.add(who, "no NetworkPolicy lets it ask a Redis")
		}
	}
}

func checkPeer(s *Set, who object, peer networking.NetworkPolicyPeer, c *complaints) {
	if peer.PodSelector != nil && peer.NamespaceSelector == nil && len(s.selected(peer.PodSelector)) == 0 {
		c.add(who, "names pods that are not there")
	}
}

// letsIn says whether something may come in to a named port of pods with these labels.
func (s *Set) letsIn(pods map[string]string, port string) bool {
	for _, n := range s.NetworkPolicies {
		if matches(&n.Spec.PodSelector, pods) {
			for _, rule := range n.Spec.Ingress {
				for _, p := range rule.Ports {
					if p.Port != nil && p.Port.StrVal == port {
						return true
					}
				}
			}
		}
	}
	return false
}

// letsOut says whether pods with these labels may ask a port somewhere.
func (s *Set) letsOut(pods map[string]string, port int) bool {
	for _, n := range s.NetworkPolicies {
		if matches(&n.Spec.PodSelector, pods) {
			for _, rule := range n.Spec.Egress {
				for _, p := range rule.Ports {
					if p.Port != nil && (p.Port.IntValue() == port || p.Port.Type == intstr.String && s.goesTo(rule, p.Port.StrVal, port)) {
						return true
					}
				}
			}
		}
	}
	return false
}

// goesTo says whether a named port of the peers of a rule is this number.
func (s *Set) goesTo(rule networking.NetworkPolicyEgressRule, name string, port int) bool {
	for _, peer := range rule.To {
		for _, w := range s.selected(peer.PodSelector) {
			if containerPorts(w.pod)[name] == int32(port) {
				return true
			}
		}
	}
	return false
}
