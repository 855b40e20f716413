package components

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given []Component
		want  []string
		err   string
	}{
		"needs come first": {
			given: []Component{{Name: "c", Needs: []string{"b"}}, {Name: "a"}, {Name: "b", Needs: []string{"a"}}},
			want:  []string{"a", "b", "c"},
		},
		"independent ones stay as given": {
			given: []Component{{Name: "b"}, {Name: "a"}},
			want:  []string{"b", "a"},
		},
		"a missing need": {
			given: []Component{{Name: "a", Needs: []string{"b"}}},
			err:   "component a needs b, which does not exist",
		},
		"a cycle": {
			given: []Component{{Name: "a", Needs: []string{"b"}}, {Name: "b", Needs: []string{"a"}}},
			err:   "components need each other: a -> b -> a",
		},
		"a name twice": {
			given: []Component{{Name: "a"}, {Name: "a"}},
			err:   "component a is there twice",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ordered, err := Order(tc.given)
			var names []string
			for _, component := range ordered {
				names = append(names, component.Name)
			}
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Fatalf("error %v, want %s", err, tc.err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLabelsAreGivenByWhoMay(t *testing.T) {
	t.Parallel()
	node := Node{Labels: map[string]string{
		"disk":                           "ssd",
		"example.com/pool":               "a",
		"node.kubernetes.io/size":        "large",
		"topology.kubernetes.io/zone":    "z1",
		"node-role.kubernetes.io/gpu":    "",
		"node-restriction.kubernetes.io": "x",
		"sub.k8s.io/x":                   "y",
	}}
	own := []string{"disk=ssd", "example.com/pool=a", "node-restriction.kubernetes.io=x", "node.kubernetes.io/size=large"}
	if diff := cmp.Diff(own, node.KubeletLabels()); diff != "" {
		t.Errorf("the kubelet's (-want +got):\n%s", diff)
	}
	admin := []string{"node-role.kubernetes.io/gpu=", "sub.k8s.io/x=y", "topology.kubernetes.io/zone=z1"}
	if diff := cmp.Diff(admin, node.AdminLabels()); diff != "" {
		t.Errorf("the administrator's (-want +got):\n%s", diff)
	}
}

func TestLongNodeNames(t *testing.T) {
	t.Parallel()
	long := Node{Name: strings.Repeat("a", 64)}
	if long.RegistersItself() || len(long.HostnameLabel()) > 63 {
		t.Errorf("a name of 64 characters registers itself, or has the label %q", long.HostnameLabel())
	}
	short := Node{Name: strings.Repeat("a", 63)}
	if !short.RegistersItself() || short.HostnameLabel() != short.Name {
		t.Error("a name of 63 characters does not register itself under its name")
	}
}

func TestSocketPathsAreShort(t *testing.T) {
	t.Parallel()
	plan := testPlan()
	plan.State = "/home/somebody-with-a-name/.cache/kubefledged/clusters/kubefledged"
	if socket := plan.Socket(strings.Repeat("n", 253)); len(socket) > 107 {
		t.Errorf("%s has %d characters", socket, len(socket))
	}
}

func TestNodesNeedOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	for _, component := range testPlan().Node(Node{Name: "a"}) {
		for _, need := range component.Needs {
			if !strings.HasSuffix(need, "/a") && need != APIServer {
				t.Errorf("%s needs %s", component.Name, need)
			}
		}
	}
}

func TestRegistriesComeFromTheLocalOne(t *testing.T) {
	t.Parallel()
	plan := testPlan()
	for _, host := range []string{"docker.io", "quay.io", "ghcr.io", "registry.k8s.io", "localhost:5000", "198.18.0.1:5000"} {
		path := "/state/nodes/34aa1081/certs.d/" + host + "/hosts.toml"
		files := plan.registryHosts(Node{Name: "worker1"})
		index := slices.IndexFunc(files, func(file File) bool { return file.Path == path })
		if index < 0 || !strings.Contains(files[index].Content, `server = "http://198.18.0.1:5000"`) {
			t.Errorf("%s is not redirected by %s", host, path)
		}
	}
}

func TestKwokAndFlags(t *testing.T) {
	t.Parallel()
	plan := Plan{State: "/state", Kwok: "/kwok", KwokConfig: "/stages.yaml", Flags: map[string][]string{
		ControllerManager: {"--kube-api-qps=100"},
	}}
	found := map[string]Component{}
	for _, component := range plan.ControlPlane() {
		found[component.Name] = component
	}
	manager := found[ControllerManager].Command
	if manager[len(manager)-1] != "--kube-api-qps=100" {
		t.Errorf("the flag is not the last one, which counts: %v", manager)
	}
	kwok := found[Kwok]
	if !slices.Contains(kwok.Command, "--config=/stages.yaml") || kwok.Namespace != plan.Names.ControlPlane() {
		t.Errorf("kwok: %v in %q", kwok.Command, kwok.Namespace)
	}
	plan.KwokConfig = ""
	for _, component := range plan.ControlPlane() {
		if component.Name == Kwok {
			t.Error("kwok runs though nobody asked for it")
		}
	}
}
