package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// The controller looks for the namespace of removals under this name, and its
// pods are refused below this level.
func TestNamespaceOfRemovals(t *testing.T) {
	var ours, removals corev1.Namespace
	read(t, "operator-target/namespace.yaml", &ours)
	read(t, "removal/namespace.yaml", &removals)
	if removals.Name != ours.Name+"-node" {
		t.Errorf("it is called %s", removals.Name)
	}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		if level := removals.Labels["pod-security.kubernetes.io/"+mode]; level != "privileged" {
			t.Errorf("%s: level %q", mode, level)
		}
	}
	if level := ours.Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		t.Errorf("the controller's namespace has level %q", level)
	}
}

// Who may make pods in that namespace owns the nodes: no role is for it, and
// the ones that are aggregated into those of users say nothing of Jobs and pods.
func TestNobodyHasRightsOverRemovals(t *testing.T) {
	files, err := filepath.Glob("*/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		var object struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Namespace string            `json:"namespace"`
				Labels    map[string]string `json:"labels"`
			} `json:"metadata"`
			Rules []rbacv1.PolicyRule `json:"rules"`
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(content, &object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if object.Metadata.Namespace == "kube-fledged-node" {
			t.Errorf("%s: a %s in the namespace of removals", file, object.Kind)
		}
		for label := range object.Metadata.Labels {
			for _, rule := range object.Rules {
				if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") && strings.Join(rule.APIGroups, "") != "kubefledged.io" {
					t.Errorf("%s gives users %v", file, rule)
				}
			}
		}
	}
}

// Each right is here because something needs it.
func TestRightsOfTheController(t *testing.T) {
	var role rbacv1.ClusterRole
	read(t, "rbac/controller_role.yaml", &role)
	got := map[string]string{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			got[strings.Join(rule.APIGroups, ",")+"/"+resource] = strings.Join(rule.Verbs, " ")
		}
	}
	want := map[string]string{
		"kubefledged.io/imagecaches":        "get list watch patch", // accept requests, hold the finalizer
		"kubefledged.io/imagecaches/status": "patch",
		"kubefledged.io/nodecaches":         "get list watch create update delete",
		"/nodes":                            "get list watch",
		"/pods":                             "get list watch",
		"/namespaces":                       "get", // is that of a deleted ImageCache going, too?
		"batch/jobs":                        "get list watch create delete",
		"/events":                           "list", // the kubelet's words
		"events.k8s.io/events":              "create patch",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-want +got)\n%s", diff)
	}
}
