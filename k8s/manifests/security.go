package manifests

import (
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// restricted is what the API server itself asks of pods in a namespace that enforces the restricted level.
var restricted = func() policy.Evaluator {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		panic("manifests: the checks of Pod Security do not agree: " + err.Error())
	}
	return evaluator
}()

// checkSecurity: the restricted level, and beyond it a file system that is read-only, no token of Kubernetes, an
// account of its own, and no variables of Services.
func checkSecurity(s *Set, c *complaints) {
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, w := range s.workloads() {
		if result := policy.AggregateCheckResults(restricted.EvaluatePod(level, &w.pod.ObjectMeta, &w.pod.Spec)); !result.Allowed {
			c.add(w, "is not restricted: %s", result.ForbiddenDetail())
		}
		if w.pod.Spec.AutomountServiceAccountToken == nil || *w.pod.Spec.AutomountServiceAccountToken {
			c.add(w, "mounts a token of Kubernetes")
		}
		if account := w.pod.Spec.ServiceAccountName; account == "" || account == "default" {
			c.add(w, "has no ServiceAccount of its own")
		}
		if links := w.pod.Spec.EnableServiceLinks; links == nil || *links {
			c.add(w, "gets the variables of Services")
		}
		for _, container := range w.pod.Spec.Containers {
			if context := container.SecurityContext; context == nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
				c.add(w, "its container %s can write to its root file system", container.Name)
			}
		}
	}
	for _, account := range s.ServiceAccounts {
		if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
			c.add(object{"ServiceAccount", account}, "has its token mounted")
		}
	}
	for _, n := range s.Namespaces {
		if n.Labels[api.EnforceLevelLabel] != string(api.LevelRestricted) {
			c.add(object{"Namespace", n}, "does not enforce the restricted level")
		}
	}
}
