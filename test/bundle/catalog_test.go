package bundle

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// blob is what is read of an entry of a catalog or of its template.
type blob struct {
	Schema         string
	Name           string
	Package        string
	DefaultChannel string
	Image          string
	Entries        []edge
	Properties     []property
	RelatedImages  []struct{ Name, Image string }
}

type edge struct{ Name, Replaces string }

type property struct {
	Type  string
	Value map[string]any
}

func decodeLoose(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func rendered(t *testing.T) []blob {
	t.Helper()
	var blobs []blob
	for _, document := range strings.Split(read(t, root+"/catalog/configs/"+packageName+"/catalog.yaml"), "---\n") {
		var one blob
		if err := yaml.Unmarshal([]byte(document), &one); err != nil {
			t.Fatal(err)
		}
		if one.Schema != "" {
			blobs = append(blobs, one)
		}
	}
	return blobs
}

func templateEntries(t *testing.T) []blob {
	t.Helper()
	var template struct {
		Schema  string
		Entries []blob
	}
	decodeLoose(t, root+"/catalog/template.yaml", &template)
	if template.Schema != "olm.template.basic" {
		t.Fatalf("schema %q", template.Schema)
	}
	return template.Entries
}

func TestCatalog(t *testing.T) {
	for _, problem := range problems(rendered(t)) {
		t.Error(problem)
	}
	for _, problem := range problems(templateEntries(t)) {
		t.Errorf("template: %s", problem)
	}
	imagesOf := func(blobs []blob) (images []string) {
		for _, b := range blobs {
			if b.Image != "" {
				images = append(images, b.Name+" "+b.Image)
			}
		}
		slices.Sort(images)
		return images
	}
	if diff := cmp.Diff(imagesOf(templateEntries(t)), imagesOf(rendered(t))); diff != "" {
		t.Errorf("bundles of the template and of the catalog (-template +catalog)\n%s", diff)
	}
}

// problems returns what OLM would stumble over, or would take without a word.
func problems(blobs []blob) []string {
	var found []string
	bundles := map[string]bool{}
	channels := map[string][]edge{}
	for _, b := range blobs {
		switch b.Schema {
		case "olm.package":
			if b.Name != packageName || b.DefaultChannel != "stable" {
				found = append(found, "package "+b.Name+", default channel "+b.DefaultChannel)
			}
		case "olm.channel":
			channels[b.Name] = b.Entries
		case "olm.bundle":
			bundles[b.Name] = true
			found = append(found, imageProblems(b)...)
		default:
			found = append(found, "an entry of schema "+b.Schema)
		}
	}
	for _, name := range []string{"candidate", "stable"} {
		if len(channels[name]) < 2 {
			found = append(found, "channel "+name+" has no edge")
		}
		found = append(found, channelProblems(name, channels[name], bundles)...)
	}
	return found
}

// imageProblems: opm validates a catalog without images, and with tags.
func imageProblems(b blob) []string {
	var found []string
	if !byDigest.MatchString(b.Image) {
		found = append(found, b.Name+": bundle image by no digest: "+b.Image)
	}
	for _, related := range b.RelatedImages {
		if !byDigest.MatchString(related.Image) {
			found = append(found, b.Name+": related image by no digest: "+related.Image)
		}
	}
	return found
}

// channelProblems: each entry has a bundle, each replaces the one before it, and
// one is the head.
func channelProblems(name string, entries []edge, bundles map[string]bool) []string {
	var found []string
	for i, e := range entries {
		if !bundles[e.Name] {
			found = append(found, name+": no bundle "+e.Name)
		}
		before := ""
		if i > 0 {
			before = entries[i-1].Name
		}
		if e.Replaces != before {
			found = append(found, name+": "+e.Name+" replaces "+e.Replaces+", not "+before)
		}
	}
	return found
}

func TestCatalogProblemsAreFound(t *testing.T) {
	for name, spoil := range map[string]func([]blob){
		"a tag":             func(b []blob) { of(b, "olm.bundle").Image = "ghcr.io/kubefledged/kubefledged-operator-bundle:v0.2.0" },
		"no image":          func(b []blob) { of(b, "olm.bundle").Image = "" },
		"a related tag":     func(b []blob) { of(b, "olm.bundle").RelatedImages[0].Image = "example.com/a:1" },
		"a missing bundle":  func(b []blob) { of(b, "olm.bundle").Name = "other" },
		"no edge":           func(b []blob) { of(b, "olm.channel").Entries[1].Replaces = "" },
		"another channel":   func(b []blob) { of(b, "olm.channel").Name = "alpha" },
		"no default":        func(b []blob) { of(b, "olm.package").DefaultChannel = "" },
		"an unknown schema": func(b []blob) { of(b, "olm.package").Schema = "olm.else" },
	} {
		blobs := rendered(t)
		spoil(blobs)
		if len(problems(blobs)) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

func of(blobs []blob, schema string) *blob {
	for i := range blobs {
		if blobs[i].Schema == schema {
			return &blobs[i]
		}
	}
	return &blob{}
}

// The catalog says of each bundle what the bundle says.
func TestCatalogIsOfTheBundles(t *testing.T) {
	csvs := map[string]map[string]string{}
	for _, dir := range bundles(t) {
		csv := load(t, dir).CSV
		csvs[csv.Name] = csv.Annotations
	}
	for _, b := range rendered(t) {
		for _, p := range b.Properties {
			if p.Type != "olm.csv.metadata" {
				continue
			}
			annotations := map[string]string{}
			for key, value := range p.Value["annotations"].(map[string]any) {
				annotations[key] = value.(string)
			}
			if diff := cmp.Diff(csvs[b.Name], annotations); diff != "" {
				t.Errorf("%s (-bundle +catalog)\n%s", b.Name, diff)
			}
		}
	}
}

// OLM v1 takes no image without this label.
func TestCatalogDockerfile(t *testing.T) {
	dockerfile := read(t, root+"/catalog.Dockerfile")
	for _, line := range []string{"FROM scratch", "LABEL operators.operatorframework.io.index.configs.v1=/configs", "COPY configs /configs"} {
		if !strings.Contains(dockerfile, "\n"+line+"\n") {
			t.Errorf("no %q", line)
		}
	}
}
