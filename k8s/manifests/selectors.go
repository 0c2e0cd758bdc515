package manifests

import (
	"slices"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// matches says whether a selector takes these labels. One that cannot be read or that is empty takes nothing
// here: in each place where this is asked, "everything" would be a mistake.
func matches(selector *meta.LabelSelector, of map[string]string) bool {
	compiled, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && !compiled.Empty() && compiled.Matches(labels.Set(of))
}

// selected gives the workloads whose pods a selector takes.
func (s *Set) selected(selector *meta.LabelSelector) []workload {
	return slices.DeleteFunc(s.workloads(), func(w workload) bool { return !matches(selector, w.pod.Labels) })
}

func equals(pairs map[string]string) *meta.LabelSelector {
	return &meta.LabelSelector{MatchLabels: pairs}
}

// checkSelectors: what selects pods selects those of exactly one workload.
func checkSelectors(s *Set, c *complaints) {
	one := func(who object, selector *meta.LabelSelector) {
		if n := len(s.selected(selector)); n != 1 {
			c.add(who, "selects the pods of %d workloads, not of one", n)
		}
	}
	for _, w := range s.workloads() {
		if !matches(w.selector, w.pod.Labels) {
			c.add(w, "its selector does not match its own pods")
		}
		one(w.object, w.selector)
		for _, spread := range w.pod.Spec.TopologySpreadConstraints {
			if !matches(spread.LabelSelector, w.pod.Labels) {
				c.add(w, "its spread over %s does not match its own pods", spread.TopologyKey)
			}
		}
		if affinity := w.pod.Spec.Affinity; affinity != nil && affinity.PodAntiAffinity != nil {
			terms := slices.Clone(affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
			for _, weighted := range affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				terms = append(terms, weighted.PodAffinityTerm)
			}
			for _, term := range terms {
				if !matches(term.LabelSelector, w.pod.Labels) {
					c.add(w, "its anti-affinity on %s does not match its own pods", term.TopologyKey)
				}
			}
		}
	}
	for _, service := range s.Services {
		one(object{"Service", service}, equals(service.Spec.Selector))
	}
	for _, budget := range s.Budgets {
		one(object{"PodDisruptionBudget", budget}, budget.Spec.Selector)
	}
	for _, network := range s.NetworkPolicies {
		one(object{"NetworkPolicy", network}, &network.Spec.PodSelector)
	}
	for _, monitor := range s.ServiceMonitors {
		if len(s.monitored(monitor)) == 0 {
			c.add(object{"ServiceMonitor", monitor}, "selects no Service")
		}
	}
	for _, scaler := range s.Autoscalers {
		target := scaler.Spec.ScaleTargetRef
		if !slices.ContainsFunc(s.Deployments, func(d *apps.Deployment) bool {
			return target.Kind == "Deployment" && target.APIVersion == "apps/v1" && target.Name == d.Name
		}) {
			c.add(object{"HorizontalPodAutoscaler", scaler}, "its target, %s %s, is not there", target.Kind, target.Name)
		}
	}
}

func (s *Set) monitored(monitor *monitoring.ServiceMonitor) []*core.Service {
	return slices.DeleteFunc(slices.Clone(s.Services), func(service *core.Service) bool {
		return !matches(&monitor.Spec.Selector, service.Labels)
	})
}

// containerPorts gives the named ports of a pod.
func containerPorts(pod *core.PodTemplateSpec) map[string]int32 {
	ports := map[string]int32{}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			ports[port.Name] = port.ContainerPort
		}
	}
	return ports
}
