package charts_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// kinds are those of Kubernetes' own that the chart makes. Their fields are known.
var kinds = map[string]func() any{
	"ClusterRole":                    func() any { return &rbacv1.ClusterRole{} },
	"ClusterRoleBinding":             func() any { return &rbacv1.ClusterRoleBinding{} },
	"ConfigMap":                      func() any { return &corev1.ConfigMap{} },
	"Deployment":                     func() any { return &appsv1.Deployment{} },
	"Namespace":                      func() any { return &corev1.Namespace{} },
	"NetworkPolicy":                  func() any { return &networkingv1.NetworkPolicy{} },
	"PodDisruptionBudget":            func() any { return &policyv1.PodDisruptionBudget{} },
	"PriorityClass":                  func() any { return &schedulingv1.PriorityClass{} },
	"Role":                           func() any { return &rbacv1.Role{} },
	"RoleBinding":                    func() any { return &rbacv1.RoleBinding{} },
	"Service":                        func() any { return &corev1.Service{} },
	"ServiceAccount":                 func() any { return &corev1.ServiceAccount{} },
	"ValidatingWebhookConfiguration": func() any { return &admissionregistrationv1.ValidatingWebhookConfiguration{} },
}

// foreign are the kinds of others, which need their CRDs.
var foreign = []string{"Certificate", "Issuer", "PrometheusRule", "ServiceMonitor"}

// clusterScoped are the kinds whose objects are in no namespace.
var clusterScoped = []string{"ClusterRole", "ClusterRoleBinding", "Namespace", "PriorityClass", "ValidatingWebhookConfiguration"}

func TestEveryObject(t *testing.T) {
	for name, r := range cases(t) {
		seen := map[string]bool{}
		for _, o := range objects(t, r) {
			if typed, known := kinds[o.Kind]; known {
				o.into(t, typed())
			} else if !slices.Contains(foreign, o.Kind) {
				t.Errorf("%s: %s is of no kind that the operator watches: add it here and there", name, &o)
			}
			if seen[o.String()] && o.Kind != "NetworkPolicy" {
				t.Errorf("%s: %s is there twice", name, &o)
			}
			seen[o.String()] = true
			checkMetadata(t, name, &o)
		}
	}
}

func checkMetadata(t *testing.T, where string, o *object) {
	t.Helper()
	for label, want := range map[string]string{
		"app": "kubefledged", "app.kubernetes.io/name": "kubefledged", "app.kubernetes.io/instance": "kubefledged",
		"app.kubernetes.io/part-of": "kubefledged", "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/version": "v" + released(t),
		"helm.sh/chart": "kubefledged-" + released(t),
	} {
		if got := o.Metadata.Labels[label]; got != want {
			t.Errorf("%s: %s has %s=%q", where, o, label, got)
		}
	}
	if component := o.Metadata.Labels["app.kubernetes.io/component"]; component == "" || o.Metadata.Labels["kubefledged"] != "kubefledged-"+component {
		t.Errorf("%s: %s is of component %q and %q", where, o, component, o.Metadata.Labels["kubefledged"])
	}
	if inNone := slices.Contains(clusterScoped, o.Kind); inNone != (o.Metadata.Namespace == "") {
		t.Errorf("%s: %s is in namespace %q", where, o, o.Metadata.Namespace)
	}
	if len(o.Metadata.OwnerReferences) > 0 {
		t.Errorf("%s: %s has an owner, which only the operator knows", where, o)
	}
	if strings.Contains(o.text, "ownerReferences") || strings.Contains(o.text, "caBundle") {
		t.Errorf("%s: %s says what others write:\n%s", where, o, o.text)
	}
	if blank := regexp.MustCompile(`(?m)[ \t]+$|^$`).FindString(strings.TrimSpace(o.text)); o.Kind != "ConfigMap" && (blank != "" || strings.Contains(o.text, "\n\n")) {
		t.Errorf("%s: %s has blanks at the ends of lines or lines without anything:\n%s", where, o, o.text)
	}
}

