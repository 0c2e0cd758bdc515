package manifests_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"helix/k8s/manifests"
)

func byZone(c core.TopologySpreadConstraint) bool {
	return c.TopologyKey == "topology.kubernetes.io/zone"
}

func pod(s *manifests.Set) *core.PodTemplateSpec   { return &s.Deployments[0].Spec.Template }
func container(s *manifests.Set) *core.Container   { return &pod(s).Spec.Containers[0] }
func redis(s *manifests.Set) *core.PodTemplateSpec { return &s.StatefulSets[0].Spec.Template }
func ptr[T any](v T) *T                            { return &v }
func setEnv(c *core.Container, name, value string) {
	c.Env = append(c.Env, core.EnvVar{Name: name, Value: value})
}

func config(s *manifests.Set) map[string]string {
	for _, c := range s.ConfigMaps {
		if strings.HasPrefix(c.Name, "helix-") {
			return c.Data
		}
	}
	return nil
}

func network(s *manifests.Set, name string) *networking.NetworkPolicy {
	for _, n := range s.NetworkPolicies {
		if n.Name == name {
			return n
		}
	}
	return nil
}

func service(s *manifests.Set, name string) *core.Service {
	for _, v := range s.Services {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// mistakes are what one may do to the overlays, and the complaint that must follow.
var mistakes = []struct {
	overlay string
	make    func(*manifests.Set)
	want    string
}{
	// names.go
	{"production", func(s *manifests.Set) { s.Services[0].Namespace = "other" }, `Service helix: is in the namespace "other", not in "helix"`},
	{"production", func(s *manifests.Set) { s.Namespaces[0].Name = "other" }, `Service helix: is in the namespace "helix", not in "other"`},
	{"local", func(s *manifests.Set) { s.Services[0].Namespace = "other" }, `Service helix: is in the namespace "other", not in ""`},
	{"local", func(s *manifests.Set) { s.ServiceAccounts[0].Name = "other" }, "Deployment helix: names the ServiceAccount helix, which is not there"},
	{"local", func(s *manifests.Set) { s.ConfigMaps[0].Name = "other" }, "which is not there"},
	{"local", func(s *manifests.Set) { redis(s).Spec.Volumes[0].ConfigMap.Name = "other" }, "StatefulSet redis: names the ConfigMap other, which is not there"},
	{"production", func(s *manifests.Set) { pod(s).Spec.Volumes[1].ConfigMap.Name = "other" }, "names the ConfigMap other"},
	{"production", func(s *manifests.Set) { pod(s).Spec.Volumes[0].Secret.SecretName = "other" }, "Deployment helix: names the Secret other, which is not there"},
	{"production", func(s *manifests.Set) { pod(s).Spec.Volumes = nil }, "mounts the volume redis-ca, which it does not have"},
	{"local", func(s *manifests.Set) { s.StatefulSets[0].Spec.VolumeClaimTemplates = nil }, "mounts the volume data"},
	{"local", func(s *manifests.Set) { s.StatefulSets[0].Spec.ServiceName = "other" }, `StatefulSet redis: its serviceName "other" is no headless Service`},
	{"local", func(s *manifests.Set) { service(s, "redis").Spec.ClusterIP = "" }, `its serviceName "redis" is no headless Service`},
	{"local", func(s *manifests.Set) {
		s.Secrets = append(s.Secrets, &core.Secret{ObjectMeta: meta.ObjectMeta{Name: "helix-redis"}})
	}, "Secret helix-redis: has its content in the tree"},

	// selectors.go
	{"local", func(s *manifests.Set) { s.Deployments[0].Spec.Selector.MatchLabels["a"] = "b" }, "Deployment helix: its selector does not match its own pods"},
	{"local", func(s *manifests.Set) { redis(s).Labels = pod(s).Labels }, "Service helix: selects the pods of 2 workloads"},
	{"local", func(s *manifests.Set) { service(s, "helix").Spec.Selector["a"] = "b" }, "Service helix: selects the pods of 0 workloads"},
	{"local", func(s *manifests.Set) { service(s, "helix").Spec.Selector = nil }, "Service helix: selects the pods of 0 workloads"},
	{"local", func(s *manifests.Set) { s.Budgets[0].Spec.Selector.MatchLabels["a"] = "b" }, "PodDisruptionBudget helix: selects the pods of 0 workloads"},
	{"local", func(s *manifests.Set) { network(s, "redis").Spec.PodSelector.MatchLabels["a"] = "b" }, "NetworkPolicy redis: selects the pods of 0 workloads"},
	{"local", func(s *manifests.Set) { network(s, "redis").Spec.PodSelector = meta.LabelSelector{} }, "NetworkPolicy redis: selects the pods of 0 workloads"},
	{"production", func(s *manifests.Set) { s.ServiceMonitors[0].Spec.Selector.MatchLabels["a"] = "b" }, "ServiceMonitor helix: selects no Service"},
	{"local", func(s *manifests.Set) { pod(s).Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels["a"] = "b" }, "its spread over kubernetes.io/hostname does not match its own pods"},
	{"production", func(s *manifests.Set) {
		pod(s).Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels["a"] = "b"
	}, "its anti-affinity on kubernetes.io/hostname does not match its own pods"},
	{"production", func(s *manifests.Set) { s.Autoscalers[0].Spec.ScaleTargetRef.Name = "other" }, "HorizontalPodAutoscaler helix: its target, Deployment other, is not there"},
	{"production", func(s *manifests.Set) { s.Autoscalers[0].Spec.ScaleTargetRef.APIVersion = "apps/v1beta1" }, "its target, Deployment helix, is not there"},

	// ports.go
	{"local", func(s *manifests.Set) { service(s, "helix").Spec.Ports[0].TargetPort = intstr.FromString("web") }, `Service helix: its port http goes to the port "web", which Deployment helix does not have`},
	{"local", func(s *manifests.Set) { service(s, "redis").Spec.Ports[0].TargetPort = intstr.FromInt32(6380) }, `Service redis: its port redis goes to the port "6380"`},
	{"local", func(s *manifests.Set) { service(s, "helix").Spec.Ports[0].TargetPort = intstr.FromString("admin") }, "Service helix: shows the admin listener"},
	{"production", func(s *manifests.Set) { service(s, "helix-admin").Spec.ClusterIP = "" }, "Service helix-admin: shows the admin listener"},
	{"local", func(s *manifests.Set) { s.Ingresses[0].Spec.Rules[0].HTTP.Paths[0].Backend.Service.Port.Name = "web" }, "Ingress helix: its backend helix:web0 is no port of a Service"},
	{"local", func(s *manifests.Set) { s.Ingresses[0].Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "web" }, "Ingress helix: its backend web:http0"},
	{"local", func(s *manifests.Set) { s.Ingresses[0].Spec.DefaultBackend = &networking.IngressBackend{} }, "its backend (no Service)"},
	{"production", func(s *manifests.Set) { s.ServiceMonitors[0].Spec.Endpoints[0].Port = "http" }, `ServiceMonitor helix: its port "http" is none of Service helix-admin`},
	{"local", func(s *manifests.Set) { network(s, "helix").Spec.Ingress[0].Ports[0].Port.StrVal = "web" }, `NetworkPolicy helix: its port "web" is none of Deployment helix`},
	{"local", func(s *manifests.Set) { network(s, "helix-redis").Spec.Egress[0].Ports[0].Port.StrVal = "web" }, `NetworkPolicy helix-redis: its port "web" is none of StatefulSet redis`},

	// network.go
	{"local", func(s *manifests.Set) { network(s, "redis").Spec.PolicyTypes = []networking.PolicyType{"Ingress"} }, "StatefulSet redis: no NetworkPolicy closes its Egress"},
	{"local", func(s *manifests.Set) { network(s, "redis").Spec.PolicyTypes = []networking.PolicyType{"Egress"} }, "StatefulSet redis: no NetworkPolicy closes its Ingress"},
	{"local", func(s *manifests.Set) { network(s, "helix").Spec.Egress[0].To = nil }, "NetworkPolicy helix: lets out to everywhere, or to every port"},
	{"local", func(s *manifests.Set) { network(s, "helix").Spec.Egress[0].Ports = nil }, "NetworkPolicy helix: lets out to everywhere, or to every port"},
	{"production", func(s *manifests.Set) { network(s, "helix-redis").Spec.Egress[0].To[0].IPBlock.CIDR = "0.0.0.0/0" }, "NetworkPolicy helix-redis: lets out to everywhere"},
	{"local", func(s *manifests.Set) { network(s, "redis").Spec.Ingress[0].Ports = nil }, "NetworkPolicy redis: lets in to every port"},
	{"local", func(s *manifests.Set) { network(s, "redis").Spec.Ingress[0].From = nil }, "NetworkPolicy redis: lets everybody in to the port redis"},
	{"production", func(s *manifests.Set) { network(s, "helix-admin").Spec.Ingress[0].From = nil }, "NetworkPolicy helix-admin: lets everybody in to the port admin"},
	{"local", func(s *manifests.Set) { network(s, "redis").Spec.Ingress[0].From[0].PodSelector.MatchLabels["a"] = "b" }, "NetworkPolicy redis: names pods that are not there"},
	{"local", func(s *manifests.Set) { network(s, "helix").Spec.Ingress = nil }, "no NetworkPolicy lets clients in to the port http"},
	{"production", func(s *manifests.Set) { network(s, "helix-admin").Spec.Ingress = nil }, "no NetworkPolicy lets Prometheus in to the port admin"},
	{"local", func(s *manifests.Set) { network(s, "helix").Spec.Egress = nil }, "no NetworkPolicy lets it ask the DNS"},
	{"local", func(s *manifests.Set) { network(s, "helix-redis").Spec.Egress = nil }, "no NetworkPolicy lets it ask a Redis"},
	{"production", func(s *manifests.Set) { network(s, "helix-redis").Spec.Egress = nil }, "no NetworkPolicy lets it ask a Redis"},

	// probes.go
	{"local", func(s *manifests.Set) { container(s).StartupProbe = nil }, "Deployment helix: its container helix has no startup probe"},
	{"local", func(s *manifests.Set) { redis(s).Spec.Containers[0].LivenessProbe = nil }, "StatefulSet redis: its container redis has no liveness probe"},
	{"local", func(s *manifests.Set) { container(s).ReadinessProbe.HTTPGet.Port.StrVal = "web" }, `its readiness probe asks the port "web", which it does not have`},
	{"local", func(s *manifests.Set) { redis(s).Spec.Containers[0].StartupProbe.TCPSocket.Port.StrVal = "web" }, `its startup probe asks the port "web", which it does not have`},
	{"local", func(s *manifests.Set) { container(s).ReadinessProbe.HTTPGet.Path = "/ready" }, "its readiness probe asks /ready, which the edge does not serve on the port http"},
	{"local", func(s *manifests.Set) { container(s).LivenessProbe.HTTPGet.Path = "/readyz" }, "its liveness probe asks /readyz, it must ask /healthz"},
	{"production", func(s *manifests.Set) { s.ServiceMonitors[0].Spec.Endpoints[0].Path = "/stats" }, "ServiceMonitor helix: scrapes /stats, which the admin listener does not serve"},

	// settings.go
	{"local", func(s *manifests.Set) { container(s).Name = "edge" }, "there must be one Deployment with a container that is named helix"},
	{"local", func(s *manifests.Set) { config(s)["LOG_LEVEL"] = "debug" }, "its key LOG_LEVEL is no setting of the edge"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_LOG_LEVL"] = "debug" }, "the edge refuses its settings: helix: unknown variable HELIX_LOG_LEVL; did you mean HELIX_LOG_LEVEL?"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_LOG_LEVEL"] = "loud" }, `the edge refuses its settings: helix: log.level is "loud"`},
	{"local", func(s *manifests.Set) { setEnv(container(s), "HELIX_NODE_NAME", "a") }, "unknown variable HELIX_NODE_NAME"},
	{"local", func(s *manifests.Set) { setEnv(container(s), "HELIX_AUTH_SECRET", strings.Repeat("a", 32)) }, "its variable HELIX_AUTH_SECRET must come from a Secret"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_REDIS_URL"] = "redis://a:b@redis:6379" }, "its variable HELIX_REDIS_URL holds a password"},
	{"local", func(s *manifests.Set) { delete(config(s), "HELIX_REDIS_URL") }, "has no HELIX_REDIS_URL: each edge would have a Redis of its own"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_REDIS_URL"] = "redis://store:6379" }, "its Redis at store:6379 is no Service"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_REDIS_URL"] = "redis://redis:6380" }, "its Redis at redis:6380 is no Service"},
	{"production", func(s *manifests.Set) { config(s)["HELIX_REDIS_URL"] = "redis-cluster://redis.example.com" }, "asks the Redis at redis.example.com without TLS"},
	{"production", func(s *manifests.Set) { config(s)["HELIX_REDIS_PASSWORD"] = "a" }, "its variable HELIX_REDIS_PASSWORD must come from a Secret"},
	{"production", func(s *manifests.Set) { config(s)["HELIX_REDIS_PASSWORD_FILE"] = "/run/password" }, "its variable HELIX_REDIS_PASSWORD_FILE names /run/password, which no volume brings"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_HTTP_ADDR"] = ":8080" }, "its port http is 4000, and http.addr is :8080"},
	{"local", func(s *manifests.Set) { delete(config(s), "HELIX_ADMIN_ADDR") }, "admin.addr is 127.0.0.1:4001: only the pod itself could reach it"},

	// rollout.go
	{"local", func(s *manifests.Set) {
		s.Deployments[0].Spec.Strategy.RollingUpdate.MaxUnavailable = ptr(intstr.FromInt32(1))
	}, "must be updated by RollingUpdate with maxUnavailable 0"},
	{"local", func(s *manifests.Set) {
		s.Deployments[0].Spec.Strategy.RollingUpdate.MaxSurge = ptr(intstr.FromInt32(0))
	}, "must be updated by RollingUpdate"},
	{"local", func(s *manifests.Set) { s.Deployments[0].Spec.Strategy.Type = "Recreate" }, "must be updated by RollingUpdate"},
	{"local", func(s *manifests.Set) { container(s).Lifecycle = nil }, "must sleep in its preStop hook"},
	{"local", func(s *manifests.Set) {
		container(s).Lifecycle.PreStop = &core.LifecycleHandler{Exec: &core.ExecAction{Command: []string{"sleep", "5"}}}
	}, "must sleep in its preStop hook"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_SHUTDOWN_TIMEOUT"] = "2m" }, "its grace period of 1m0s is too short"},
	{"local", func(s *manifests.Set) { pod(s).Spec.TerminationGracePeriodSeconds = ptr[int64](10) }, "its grace period of 10s is too short"},
	{"local", func(s *manifests.Set) { container(s).Lifecycle.PreStop.Sleep.Seconds = 50 }, "its grace period of 1m0s is too short"},
	{"local", func(s *manifests.Set) { s.Deployments[0].Spec.MinReadySeconds = 1 }, "minReadySeconds is 1s: the next pod would end while the clients of the one before it still move"},
	{"local", func(s *manifests.Set) { s.Deployments[0].Spec.ProgressDeadlineSeconds = ptr[int32](10) }, "progressDeadlineSeconds is not longer than minReadySeconds"},

	// ingress.go
	{"local", func(s *manifests.Set) {
		delete(s.Ingresses[0].Annotations, "nginx.ingress.kubernetes.io/proxy-read-timeout")
	}, "nginx.ingress.kubernetes.io/proxy-read-timeout is \"\": it must be twice socket.idle_timeout"},
	{"local", func(s *manifests.Set) { config(s)["HELIX_SOCKET_IDLE_TIMEOUT"] = "45m" }, `haproxy-ingress.github.io/timeout-tunnel is "1h": it must be twice socket.idle_timeout`},
	{"local", func(s *manifests.Set) { config(s)["HELIX_DOCUMENT_MAX_BYTES"] = "16MiB" }, "documents of 16MiB do not pass"},

	{"local", func(s *manifests.Set) { delete(config(s), "HELIX_HTTP_TRUSTED_PROXIES") }, "http.trusted_proxies does not name it"},

	// availability.go
	{"production", func(s *manifests.Set) { s.Budgets[0].Spec.MaxUnavailable = ptr(intstr.FromInt32(0)) }, "PodDisruptionBudget helix: lets 0 of the 3 pods of Deployment helix go at once"},
	{"production", func(s *manifests.Set) { s.Budgets[0].Spec.MaxUnavailable = ptr(intstr.FromString("100%")) }, "PodDisruptionBudget helix: lets 3 of the 3 pods"},
	{"local", func(s *manifests.Set) {
		s.Budgets[0].Spec.MaxUnavailable, s.Budgets[0].Spec.MinAvailable = nil, ptr(intstr.FromInt32(3))
	}, "lets 0 of the 3 pods"},
	{"local", func(s *manifests.Set) { s.Deployments[0].Spec.Replicas = nil }, "lets 1 of the 1 pods"},
	{"local", func(s *manifests.Set) { s.Budgets = nil }, "Deployment helix: has no PodDisruptionBudget"},
	{"production", func(s *manifests.Set) { s.Deployments[0].Spec.Replicas = ptr[int32](3) }, "Deployment helix: sets its replicas, which an autoscaler does too"},
	{"production", func(s *manifests.Set) { s.Autoscalers[0].Spec.MinReplicas = ptr[int32](50) }, "minReplicas must be set, and not be more than maxReplicas"},
	{"production", func(s *manifests.Set) { s.Autoscalers[0].Spec.MinReplicas = nil }, "minReplicas must be set"},
	{"production", func(s *manifests.Set) { delete(container(s).Resources.Requests, "cpu") }, "HorizontalPodAutoscaler helix: goes by cpu, of which Deployment helix requests none"},
	{"production", func(s *manifests.Set) { s.Autoscalers[0].Spec.Metrics[1].Pods.Metric.Name = "helix_socket" }, "HorizontalPodAutoscaler helix: goes by helix_socket, which is no gauge of the edge"},

	// security.go
	{"local", func(s *manifests.Set) { pod(s).Spec.SecurityContext.RunAsNonRoot = nil }, "Deployment helix: is not restricted: runAsNonRoot != true"},
	{"local", func(s *manifests.Set) { pod(s).Spec.SecurityContext.SeccompProfile = nil }, "Deployment helix: is not restricted: seccompProfile"},
	{"local", func(s *manifests.Set) { redis(s).Spec.Containers[0].SecurityContext.Capabilities = nil }, "StatefulSet redis: is not restricted: unrestricted capabilities"},
	{"local", func(s *manifests.Set) { container(s).SecurityContext.AllowPrivilegeEscalation = nil }, "is not restricted: allowPrivilegeEscalation != false"},
	{"local", func(s *manifests.Set) { pod(s).Spec.HostNetwork = true }, "is not restricted: host namespaces"},
	{"local", func(s *manifests.Set) { redis(s).Spec.SecurityContext.RunAsUser = ptr[int64](0) }, "StatefulSet redis: is not restricted: runAsUser=0"},
	{"local", func(s *manifests.Set) { pod(s).Spec.AutomountServiceAccountToken = nil }, "Deployment helix: mounts a token of Kubernetes"},
	{"local", func(s *manifests.Set) { pod(s).Spec.ServiceAccountName = "" }, "Deployment helix: has no ServiceAccount of its own"},
	{"local", func(s *manifests.Set) { pod(s).Spec.EnableServiceLinks = nil }, "Deployment helix: gets the variables of Services"},
	{"local", func(s *manifests.Set) { redis(s).Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem = nil }, "its container redis can write to its root file system"},
	{"local", func(s *manifests.Set) { s.ServiceAccounts[0].AutomountServiceAccountToken = nil }, "ServiceAccount helix: has its token mounted"},
	{"production", func(s *manifests.Set) { delete(s.Namespaces[0].Labels, "pod-security.kubernetes.io/enforce") }, "Namespace helix: does not enforce the restricted level"},

	// images.go
	{"local", func(s *manifests.Set) { container(s).Image = "helix" }, "its image helix is not pinned"},
	{"local", func(s *manifests.Set) { container(s).Image = "localhost:5000/helix" }, "its image localhost:5000/helix is not pinned"},
	{"local", func(s *manifests.Set) { redis(s).Spec.Containers[0].Image = "redis:latest" }, "its image redis:latest is not pinned"},

	// resources.go
	{"local", func(s *manifests.Set) { delete(container(s).Resources.Requests, "cpu") }, "its container helix requests no cpu"},
	{"local", func(s *manifests.Set) { redis(s).Spec.Containers[0].Resources = core.ResourceRequirements{} }, "its container redis requests no memory"},
	{"local", func(s *manifests.Set) { delete(container(s).Resources.Limits, "memory") }, "its container helix must have a limit of memory"},
	{"local", func(s *manifests.Set) { container(s).Resources.Requests["memory"] = resource.MustParse("4Gi") }, "and not request more"},
	{"local", func(s *manifests.Set) { container(s).Resources.Limits["memory"] = resource.MustParse("420Mi") }, "GOMEMLIMIT is 400MiB: more than nine tenths of the limit, 420Mi"},
}

// complaints are those that each of the mistakes brings.
var complaints = sync.OnceValues(func() ([][]string, error) {
	var all [][]string
	for _, mistake := range mistakes {
		documents, err := rendered[mistake.overlay]()
		if err != nil {
			return nil, err
		}
		set, err := manifests.Decode(documents)
		if err != nil {
			return nil, err
		}
		mistake.make(set)
		all = append(all, manifests.Check(set, edge))
	}
	return all, nil
})

func TestCheck_complainsAboutEachMistake(t *testing.T) {
	t.Parallel()
	all, err := complaints()
	if err != nil {
		t.Fatal(err)
	}
	for i, mistake := range mistakes {
		if !strings.Contains(strings.Join(all[i], "\n"), mistake.want) {
			t.Errorf("want %s\ngot %q", mistake.want, all[i])
		}
	}
}

func TestCheck_complainsAboutAnObjectThatIsThereTwice(t *testing.T) {
	t.Parallel()
	documents := render(t, "local")
	set, err := manifests.Decode(append(documents, documents[0]))
	if err != nil {
		t.Fatal(err)
	}
	if complaints := strings.Join(manifests.Check(set, edge), "\n"); !strings.Contains(complaints, "is there twice") {
		t.Error(complaints)
	}
}

// A check that never fails is none: each sentence in the sources must be in a complaint that a mistake brings.
func TestCheck_hasAMistakeForEachComplaint(t *testing.T) {
	t.Parallel()
	var seen strings.Builder
	seen.WriteString(": is there twice\n") // above
	all, err := complaints()
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range all {
		seen.WriteString(strings.Join(each, "\n") + "\n")
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sentences := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			sentence, isText := call.Args[1].(*ast.BasicLit)
			if !ok || method.Sel.Name != "add" || !isText {
				return true
			}
			sentences++
			text, err := strconv.Unquote(sentence.Value)
			if err != nil {
				t.Fatal(err)
			}
			pattern := regexp.MustCompile(`%[a-z]`).ReplaceAllString(strings.ReplaceAll(regexp.QuoteMeta(text), "%q", "%s"), "(?s:.*)")
			if !regexp.MustCompile(": " + pattern).MatchString(seen.String()) {
				t.Errorf("%s: no mistake brings %q", file, text)
			}
			return true
		})
	}
	if sentences < 40 {
		t.Errorf("found %d sentences only: are they written otherwise now?", sentences)
	}
}
