package manifests

import (
	"slices"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// external are the objects that an operator makes by hand, since their content belongs into no tree. The README
// says how.
var external = map[string][]string{
	"Secret":    {"helix-redis", "helix-tls", "helix-auth"},
	"ConfigMap": {"helix-redis-ca"},
}

// checkNames: one name, one object; everything is in one namespace, which is the one that the set brings along
// if it brings one; what pods name is there.
func checkNames(s *Set, c *complaints) {
	seen := map[string]bool{}
	namespace := ""
	if len(s.objects) > 0 {
		namespace = s.objects[0].GetNamespace()
	}
	for _, n := range s.Namespaces {
		namespace = n.Name
	}
	for _, o := range s.objects {
		if seen[o.String()] {
			c.add(o, "is there twice")
		}
		seen[o.String()] = true
		if o.kind != "Namespace" && o.GetNamespace() != namespace {
			c.add(o, "is in the namespace %q, not in %q", o.GetNamespace(), namespace)
		}
	}
	has := func(kind, name string) bool { return seen[kind+" "+name] || slices.Contains(external[kind], name) }
	for _, w := range s.workloads() {
		need := func(kind, name string) {
			if name != "" && !has(kind, name) {
				c.add(w, "names the %s %s, which is not there", kind, name)
			}
		}
		need("ServiceAccount", w.pod.Spec.ServiceAccountName)
		for _, v := range w.pod.Spec.Volumes {
			if v.ConfigMap != nil {
				need("ConfigMap", v.ConfigMap.Name)
			}
			if v.Secret != nil {
				need("Secret", v.Secret.SecretName)
			}
		}
		for _, container := range w.pod.Spec.Containers {
			for _, from := range container.EnvFrom {
				if from.ConfigMapRef != nil {
					need("ConfigMap", from.ConfigMapRef.Name)
				}
				if from.SecretRef != nil {
					need("Secret", from.SecretRef.Name)
				}
			}
			for _, v := range container.Env {
				if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
					need("Secret", v.ValueFrom.SecretKeyRef.Name)
				}
				if v.ValueFrom != nil && v.ValueFrom.ConfigMapKeyRef != nil {
					need("ConfigMap", v.ValueFrom.ConfigMapKeyRef.Name)
				}
			}
			for _, mount := range container.VolumeMounts {
				if !mounts(w, mount.Name) {
					c.add(w, "mounts the volume %s, which it does not have", mount.Name)
				}
			}
		}
	}
	for _, set := range s.StatefulSets {
		i := slices.IndexFunc(s.Services, func(service *core.Service) bool { return service.Name == set.Spec.ServiceName })
		if i < 0 || s.Services[i].Spec.ClusterIP != "None" {
			c.add(object{"StatefulSet", set}, "its serviceName %q is no headless Service", set.Spec.ServiceName)
		}
	}
	for _, secret := range s.Secrets {
		c.add(object{"Secret", secret}, "has its content in the tree: an operator makes it")
	}
}

func mounts(w workload, name string) bool {
	for _, v := range w.pod.Spec.Volumes {
		if v.Name == name {
			return true
		}
	}
	if set, ok := w.Object.(*apps.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			if claim.Name == name {
				return true
			}
		}
	}
	return false
}