func deployments(t *testing.T, all []object) []appsv1.Deployment {
	t.Helper()
	var found []appsv1.Deployment
	for _, o := range all {
		if o.Kind == "Deployment" {
			var d appsv1.Deployment
			o.into(t, &d)
			found = append(found, d)
		}
	}
	return found
}

// Pod Security restricted, as Kubernetes documents it, and what it leaves open.
func TestPodsAreRestricted(t *testing.T) {
	for name, r := range cases(t) {
		if name == "original" {
			continue // asks for the host's network
		}
		for _, d := range deployments(t, objects(t, r)) {
			pod := d.Spec.Template.Spec
			if pod.HostNetwork || pod.HostPID || pod.HostIPC {
				t.Errorf("%s: %s is in namespaces of the host", name, d.Name)
			}
			if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: %s has pod security context %+v", name, d.Name, s)
			}
			for _, volume := range pod.Volumes {
				if volume.Secret == nil {
					t.Errorf("%s: %s has volume %s", name, d.Name, volume.Name)
				}
			}
			if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
				t.Fatalf("%s: %s has other containers", name, d.Name)
			}
			c := pod.Containers[0]
			s := c.SecurityContext
			if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
				s.Privileged != nil || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
				t.Errorf("%s: %s has security context %+v", name, d.Name, s)
			}
			if c.LivenessProbe == nil || c.ReadinessProbe == nil || c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s: %s has no probe or no resources", name, d.Name)
			}
			for _, port := range c.Ports {
				if port.HostPort != 0 {
					t.Errorf("%s: %s has host port %d", name, d.Name, port.HostPort)
				}
			}
		}
	}
}

// The webhook server may listen below 1024 without root, in its own network only.
func TestLowPorts(t *testing.T) {
	for values, want := range map[string]string{
		`{}`:                              "",
		`args: {webhookServerPort: 443}`:  "443",
		`args: {webhookServerPort: 1024}`: "",
		`{args: {webhookServerPort: 443}, webhookServer: {hostNetwork: true}}`: "",
	} {
		var d appsv1.Deployment
		mustFind(t, objects(t, theRelease(parse(t, values))), "Deployment", "kubefledged-webhook-server").into(t, &d)
		got := ""
		for _, s := range d.Spec.Template.Spec.SecurityContext.Sysctls {
			got += s.Value
		}
		if got != want {
			t.Errorf("%s: ports from %q on", values, got)
		}
	}
}

// Whatever selects pods selects those of one Deployment: Services, budgets,
// policies, spreads, and the Deployment itself.
func TestSelectors(t *testing.T) {
	all := objects(t, theRelease(valuesOf(t, "everything")))
	pods := map[string]labels.Set{}
	for _, d := range deployments(t, all) {
		pods[d.Name] = d.Spec.Template.Labels
		if d.Spec.Template.Labels["app"] != "kubefledged" || d.Spec.Template.Labels["owner"] != "platform" || d.Spec.Template.Labels["sidecar"] != "none" {
			t.Errorf("pods of %s have %v", d.Name, d.Spec.Template.Labels)
		}
	}
	check := func(what, name string, selector *metav1.LabelSelector) {
		t.Helper()
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || s.Empty() {
			t.Fatalf("%s %s: %v %v", what, name, s, err)
		}
		for deployment, set := range pods {
			if s.Matches(set) != (deployment == name) {
				t.Errorf("the selector of %s %s and the pods of %s: %v", what, name, deployment, s.Matches(set))
			}
		}
	}
	for _, d := range deployments(t, all) {
		check("Deployment", d.Name, d.Spec.Selector)
		for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
			check("spread", d.Name, spread.LabelSelector)
		}
		var service corev1.Service
		mustFind(t, all, "Service", d.Name).into(t, &service)
		check("Service", d.Name, &metav1.LabelSelector{MatchLabels: service.Spec.Selector})
		var budget policyv1.PodDisruptionBudget
		mustFind(t, all, "PodDisruptionBudget", d.Name).into(t, &budget)
		check("budget", d.Name, budget.Spec.Selector)
		var policy networkingv1.NetworkPolicy
		mustFind(t, all, "NetworkPolicy", d.Name).into(t, &policy)
		check("policy", d.Name, &policy.Spec.PodSelector)
	}
}

