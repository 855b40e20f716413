package charts_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// bases are the definitions that the chart has a copy of: not that of the
// KubeFledged, which is the operator's.
func bases(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../config/crd/bases/kubefledged.io_*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d definitions, %v", len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		all[filepath.Base(file)] = read(t, file)
	}
	return all
}

func TestCopiesOfTheDefinitions(t *testing.T) {
	all := bases(t)
	for name, content := range all {
		if read(t, filepath.Join("kubefledged-crds", "files", name)) != content {
			t.Errorf("%s is no copy of what is generated: run make manifests", name)
		}
	}
	copies, err := filepath.Glob("kubefledged-crds/files/*")
	if err != nil || len(copies) != len(all) {
		t.Errorf("%d copies of %d definitions, %v", len(copies), len(all), err)
	}
}

// Helm installs what the generator wrote, with labels, and keeps it.
func TestDefinitionsAreRenderedWhole(t *testing.T) {
	for values, keep := range map[string]any{`{}`: "keep", `keep: false`: nil} {
		manifests, err := tryRender(t, "kubefledged-crds", theRelease(parse(t, values)))
		if err != nil {
			t.Fatal(err)
		}
		rendered := strings.Split(strings.TrimPrefix(strings.TrimSpace(manifests["kubefledged-crds/templates/crds.yaml"]), "---\n"), "\n---\n")
		wanted := bases(t)
		if len(rendered) != len(wanted) {
			t.Fatalf("%d definitions of %d", len(rendered), len(wanted))
		}
		for _, text := range rendered {
			got := parse(t, text)
			metadata := got["metadata"].(map[string]any)
			if metadata["labels"].(map[string]any)["app"] != "kubefledged" {
				t.Errorf("labels %v", metadata["labels"])
			}
			annotations := metadata["annotations"].(map[string]any)
			if annotations["helm.sh/resource-policy"] != keep {
				t.Errorf("%s: annotations %v", values, annotations)
			}
			delete(metadata, "labels")
			delete(annotations, "helm.sh/resource-policy")
			group, plural := "kubefledged.io", strings.TrimSuffix(metadata["name"].(string), ".kubefledged.io")
			want := map[string]any{}
			if err := yaml.Unmarshal([]byte(wanted[group+"_"+plural+".yaml"]), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-generated +rendered)\n%s", plural, diff)
			}
		}
	}
}

// Definitions in the operator's chart would be installed once and never upgraded.
func TestNoDefinitionsInTheChart(t *testing.T) {
	if crds := load(t, "kubefledged").CRDObjects(); len(crds) > 0 {
		t.Errorf("%d definitions in crds/", len(crds))
	}
	for name, r := range cases(t) {
		for _, o := range objects(t, r) {
			if o.Kind == "CustomResourceDefinition" {
				t.Errorf("%s: %s", name, &o)
			}
		}
	}
}

// Both charts are released together, and what the README and the notes call the
// version is one.
func TestVersions(t *testing.T) {
	a, b := load(t, "kubefledged").Metadata, load(t, "kubefledged-crds").Metadata
	if a.Version != b.Version || a.AppVersion != b.AppVersion || a.KubeVersion != b.KubeVersion || "v"+a.Version != a.AppVersion {
		t.Errorf("%s %s %s and %s %s %s", a.Version, a.AppVersion, a.KubeVersion, b.Version, b.AppVersion, b.KubeVersion)
	}
}
