package charts_test

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
)

func deployment(t *testing.T, values, name string) appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	mustFind(t, objects(t, theRelease(parse(t, values))), "Deployment", name).into(t, &d)
	return d
}

var both = []string{"kubefledged-controller", "kubefledged-webhook-server"}

// The programs speak to the API server, and the kubelet asks them the right question.
func TestPodsCanWork(t *testing.T) {
	for _, name := range both {
		pod := deployment(t, `{}`, name).Spec.Template.Spec
		if pod.AutomountServiceAccountToken == nil || !*pod.AutomountServiceAccountToken {
			t.Errorf("%s has no token", name)
		}
		c := pod.Containers[0]
		if live, ready := c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path; live != "/healthz" || ready != "/readyz" {
			t.Errorf("%s: live by %s, ready by %s", name, live, ready)
		}
	}
}

// What a component says for itself is for it alone, and stands in place of what is shared.
func TestOwnBeforeShared(t *testing.T) {
	const shared = `
tolerations: [{key: shared}]
nodeSelector: {pool: shared}
affinity: {nodeAffinity: {}}
resources: {limits: {memory: 7Gi}}
topologySpreadConstraints: [{topologyKey: shared, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway}]
`
	const own = shared + `
controller:
  tolerations: [{key: own}]
  nodeSelector: {of: own}
  affinity: {podAffinity: {}}
  resources: {limits: {memory: 9Gi}}
  topologySpreadConstraints: [{topologyKey: own, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway}]
`
	words := func(values, name string) string {
		pod := deployment(t, values, name).Spec.Template.Spec
		affinity := "shared"
		if pod.Affinity.PodAffinity != nil && pod.Affinity.NodeAffinity == nil {
			affinity = "own"
		}
		return strings.Join([]string{
			pod.Tolerations[0].Key, pod.NodeSelector["of"] + pod.NodeSelector["pool"], affinity,
			pod.Containers[0].Resources.Limits.Memory().String(), pod.TopologySpreadConstraints[0].TopologyKey,
		}, " ")
	}
	for _, test := range [][3]string{
		{shared, both[0], "shared shared shared 7Gi shared"},
		{shared, both[1], "shared shared shared 7Gi shared"},
		{own, both[0], "own own own 9Gi own"},
		{own, both[1], "shared shared shared 7Gi shared"},
	} {
		if got := words(test[0], test[1]); got != test[2] {
			t.Errorf("%s: got %s, want %s", test[1], got, test[2])
		}
	}
}

// In the host's network two pods of one kind cannot be on one node: the old one
// goes first, and names of the cluster are still found.
func TestHostNetwork(t *testing.T) {
	for _, name := range both {
		for values, want := range map[string][3]string{
			`{}`: {"1", "0", ""},
			`{controller: {hostNetwork: true}, webhookServer: {hostNetwork: true}}`: {"0", "1", string(corev1.DNSClusterFirstWithHostNet)},
		} {
			d := deployment(t, values, name)
			rolling := d.Spec.Strategy.RollingUpdate
			if got := [3]string{rolling.MaxSurge.String(), rolling.MaxUnavailable.String(), string(d.Spec.Template.Spec.DNSPolicy)}; got != want {
				t.Errorf("%s of %s: %v, want %v", values, name, got, want)
			}
		}
	}
	ports := map[int32]string{}
	for _, name := range both {
		for _, port := range deployment(t, `{}`, name).Spec.Template.Spec.Containers[0].Ports {
			if other := ports[port.ContainerPort]; other != "" {
				t.Errorf("%s and %s both listen on %d", name, other, port.ContainerPort)
			}
			ports[port.ContainerPort] = name
		}
	}
}

// Jobs preempt nothing, and the pods have the classes that the chart makes.
func TestPriorityClasses(t *testing.T) {
	all := objects(t, theRelease(parse(t, `{priorityClass: {create: true}}`)))
	var jobs schedulingv1.PriorityClass
	mustFind(t, all, "PriorityClass", "kubefledged-jobs").into(t, &jobs)
	if jobs.PreemptionPolicy == nil || *jobs.PreemptionPolicy != corev1.PreemptNever || jobs.Value >= 0 || jobs.GlobalDefault {
		t.Errorf("got %+v", jobs)
	}
	for _, d := range deployments(t, all) {
		if class := d.Spec.Template.Spec.PriorityClassName; find(all, "PriorityClass", class) == nil {
			t.Errorf("%s has the class %q, which is not made", d.Name, class)
		}
	}
	if args := container(t, theRelease(parse(t, `{priorityClass: {create: true}}`)), "-controller").Args; !slices.Contains(args, "--job-priority-class-name=kubefledged-jobs") {
		t.Error(args)
	}
	if args := strings.Join(container(t, theRelease(nil), "-controller").Args, " "); strings.Contains(args, "priority") {
		t.Error(args)
	}
}

// A ServiceMonitor names a port that the Service has, and selects that Service.
func TestServiceMonitors(t *testing.T) {
	all := objects(t, theRelease(valuesOf(t, "everything")))
	for _, name := range both {
		monitor, service := mustFind(t, all, "ServiceMonitor", name), mustFind(t, all, "Service", name)
		if !strings.Contains(monitor.text, "\n  - port: metrics\n") || !strings.Contains(service.text, "\n  - name: metrics\n") {
			t.Errorf("%s\n%s", monitor.text, service.text)
		}
		if want := "app.kubernetes.io/component: " + service.Metadata.Labels["app.kubernetes.io/component"]; strings.Count(monitor.text, want) != 2 {
			t.Errorf("no selector with %s in\n%s", want, monitor.text)
		}
	}
}

// With an issuer of the chart's own the CA is one, and signs the certificate.
func TestIssuers(t *testing.T) {
	all := objects(t, theRelease(valuesOf(t, "cert-manager")))
	for name, want := range map[[2]string]string{
		{"Issuer", "kubefledged-webhook-server-root"}:    "selfSigned: {}",
		{"Certificate", "kubefledged-webhook-server-ca"}: "isCA: true",
		{"Issuer", "kubefledged-webhook-server"}:         "ca:\n    secretName: kubefledged-webhook-server-ca",
		{"Certificate", "kubefledged-webhook-server"}:    "kind: Issuer\n    name: \"kubefledged-webhook-server\"",
	} {
		if o := mustFind(t, all, name[0], name[1]); !strings.Contains(o.text, want) {
			t.Errorf("%s does not say %q:\n%s", o, want, o.text)
		}
	}
	others := objects(t, theRelease(valuesOf(t, "cert-manager-issuer")))
	if slices.ContainsFunc(others, func(o object) bool { return o.Kind == "Issuer" }) {
		t.Error("an issuer is made beside the one that is named")
	}
}