// Every port that is named somewhere is one of the container's.
func TestPortsHaveNames(t *testing.T) {
	all := objects(t, theRelease(valuesOf(t, "everything")))
	for _, d := range deployments(t, all) {
		names := map[string]bool{}
		c := d.Spec.Template.Spec.Containers[0]
		for _, port := range c.Ports {
			names[port.Name] = true
		}
		var service corev1.Service
		mustFind(t, all, "Service", d.Name).into(t, &service)
		var policy networkingv1.NetworkPolicy
		mustFind(t, all, "NetworkPolicy", d.Name).into(t, &policy)
		named := []string{c.LivenessProbe.HTTPGet.Port.StrVal, c.ReadinessProbe.HTTPGet.Port.StrVal}
		for _, port := range service.Spec.Ports {
			named = append(named, port.TargetPort.StrVal)
		}
		for _, rule := range policy.Spec.Ingress {
			named = append(named, rule.Ports[0].Port.StrVal)
		}
		for _, name := range named {
			if !names[name] {
				t.Errorf("%s has no port called %q", d.Name, name)
			}
		}
	}
}

// The configuration points to the Service, and to a path that the server has.
func TestWebhookConfiguration(t *testing.T) {
	all := objects(t, theRelease(parse(t, `webhookService: {port: 9443, name: other}`)))
	var configuration admissionregistrationv1.ValidatingWebhookConfiguration
	mustFind(t, all, "ValidatingWebhookConfiguration", "kubefledged-webhook-server").into(t, &configuration)
	var service corev1.Service
	mustFind(t, all, "Service", "other").into(t, &service)
	if len(configuration.Webhooks) != 1 {
		t.Fatalf("%d webhooks", len(configuration.Webhooks))
	}
	w := configuration.Webhooks[0]
	to := w.ClientConfig.Service
	if to.Name != service.Name || to.Namespace != service.Namespace || *to.Port != service.Spec.Ports[0].Port || *to.Path != "/validate-image-cache" || len(w.ClientConfig.CABundle) > 0 {
		t.Errorf("it goes to %+v, the Service is %+v", to, service.Spec)
	}
	if w.Name != "validate-image-cache.kubefledged.io" || *w.FailurePolicy != admissionregistrationv1.Fail || *w.TimeoutSeconds != 10 || *w.SideEffects != admissionregistrationv1.SideEffectClassNone || len(w.MatchConditions) != 2 {
		t.Errorf("got %+v", w)
	}
	rule := w.Rules[0]
	if len(w.Rules) != 1 || !slices.Equal(rule.Resources, []string{"imagecaches"}) || !slices.Equal(rule.Operations, []admissionregistrationv1.OperationType{"CREATE", "UPDATE"}) {
		t.Errorf("it looks at %+v", w.Rules)
	}
}

