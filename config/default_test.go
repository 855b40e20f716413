package config_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	helmcharts "github.com/kubefledged/kubefledged-operator/helm-charts"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// notInTheChart is what config/ has and the chart has not, and why.
var notInTheChart = map[string]string{
	"CustomResourceDefinition": "Helm installs definitions once and never upgrades them",
	"Namespace/kube-fledged":   "it is there before a release is",
}

// The manifests and the chart are two ways to the same objects.
func TestDefaultIsWhatTheChartRenders(t *testing.T) {
	compareWithChart(t, "default", nil)
}

func TestWithoutWebhookIsWhatTheChartRenders(t *testing.T) {
	compareWithChart(t, "without-webhook", map[string]any{"webhook": map[string]any{"enabled": false}})
}

func compareWithChart(t *testing.T, base string, values map[string]any) {
	t.Helper()
	ours, theirs := built(t, base), map[string]any{}
	for _, object := range renderedWith(t, values) {
		theirs[nameOf(object)] = withoutRelease(object.Object)
	}
	for name := range ours {
		kind, _, _ := strings.Cut(name, "/")
		if theirs[name] == nil && (notInTheChart[name] != "" || notInTheChart[kind] != "") {
			delete(ours, name)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours))); diff != "" {
		t.Errorf("objects (-chart +config/%s)\n%s", base, diff)
	}
	for name, object := range ours {
		if theirs[name] == nil {
			continue
		}
		if diff := cmp.Diff(theirs[name], object); diff != "" {
			t.Errorf("%s (-chart +config/%s)\n%s", name, base, diff)
		}
	}
}

// built returns the objects of a base by kind and name.
func built(t *testing.T, base string) map[string]any {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), base)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := release.Parse(string(manifest))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]any{}
	for _, object := range objects {
		byName[nameOf(object)] = object.Object
	}
	return byName
}

func renderedWith(t *testing.T, values map[string]any) []*release.Object {
	t.Helper()
	chart, err := release.LoadChart(helmcharts.Files, helmcharts.KubeFledged)
	if err != nil {
		t.Fatal(err)
	}
	capabilities := *chartutil.DefaultCapabilities
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.37.2", Major: "1", Minor: "37"}
	manifest, err := chart.Render("kubefledged", "kube-fledged", values, &capabilities)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := release.Parse(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func nameOf(object *release.Object) string { return object.GetKind() + "/" + object.GetName() }

// released are images as a release of the chart calls them; config/ leaves the
// registry and the tag to whoever applies it.
var released = regexp.MustCompile(`^ghcr\.io/kubefledged/(kubefledged-[a-z-]+):v[0-9.]+$`)

// withoutRelease takes out of rendered objects what only releases have: a chart
// can be installed under several names, so its objects are selected by labels of
// the release; here there is one, with the labels of the original's manifests.
// A Deployment's selector cannot change, so these stay as they are.
func withoutRelease(value any) any {
	switch value := value.(type) {
	case map[string]any:
		all := map[string]any{}
		for key, item := range value {
			switch {
			case key == "app.kubernetes.io/component":
				all["app"], all["kubefledged"] = "kubefledged", "kubefledged-"+item.(string)
			case !strings.HasPrefix(key, "app.kubernetes.io/") && key != "helm.sh/chart":
				all[key] = withoutRelease(item)
			}
		}
		return all
	case []any:
		all := make([]any, 0, len(value))
		for _, item := range value {
			all = append(all, withoutRelease(item))
		}
		return all
	case string:
		return released.ReplaceAllString(value, "$1:dev")
	}
	return value
}
