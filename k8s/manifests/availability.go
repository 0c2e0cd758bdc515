package manifests

import (
	"slices"

	autoscaling "k8s.io/api/autoscaling/v2"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// checkAvailability: a budget always lets one pod go, so that nodes can be drained and never all pods at once; an
// autoscaler alone says how many there are.
func checkAvailability(s *Set, edge Edge, c *complaints) {
	for _, budget := range s.Budgets {
		who := object{"PodDisruptionBudget", budget}
		for _, w := range s.selected(budget.Spec.Selector) {
			pods := s.floor(w)
			if may := allowed(budget, pods); may < 1 || may >= pods {
				c.add(who, "lets %d of the %d pods of %s go at once: it must be one at least, and not all", may, pods, w)
			}
		}
	}
	for _, e := range s.edges() {
		if !slices.ContainsFunc(s.Budgets, func(b *policy.PodDisruptionBudget) bool { return matches(b.Spec.Selector, e.Spec.Template.Labels) }) {
			c.add(object{"Deployment", e.Deployment}, "has no PodDisruptionBudget")
		}
	}
	for _, w := range s.workloads() {
		if s.scaled(w) && w.replicas != nil {
			c.add(w, "sets its replicas, which an autoscaler does too")
		}
	}
	for _, scaler := range s.Autoscalers {
		who := object{"HorizontalPodAutoscaler", scaler}
		if scaler.Spec.MinReplicas == nil || *scaler.Spec.MinReplicas > scaler.Spec.MaxReplicas {
			c.add(who, "minReplicas must be set, and not be more than maxReplicas")
		}
		for _, metric := range scaler.Spec.Metrics {
			if metric.Type == autoscaling.ResourceMetricSourceType {
				s.checkRequested(scaler, metric, c)
			}
			if metric.Pods != nil && !slices.Contains(edge.Gauges, metric.Pods.Metric.Name) {
				c.add(who, "goes by %s, which is no gauge of the edge", metric.Pods.Metric.Name)
			}
		}
	}
}

// checkRequested: utilization is a part of what is requested.
func (s *Set) checkRequested(scaler *autoscaling.HorizontalPodAutoscaler, metric autoscaling.MetricSpec, c *complaints) {
	for _, w := range s.workloads() {
		if w.kind != scaler.Spec.ScaleTargetRef.Kind || w.GetName() != scaler.Spec.ScaleTargetRef.Name {
			continue
		}
		for _, container := range w.pod.Spec.Containers {
			if _, ok := container.Resources.Requests[metric.Resource.Name]; !ok {
				c.add(object{"HorizontalPodAutoscaler", scaler}, "goes by %s, of which %s requests none", metric.Resource.Name, w)
			}
		}
	}
}

// allowed gives how many of so many pods a budget lets go at once.
func allowed(budget *policy.PodDisruptionBudget, pods int) int {
	if most := budget.Spec.MaxUnavailable; most != nil {
		n, err := intstr.GetScaledValueFromIntOrPercent(most, pods, true)
		if err != nil {
			return 0
		}
		return n
	}
	if least := budget.Spec.MinAvailable; least != nil {
		n, err := intstr.GetScaledValueFromIntOrPercent(least, pods, true)
		if err != nil {
			return 0
		}
		return pods - n
	}
	return pods
}