// Names: of the release, of the chart, both, given, and as long as they get.
func TestNames(t *testing.T) {
	long := strings.Repeat("a", 53)
	for name, test := range map[string]struct {
		release, namespace, values, fullname, removals string
	}{
		"of the documentation": {"kubefledged", "kube-fledged", `{}`, "kubefledged", "kube-fledged-node"},
		"with the chart's":     {"my-kubefledged", "a", `{}`, "my-kubefledged", "a-node"},
		"without":              {"images", "a", `{}`, "images-kubefledged", "a-node"},
		"of the original":      {"kube-fledged", "a", `{}`, "kube-fledged-kubefledged", "a-node"},
		"given":                {"images", "a", `fullnameOverride: cache`, "cache", "a-node"},
		"given in part":        {"images", "a", `nameOverride: cache`, "images-cache", "a-node"},
		"with dots":            {"kubefledged.v1", "a", `{}`, "kubefledged-v1", "a-node"},
		"a number":             {"123", "456", `{}`, "kubefledged-123", "456-node"},
		"long":                 {long, strings.Repeat("n", 63), `{}`, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-cd8dca03", strings.Repeat("n", 49) + "-73dcf996-node"},
		"removals elsewhere":   {"kubefledged", "a", `removal: {namespace: wipe}`, "kubefledged", "wipe"},
	} {
		t.Run(name, func(t *testing.T) {
			values := parse(t, test.values)
			values["networkPolicy"], values["priorityClass"] = map[string]any{"enabled": true}, map[string]any{"create": true}
			all := objects(t, release{name: test.release, namespace: test.namespace, values: values})
			for _, want := range [][2]string{{"Deployment", test.fullname + "-controller"}, {"Service", test.fullname + "-webhook-server"}, {"ClusterRole", test.fullname + "-controller"}, {"Namespace", test.removals}} {
				if find(all, want[0], want[1]) == nil {
					t.Errorf("no %s", want)
				}
			}
			for _, o := range all {
				problems := validation.IsDNS1123Subdomain(o.Metadata.Name)
				if o.Kind == "Service" {
					problems = validation.IsDNS1035Label(o.Metadata.Name)
				}
				for _, value := range o.Metadata.Labels {
					problems = append(problems, validation.IsValidLabelValue(value)...)
				}
				if len(problems) > 0 {
					t.Errorf("%s: %v", &o, problems)
				}
			}
		})
	}
}

// cert-manager's objects and the server agree on the Secret, the names and the CA.
func TestCertManager(t *testing.T) {
	for name, secret := range map[string]string{"cert-manager": "kubefledged-webhook-server-cert", "cert-manager-issuer": "image-cache-tls"} {
		all := objects(t, theRelease(valuesOf(t, name)))
		certificate := mustFind(t, all, "Certificate", "kubefledged-webhook-server")
		for _, want := range []string{"secretName: \"" + secret + "\"", "- kubefledged-webhook-server.kube-fledged.svc\n"} {
			if !strings.Contains(certificate.text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, certificate.text)
			}
		}
		configuration := mustFind(t, all, "ValidatingWebhookConfiguration", "kubefledged-webhook-server")
		if got := configuration.Metadata.Annotations["cert-manager.io/inject-ca-from"]; got != "kube-fledged/kubefledged-webhook-server" {
			t.Errorf("%s: the CA comes from %q", name, got)
		}
		var d appsv1.Deployment
		mustFind(t, all, "Deployment", "kubefledged-webhook-server").into(t, &d)
		pod := d.Spec.Template.Spec
		if len(pod.Volumes) != 1 || pod.Volumes[0].Secret.SecretName != secret {
			t.Fatalf("%s: volumes %+v", name, pod.Volumes)
		}
		if items := pod.Volumes[0].Secret.Items; len(items) != 2 || items[0] != (corev1.KeyToPath{Key: "tls.crt", Path: "tls.crt"}) || items[1] != (corev1.KeyToPath{Key: "tls.key", Path: "tls.key"}) {
			t.Errorf("%s: it mounts %+v", name, items)
		}
		mount := pod.Containers[0].VolumeMounts[0].MountPath
		for _, want := range []string{"--self-signed=false", "--cert-file=" + mount + "/tls.crt", "--key-file=" + mount + "/tls.key"} {
			if !slices.Contains(pod.Containers[0].Args, want) {
				t.Errorf("%s: no %s in %v", name, want, pod.Containers[0].Args)
			}
		}
		if find(all, "Role", "kubefledged-webhook-server-certificate") != nil {
			t.Errorf("%s: the server may write Secrets that cert-manager makes", name)
		}
	}
}
