package bundle

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"
)

const submission = root + "/operatorhub/" + packageName

// integration is ci.yaml, as the community repository documents it.
type integration struct {
	Reviewers   []string `json:"reviewers"`
	UpdateGraph string   `json:"updateGraph"`
	FBC         struct {
		Enabled        bool `json:"enabled"`
		CatalogMapping []struct {
			TemplateName string   `json:"template_name"`
			CatalogNames []string `json:"catalog_names"`
			Type         string   `json:"type"`
		} `json:"catalog_mapping"`
	} `json:"fbc"`
}

type releaseConfig struct {
	Merge            bool `json:"merge"`
	CatalogTemplates []struct {
		TemplateName string   `json:"template_name"`
		Channels     []string `json:"channels"`
		Replaces     string   `json:"replaces,omitempty"`
	} `json:"catalog_templates"`
}

func TestIntegration(t *testing.T) {
	var ci integration
	decode(t, submission+"/ci.yaml", &ci)
	if len(ci.Reviewers) == 0 || !slices.Contains([]string{"replaces-mode", "semver-mode"}, ci.UpdateGraph) {
		t.Errorf("reviewers %v, update graph %q", ci.Reviewers, ci.UpdateGraph)
	}
	if !ci.FBC.Enabled || len(ci.FBC.CatalogMapping) != 1 {
		t.Fatalf("%+v", ci.FBC)
	}
	mapping := ci.FBC.CatalogMapping[0]
	if diff := cmp.Diff([]string{"latest"}, mapping.CatalogNames); diff != "" || mapping.Type != "olm.template.basic" {
		t.Errorf("%+v", mapping)
	}
	if read(t, submission+"/catalog-templates/"+mapping.TemplateName) != read(t, root+"/catalog/template.yaml") {
		t.Error("the template is not that of catalog/")
	}
	if read(t, root+"/operatorhub/catalogs/latest/"+packageName+"/catalog.yaml") != read(t, root+"/catalog/configs/"+packageName+"/catalog.yaml") {
		t.Error("the rendered catalog is not that of catalog/")
	}
}

func versions(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(submission)
	if err != nil {
		t.Fatal(err)
	}
	var found []*semver.Version
	for _, entry := range entries {
		if entry.Name() == "ci.yaml" || entry.Name() == "catalog-templates" {
			continue
		}
		version, err := semver.StrictNewVersion(entry.Name())
		if err != nil || !entry.IsDir() {
			t.Errorf("%s does not belong there", entry.Name())
			continue
		}
		found = append(found, version)
	}
	slices.SortFunc(found, func(a, b *semver.Version) int { return a.Compare(b) })
	var names []string
	for _, version := range found {
		names = append(names, version.String())
	}
	return names
}

// Each version has a folder with these four, and replaces the one before it: in
// its ClusterServiceVersion and in the wish for the catalog.
func TestVersions(t *testing.T) {
	before := ""
	for _, version := range versions(t) {
		dir := filepath.Join(submission, version)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		if diff := cmp.Diff([]string{"manifests", "metadata", "release-config.yaml", "tests"}, names); diff != "" {
			t.Errorf("%s (-want +got)\n%s", version, diff)
		}
		bundle := load(t, dir)
		if bundle.CSV.Name != packageName+".v"+version || bundle.CSV.Spec.Version.String() != version || bundle.Package != packageName {
			t.Errorf("%s: %s of %s", version, bundle.CSV.Name, bundle.Package)
		}
		var config releaseConfig
		decode(t, filepath.Join(dir, "release-config.yaml"), &config)
		if len(config.CatalogTemplates) != 1 || config.CatalogTemplates[0].TemplateName != "basic.yaml" {
			t.Fatalf("%s: %+v", version, config)
		}
		wish := config.CatalogTemplates[0]
		if bundle.CSV.Spec.Replaces != before || wish.Replaces != before {
			t.Errorf("%s replaces %q and %q, not %q", version, bundle.CSV.Spec.Replaces, wish.Replaces, before)
		}
		if diff := cmp.Diff(bundle.Channels, wish.Channels); diff != "" || bundle.DefaultChannel != "stable" {
			t.Errorf("%s: channels (-bundle +wish)\n%s", version, diff)
		}
		before = bundle.CSV.Name
	}
}

// What is submitted is what was tested.
func TestNewestVersionIsTheBundle(t *testing.T) {
	dir := filepath.Join(submission, version(t))
	for _, part := range []string{"manifests", "metadata", "tests/scorecard"} {
		files, err := os.ReadDir(filepath.Join(current, part))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", part, len(files), err)
		}
		for _, file := range files {
			name := filepath.Join(part, file.Name())
			if diff := cmp.Diff(read(t, filepath.Join(current, name)), read(t, filepath.Join(dir, name))); diff != "" {
				t.Errorf("%s (-bundle +operatorhub)\n%s", name, diff)
			}
		}
	}
}
