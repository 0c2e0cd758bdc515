package manifests

import (
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// checkResources: CPU and memory are requested, memory is limited, no more is requested than may be had, and Go keeps
// away from the limit.
func checkResources(s *Set, c *complaints) {
	for _, w := range s.workloads() {
		for _, container := range w.pod.Spec.Containers {
			requests, limits := container.Resources.Requests, container.Resources.Limits
			for _, what := range []core.ResourceName{core.ResourceCPU, core.ResourceMemory} {
				if requests.Name(what, resource.DecimalSI).IsZero() {
					c.add(w, "its container %s requests no %s", container.Name, what)
				}
			}
			limit := limits.Memory()
			if limit.IsZero() || requests.Memory().Cmp(*limit) > 0 {
				c.add(w, "its container %s must have a limit of memory, and not request more", container.Name)
			}
			for _, v := range container.Env {
				if v.Name != "GOMEMLIMIT" {
					continue
				}
				// Go's MiB is Mi here.
				soft, err := resource.ParseQuantity(strings.TrimSuffix(v.Value, "B"))
				if err != nil || soft.Value() > limit.Value()*9/10 {
					c.add(w, "GOMEMLIMIT is %s: more than nine tenths of the limit, %s", v.Value, limit)
				}
			}
		}
	}
}
