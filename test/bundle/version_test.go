package bundle

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
)

// One file has the version; everything that is released follows it.
func TestOneVersion(t *testing.T) {
	want := version(t)
	if _, err := semver.StrictNewVersion(want); err != nil {
		t.Fatalf("VERSION: %v", err)
	}
	for _, chart := range []string{"kubefledged", "kubefledged-crds"} {
		var metadata struct {
			Version, AppVersion, KubeVersion string
		}
		decodeLoose(t, root+"/helm-charts/"+chart+"/Chart.yaml", &metadata)
		if metadata.Version != want || metadata.AppVersion != "v"+want {
			t.Errorf("chart %s: version %s of %s", chart, metadata.Version, metadata.AppVersion)
		}
		if oldest := ">=" + load(t, current).CSV.Spec.MinKubeVersion + "-0"; metadata.KubeVersion != oldest {
			t.Errorf("chart %s: %s, and the bundle %s", chart, metadata.KubeVersion, oldest)
		}
	}
	csv := load(t, current).CSV
	if csv.Spec.Version.String() != want || csv.Name != packageName+".v"+want {
		t.Errorf("bundle: %s, %s", csv.Name, csv.Spec.Version)
	}
	images := read(t, root+"/config/manifests/images.env")
	if !strings.Contains(images, "\nVERSION=v"+want+"\n") {
		t.Errorf("images.env is of another version:\n%s", images)
	}
	if dirs := bundles(t); !slices.Contains(dirs, root+"/operatorhub/"+packageName+"/"+want) {
		t.Errorf("operatorhub: %v", dirs)
	}
	if changes := read(t, root+"/CHANGELOG.md"); !regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(want) + `\]`).MatchString(changes) {
		t.Error("CHANGELOG.md has no heading of this version")
	}
}

// The bundle says when its images were released, not when it was written.
func TestCreatedAt(t *testing.T) {
	created := load(t, current).CSV.Annotations["createdAt"]
	if created == "" || !strings.Contains(read(t, root+"/config/manifests/images.env"), "\nCREATED_AT="+created+"\n") {
		t.Errorf("created at %q", created)
	}
}
