package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"helm.sh/helm/v3/pkg/chartutil"

	helmcharts "github.com/kubefledged/kubefledged-operator/helm-charts"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// rights are verb group/resource, with a slash and a name where one is given.
type rights map[string]bool

func (r rights) add(rules []rbacv1.PolicyRule) {
	for _, rule := range rules {
		for _, right := range spell(rule) {
			r[right] = true
		}
	}
}

func spell(rule rbacv1.PolicyRule) []string {
	var all []string
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				for _, name := range names {
					all = append(all, strings.TrimSuffix(verb+" "+group+"/"+resource+"/"+name, "/"))
				}
			}
		}
	}
	return all
}

// allow tells whether a right is among them, for one name or for all.
func (r rights) allow(right string) bool {
	if r[right] {
		return true
	}
	parts := strings.Split(right, "/")
	subresources := []string{"status"}
	if len(parts) == 3 && !slices.Contains(subresources, parts[2]) {
		return r[parts[0]+"/"+parts[1]]
	}
	return false
}

func operatorRights(t *testing.T) (everywhere, inNamespace rights) {
	t.Helper()
	everywhere, inNamespace = rights{}, rights{}
	var clusterRole rbacv1.ClusterRole
	read(t, "operator-rbac/cluster_role.yaml", &clusterRole)
	everywhere.add(clusterRole.Rules)
	var role rbacv1.Role
	read(t, "operator-rbac/role.yaml", &role)
	inNamespace.add(clusterRole.Rules)
	inNamespace.add(role.Rules)
	return everywhere, inNamespace
}

// rendered returns the objects of the chart with everything turned on.
func rendered(t *testing.T) []*release.Object {
	t.Helper()
	chart, err := release.LoadChart(helmcharts.Files, helmcharts.KubeFledged)
	if err != nil {
		t.Fatal(err)
	}
	capabilities := *chartutil.DefaultCapabilities
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.37.2", Major: "1", Minor: "37"}
	capabilities.APIVersions = slices.Concat(chartutil.DefaultVersionSet, chartutil.VersionSet{"monitoring.coreos.com/v1", "cert-manager.io/v1"})
	on := map[string]any{"enabled": true}
	var objects []*release.Object
	for _, values := range []map[string]any{
		{"priorityClass": map[string]any{"create": true}, "networkPolicy": on, "controllerReplicaCount": int64(2),
			"metrics": map[string]any{"serviceMonitor": on, "prometheusRule": on, "dashboard": on}},
		{"webhook": map[string]any{"certManager": on}},
	} {
		manifest, err := chart.Render("kubefledged", "kube-fledged", values, &capabilities)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := release.Parse(manifest)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, parsed...)
	}
	return objects
}

// Who makes a role must have its rights, and who makes an object must be allowed
// to; also to delete it, without which OwnerReferencesPermissionEnforcement lets
// nobody set an owner.
func TestTheOperatorMayDoWhatItMust(t *testing.T) {
	everywhere, inNamespace := operatorRights(t)
	for _, object := range rendered(t) {
		may := inNamespace
		if object.GetNamespace() != "kube-fledged" {
			may = everywhere
		}
		for _, verb := range []string{"get", "list", "watch", "create", "patch", "delete"} {
			if right := verb + " " + object.GroupVersionKind().Group + "/" + plural(object.GetKind()); !may.allow(right) {
				t.Errorf("%s: the operator may not %s", release.KeyOf(object), right)
			}
		}
		if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
			continue
		}
		var role rbacv1.ClusterRole
		content, err := yaml.Marshal(object.Object)
		if err == nil {
			err = yaml.Unmarshal(content, &role)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, right := range spell(rule) {
				if !may.allow(right) {
					t.Errorf("%s gives %s, which the operator does not have", release.KeyOf(object), right)
				}
			}
		}
	}
}

func plural(kind string) string {
	kind = strings.ToLower(kind)
	switch {
	case strings.HasSuffix(kind, "y"):
		return strings.TrimSuffix(kind, "y") + "ies"
	case strings.HasSuffix(kind, "s"):
		return kind + "es"
	}
	return kind + "s"
}

// own are the rights that the operator uses itself; all others it has because
// the chart makes an object or a role with them.
var own = []string{
	"get charts.helm.kubefledged.io/kubefledgeds", "list charts.helm.kubefledged.io/kubefledgeds",
	"watch charts.helm.kubefledged.io/kubefledgeds", "patch charts.helm.kubefledged.io/kubefledgeds",
	"patch charts.helm.kubefledged.io/kubefledgeds/status",
	"get /secrets", "list /secrets", "create /secrets", "update /secrets", "delete /secrets", // records of the release
	"delete coordination.k8s.io/leases", // of the controller, at the end
}

// Each right has a reason: the operator's own work, an object of the chart, or a
// role of the chart.
func TestTheOperatorMayDoNothingElse(t *testing.T) {
	needed := rights{}
	for _, right := range own {
		needed[right] = true
	}
	for _, object := range rendered(t) {
		for _, verb := range []string{"get", "list", "watch", "create", "patch", "delete"} {
			needed[verb+" "+object.GroupVersionKind().Group+"/"+plural(object.GetKind())] = true
		}
		var role rbacv1.ClusterRole
		if content, err := yaml.Marshal(object.Object); err != nil || yaml.Unmarshal(content, &role) != nil {
			continue
		}
		for _, rule := range role.Rules {
			rule.ResourceNames = nil
			needed.add([]rbacv1.PolicyRule{rule})
		}
	}
	_, all := operatorRights(t)
	for right := range all {
		if strings.Contains(right, "*") {
			t.Errorf("a wildcard: %s", right)
		}
		if strings.HasPrefix(right, "escalate") || strings.HasPrefix(right, "bind") || strings.HasPrefix(right, "impersonate") {
			t.Errorf("a way to any right: %s", right)
		}
		if !needed[right] {
			t.Errorf("nothing needs: %s", right)
		}
	}
}

func TestTheOperatorIsRestricted(t *testing.T) {
	var namespace corev1.Namespace
	for _, file := range []string{"operator-rbac/namespace.yaml", "operator-target/namespace.yaml"} {
		read(t, file, &namespace)
		if namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
			t.Errorf("%s: %v", file, namespace.Labels)
		}
	}
	content, err := os.ReadFile("manager/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, need := range []string{"RELATED_IMAGE_KUBEFLEDGED_CONTROLLER", "RELATED_IMAGE_KUBEFLEDGED_CRI_CLIENT", "WATCH_NAMESPACE", "POD_NAMESPACE", "kubefledged-operator:dev"} {
		if !strings.Contains(string(content), need) {
			t.Errorf("the Deployment has no %s", need)
		}
	}
}
