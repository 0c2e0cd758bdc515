package manifests

import (
	"errors"
	"fmt"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
)

// Set is what one overlay renders, by kind.
type Set struct {
	Namespaces      []*core.Namespace
	ConfigMaps      []*core.ConfigMap
	Secrets         []*core.Secret
	ServiceAccounts []*core.ServiceAccount
	Services        []*core.Service
	Deployments     []*apps.Deployment
	StatefulSets    []*apps.StatefulSet
	Budgets         []*policy.PodDisruptionBudget
	Autoscalers     []*autoscaling.HorizontalPodAutoscaler
	NetworkPolicies []*networking.NetworkPolicy
	Ingresses       []*networking.Ingress
	ServiceMonitors []*monitoring.ServiceMonitor
	PrometheusRules []*monitoring.PrometheusRule
	objects         []object
}

// object is any object with its kind, which typed structs forget.
type object struct {
	kind string
	meta.Object
}

func (o object) String() string { return o.kind + " " + o.GetName() }

var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		core.AddToScheme, apps.AddToScheme, policy.AddToScheme, autoscaling.AddToScheme, networking.AddToScheme, monitoring.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(fmt.Sprintf("manifests: the types of Kubernetes do not register: %v", err))
		}
	}
	return s
}()

// Decode reads objects strictly: a field that its type does not have, a field that is named twice and a kind
// that no check knows are errors. All of them are told at once.
func Decode(documents [][]byte) (*Set, error) {
	strict := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, serializer.SerializerOptions{Yaml: true, Strict: true})
	set := &Set{}
	var wrong []error
	for _, document := range documents {
		decoded, kind, err := strict.Decode(document, nil, nil)
		if err == nil {
			err = set.add(kind.Kind, decoded)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%w in\n%s", err, document))
		}
	}
	return set, errors.Join(wrong...)
}

func (s *Set) add(kind string, decoded runtime.Object) error {
	switch o := decoded.(type) {
	case *core.Namespace:
		s.Namespaces = append(s.Namespaces, o)
	case *core.ConfigMap:
		s.ConfigMaps = append(s.ConfigMaps, o)
	case *core.Secret:
		s.Secrets = append(s.Secrets, o)
	case *core.ServiceAccount:
		s.ServiceAccounts = append(s.ServiceAccounts, o)
	case *core.Service:
		s.Services = append(s.Services, o)
	case *apps.Deployment:
		s.Deployments = append(s.Deployments, o)
	case *apps.StatefulSet:
		s.StatefulSets = append(s.StatefulSets, o)
	case *policy.PodDisruptionBudget:
		s.Budgets = append(s.Budgets, o)
	case *autoscaling.HorizontalPodAutoscaler:
		s.Autoscalers = append(s.Autoscalers, o)
	case *networking.NetworkPolicy:
		s.NetworkPolicies = append(s.NetworkPolicies, o)
	case *networking.Ingress:
		s.Ingresses = append(s.Ingresses, o)
	case *monitoring.ServiceMonitor:
		s.ServiceMonitors = append(s.ServiceMonitors, o)
	case *monitoring.PrometheusRule:
		s.PrometheusRules = append(s.PrometheusRules, o)
	default:
		return fmt.Errorf("no check knows the kind %s", kind)
	}
	s.objects = append(s.objects, object{kind, decoded.(meta.Object)})
	return nil
}

// workload is what runs pods: a Deployment or a StatefulSet.
type workload struct {
	object
	selector *meta.LabelSelector
	pod      *core.PodTemplateSpec
	replicas *int32 // nil: an autoscaler's matter, or one
}

func (s *Set) workloads() []workload {
	var all []workload
	for _, d := range s.Deployments {
		all = append(all, workload{object{"Deployment", d}, d.Spec.Selector, &d.Spec.Template, d.Spec.Replicas})
	}
	for _, d := range s.StatefulSets {
		all = append(all, workload{object{"StatefulSet", d}, d.Spec.Selector, &d.Spec.Template, d.Spec.Replicas})
	}
	return all
}

// edges gives the Deployments that run the edge, each with its container, which bears the program's name.
func (s *Set) edges() []edgeDeployment {
	var all []edgeDeployment
	for _, d := range s.Deployments {
		for i := range d.Spec.Template.Spec.Containers {
			if c := &d.Spec.Template.Spec.Containers[i]; c.Name == "helix" {
				all = append(all, edgeDeployment{d, c})
			}
		}
	}
	return all
}

type edgeDeployment struct {
	*apps.Deployment
	container *core.Container
}
