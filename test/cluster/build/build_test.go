package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyDependsOnWhatDecides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	key := func(recipe Recipe) string {
		key, err := Key(recipe, dir)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	write("go.mod", "module x")
	first := key(Recipe{})
	write("README.md", "text")
	write("x_test.go", "package x")
	if key(Recipe{}) != first {
		t.Error("documents and tests change the key")
	}
	if key(Recipe{Flags: []string{"-race"}}) == first {
		t.Error("flags do not change the key")
	}
	write("go.sum", "sum")
	if key(Recipe{}) == first {
		t.Error("go.sum does not change the key")
	}
}

func TestReportedVersionsAreThoseBuilt(t *testing.T) {
	t.Parallel()
	for requirement, module := range map[string]string{
		"k8s.io/kubernetes " + KubernetesVersion:                                 Kubernetes,
		"github.com/containerd/containerd/v2 " + ContainerdVersion:               Containerd,
		"github.com/operator-framework/operator-lifecycle-manager " + OLMVersion: olmModule,
		"github.com/operator-framework/operator-registry " + OPMVersion:          olmModule,
		"github.com/operator-framework/operator-sdk " + SDKVersion:               sdkModule,
	} {
		content, err := os.ReadFile(filepath.Join("..", module, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), requirement) {
			t.Errorf("%s/go.mod does not require %s", module, requirement)
		}
	}
}

func TestRecipesHaveSources(t *testing.T) {
	t.Parallel()
	for _, recipe := range Recipes() {
		for _, file := range []string{"go.mod"} {
			if _, err := os.Stat(filepath.Join("..", recipe.module(), file)); err != nil {
				t.Errorf("%s: %v", recipe.Name, err)
			}
		}
		if found, err := Find(recipe.Name); err != nil || found.Name != recipe.Name {
			t.Errorf("Find(%s): %v, %v", recipe.Name, found.Name, err)
		}
	}
	if _, err := Find("docker"); err == nil {
		t.Error("docker is found")
	}
}

func TestProgramsAreFound(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		"kubelet": Kubernetes, "ctr": Containerd, "coredns": CoreDNS, "operator-sdk": OperatorSDK, "opm": OPM, "cpb": OLM,
	} {
		if recipe, err := FindProgram(program); err != nil || recipe.Name != want {
			t.Errorf("FindProgram(%s): %s, %v", program, recipe.Name, err)
		}
	}
	if _, err := FindProgram("docker"); err == nil {
		t.Error("docker is found")
	}
}

func TestSourcesAreFoundAbove(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	module := filepath.Join(root, "test", "cluster", Kubernetes)
	deep := filepath.Join(root, "a", "b")
	for _, dir := range []string{module, deep} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(module, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if dir, found := findAbove(deep); !found || dir != filepath.Dir(module) {
		t.Errorf("found %t: %s", found, dir)
	}
}
