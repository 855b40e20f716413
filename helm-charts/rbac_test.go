package charts_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// role is a Role or a ClusterRole.
type role struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Rules []rbacv1.PolicyRule `json:"rules"`
}

func rolesOf(t *testing.T, all []object) map[string]role {
	t.Helper()
	found := map[string]role{}
	for _, o := range all {
		if o.Kind == "Role" || o.Kind == "ClusterRole" {
			var r role
			if err := yaml.Unmarshal([]byte(o.text), &r); err != nil {
				t.Fatal(err)
			}
			found[o.String()] = r
		}
	}
	return found
}

// Who installs with kustomize and who installs with Helm give the same rights.
func TestRolesAreThoseOfConfig(t *testing.T) {
	ours := rolesOf(t, objects(t, theRelease(nil)))
	files, err := filepath.Glob("../config/rbac/*_role.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d roles, %v", len(files), err)
	}
	for _, file := range files {
		var o object
		var theirs role
		content := []byte(read(t, file))
		if err := yaml.Unmarshal(content, &o); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(content, &theirs); err != nil {
			t.Fatal(err)
		}
		mine, there := ours[o.String()]
		if !there {
			t.Errorf("the chart has no %s", &o)
			continue
		}
		if diff := cmp.Diff(theirs.Rules, mine.Rules); diff != "" {
			t.Errorf("%s (-config +chart)\n%s", &o, diff)
		}
		for label, value := range theirs.Metadata.Labels {
			if strings.HasPrefix(label, "rbac.authorization.k8s.io/") && mine.Metadata.Labels[label] != value {
				t.Errorf("%s: %s is %q", &o, label, mine.Metadata.Labels[label])
			}
		}
	}
}

// Each right of the webhook server is here because something needs it; those over
// one object name it.
func TestRightsOfTheWebhookServer(t *testing.T) {
	configuration := func(verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{
			APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"validatingwebhookconfigurations"},
			ResourceNames: []string{"ours"}, Verbs: verbs,
		}
	}
	caches := rbacv1.PolicyRule{APIGroups: []string{"kubefledged.io"}, Resources: []string{"imagecaches"}, Verbs: []string{"list", "watch"}}
	secrets := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"tls"}, Verbs: []string{"get", "list", "watch", "update"}},
	}
	for values, want := range map[string]struct{ cluster, namespace []rbacv1.PolicyRule }{
		`{validatingWebhook: {name: ours}, webhook: {certificateSecret: tls}}`:                       {[]rbacv1.PolicyRule{configuration("get", "list", "watch", "patch"), caches}, secrets},
		`{validatingWebhook: {name: ours, create: false}, webhook: {certificateSecret: tls}}`:        {[]rbacv1.PolicyRule{configuration("get", "list", "watch", "patch"), caches}, secrets},
		`{validatingWebhook: {create: false}, webhook: {certificateSecret: tls}}`:                    {[]rbacv1.PolicyRule{caches}, secrets},
		`{validatingWebhook: {name: ours}, webhook: {certManager: {enabled: true}}}`:                 {[]rbacv1.PolicyRule{configuration("get", "list", "watch"), caches}, nil},
		`{validatingWebhook: {name: ours}, webhook: {selfSigned: false, certificateSecret: tls}}`:    {[]rbacv1.PolicyRule{configuration("get", "list", "watch"), caches}, nil},
		`{validatingWebhook: {create: false}, webhook: {selfSigned: false, certificateSecret: tls}}`: {[]rbacv1.PolicyRule{caches}, nil},
	} {
		all := rolesOf(t, objects(t, theRelease(parse(t, values))))
		if diff := cmp.Diff(want.cluster, all["ClusterRole/kubefledged-webhook-server"].Rules); diff != "" {
			t.Errorf("%s: in the cluster (-want +got)\n%s", values, diff)
		}
		if diff := cmp.Diff(want.namespace, all["Role/kubefledged-webhook-server-certificate"].Rules); diff != "" {
			t.Errorf("%s: in its namespace (-want +got)\n%s", values, diff)
		}
	}
}

// No role says "everything", no ClusterRole is about Secrets, and nothing in the
// namespace of removals is for anybody.
func TestNoRoleIsWide(t *testing.T) {
	for name, r := range cases(t) {
		all := objects(t, r)
		for key, role := range rolesOf(t, all) {
			for _, rule := range role.Rules {
				for _, words := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames, rule.NonResourceURLs} {
					if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, "*") }) {
						t.Errorf("%s: %s allows %v", name, key, rule)
					}
				}
				if strings.HasPrefix(key, "ClusterRole/") && slices.Contains(rule.Resources, "secrets") {
					t.Errorf("%s: %s reads Secrets of all namespaces", name, key)
				}
			}
		}
		for _, o := range all {
			if o.Metadata.Namespace == "kube-fledged-node" && o.Kind != "NetworkPolicy" {
				t.Errorf("%s: %s is in the namespace of removals", name, &o)
			}
		}
	}
}

// Roles are bound to the service accounts of the pods, and to nobody else: the
// original bound its own to the group of all nodes.
func TestBindings(t *testing.T) {
	for values, accounts := range map[string][2]string{
		`{}`: {"kubefledged-controller", "kubefledged-webhook-server"},
		`serviceAccount: {create: false, name: one, webhookServerName: two}`: {"one", "two"},
	} {
		all := objects(t, theRelease(parse(t, values)))
		for _, d := range deployments(t, all) {
			account := accounts[0]
			if strings.HasSuffix(d.Name, "webhook-server") {
				account = accounts[1]
			}
			if d.Spec.Template.Spec.ServiceAccountName != account {
				t.Errorf("%s: %s runs as %s", values, d.Name, d.Spec.Template.Spec.ServiceAccountName)
			}
		}
		bindings := 0
		for _, o := range all {
			if o.Kind != "ClusterRoleBinding" && o.Kind != "RoleBinding" {
				continue
			}
			bindings++
			var b struct {
				RoleRef  rbacv1.RoleRef   `json:"roleRef"`
				Subjects []rbacv1.Subject `json:"subjects"`
			}
			if err := yaml.Unmarshal([]byte(o.text), &b); err != nil {
				t.Fatal(err)
			}
			account := accounts[0]
			if strings.Contains(o.Metadata.Name, "webhook-server") {
				account = accounts[1]
			}
			want := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: "kube-fledged"}}
			if diff := cmp.Diff(want, b.Subjects); diff != "" {
				t.Errorf("%s: %s (-want +got)\n%s", values, &o, diff)
			}
			if find(all, b.RoleRef.Kind, b.RoleRef.Name) == nil {
				t.Errorf("%s: %s is for %s, which is not there", values, &o, b.RoleRef.Name)
			}
		}
		if bindings != 4 {
			t.Errorf("%s: %d bindings", values, bindings)
		}
	}
}

// The namespace of removals is the one in config/.
func TestNamespaceOfRemovals(t *testing.T) {
	var mine, theirs corev1.Namespace
	mustFind(t, objects(t, theRelease(nil)), "Namespace", "kube-fledged-node").into(t, &mine)
	if err := yaml.UnmarshalStrict([]byte(read(t, "../config/removal/namespace.yaml")), &theirs); err != nil {
		t.Fatal(err)
	}
	for label, value := range theirs.Labels {
		if mine.Labels[label] != value {
			t.Errorf("%s is %q, in config/ it is %q", label, mine.Labels[label], value)
		}
	}
}
