package manifests

import (
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
)

// spare is what must be left of the grace period when all that takes its time has taken it.
const spare = 10 * time.Second

// checkRollout: a pod is there before another goes, none is killed while it drains, and the clients of one have moved
// before those of the next must.
func checkRollout(s *Set, edge Edge, c *complaints) {
	for _, e := range s.edges() {
		who := object{"Deployment", e.Deployment}
		rolling := e.Spec.Strategy.RollingUpdate
		if e.Spec.Strategy.Type != apps.RollingUpdateDeploymentStrategyType || rolling == nil || rolling.MaxUnavailable == nil || rolling.MaxSurge == nil ||
			rolling.MaxUnavailable.String() != "0" || rolling.MaxSurge.String() == "0" {
			c.add(who, "must be updated by RollingUpdate with maxUnavailable 0 and some maxSurge")
		}
		var before time.Duration
		if hook := e.container.Lifecycle; hook == nil || hook.PreStop == nil || hook.PreStop.Sleep == nil {
			c.add(who, "must sleep in its preStop hook: the edge takes no sockets from SIGTERM on, and endpoints are slower than that (an exec hook is none: the image has no shell)")
		} else {
			before = time.Duration(hook.PreStop.Sleep.Seconds) * time.Second
		}
		settings, err := s.settings(e, edge)
		if err != nil {
			continue // checkSettings says so
		}
		moves := before + settings.duration("shutdown.delay") + settings.duration("shutdown.drain")
		takes := moves + 2*settings.duration("shutdown.timeout") // to say goodbye to Redis, and for the services to end
		grace := 30 * time.Second
		if seconds := e.Spec.Template.Spec.TerminationGracePeriodSeconds; seconds != nil {
			grace = time.Duration(*seconds) * time.Second
		}
		if grace < takes+spare {
			c.add(who, "its grace period of %v is too short: preStop and shutdown.* take up to %v, and %v must be to spare", grace, takes, spare)
		}
		if ready := time.Duration(e.Spec.MinReadySeconds) * time.Second; ready < moves {
			c.add(who, "minReadySeconds is %v: the next pod would end while the clients of the one before it still move, which takes up to %v", ready, moves)
		}
		if e.Spec.ProgressDeadlineSeconds != nil && *e.Spec.ProgressDeadlineSeconds <= e.Spec.MinReadySeconds {
			c.add(who, "progressDeadlineSeconds is not longer than minReadySeconds")
		}
	}
}

// floor gives the fewest pods that a workload has, if all is well.
func (s *Set) floor(w workload) int {
	for _, scaler := range s.Autoscalers {
		if scaler.Spec.ScaleTargetRef.Kind == w.kind && scaler.Spec.ScaleTargetRef.Name == w.GetName() && scaler.Spec.MinReplicas != nil {
			return int(*scaler.Spec.MinReplicas)
		}
	}
	if w.replicas != nil {
		return int(*w.replicas)
	}
	return 1
}

// scaled says whether an autoscaler sets the number of a workload's pods.
func (s *Set) scaled(w workload) bool {
	return slices.ContainsFunc(s.Autoscalers, func(a *autoscaling.HorizontalPodAutoscaler) bool {
		return a.Spec.ScaleTargetRef.Kind == w.kind && a.Spec.ScaleTargetRef.Name == w.GetName()
	})
}
