package validation

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

const sha = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// schema is what this test reads of a CRD's schema.
type schema struct {
	Properties    map[string]schema `json:"properties"`
	Items         *schema           `json:"items"`
	MaxItems      *int64            `json:"maxItems"`
	MaxLength     *int64            `json:"maxLength"`
	MaxProperties *int64            `json:"maxProperties"`
	Pattern       string            `json:"pattern"`
}

// TestSchemaHasTheSameBounds: what the API server refuses is refused here too.
func TestSchemaHasTheSameBounds(t *testing.T) {
	spec := specSchema(t)
	list := *spec.Properties["cacheSpec"].Items
	bounds := map[string]struct {
		inSchema *int64
		here     int64
	}{
		"cacheSpec":        {spec.Properties["cacheSpec"].MaxItems, MaxLists},
		"images":           {list.Properties["images"].MaxItems, MaxImages},
		"image":            {list.Properties["images"].Items.MaxLength, MaxReferenceLength},
		"nodeSelector":     {list.Properties["nodeSelector"].MaxProperties, MaxNodeLabels},
		"imagePullSecrets": {spec.Properties["imagePullSecrets"].MaxItems, MaxPullSecrets},
		"tolerations":      {spec.Properties["tolerations"].MaxItems, MaxTolerations},
	}
	for name, bound := range bounds {
		if bound.inSchema == nil || *bound.inSchema != bound.here {
			t.Errorf("%s: the schema's bound is not %d", name, bound.here)
		}
	}
}

// onlyRefusedHere are the references the pattern cannot tell: it counts no
// total length and knows no exceptions.
func onlyRefusedHere(name string) bool {
	repository, _, _ := strings.Cut(name, "@")
	return len("library/"+repository) > 255 || regexp.MustCompile(`^[a-f0-9]{64}$`).MatchString(name)
}

// agree compares the schema's verdict on a reference with ours.
func agree(t *testing.T, image *schema, pattern *regexp.Regexp, name string) {
	t.Helper()
	if n := int64(utf8.RuneCountInString(name)); n > *image.MaxLength || onlyRefusedHere(name) {
		return
	}
	_, _, err := reference.Normalise(name)
	if matches := pattern.MatchString(name); matches != (err == nil) {
		t.Errorf("%q: the pattern of the CRD says %t, Normalise says %v", name, matches, err)
	}
}

func corpus() []string {
	names := []string{
		"nginx", "nginx:1", "a/b/c:v1", "quay.io/a/b:1", "localhost/a", "localhost:5000/a", "localhost:5000", "reg:5000/a:1",
		"[::1]/a", "[fd00::1]:5000/a:1", "Registry.Example.com/a", "registry.example.com:443/a-b/c__d.e:_T-1.x",
		"nginx@" + sha, "nginx:1@" + sha, "a.b/c@" + sha, "a.b:1/c@" + sha, "nginx@sha512:" + strings.Repeat("ab", 64),
		"nginx@sha384:" + strings.Repeat("ab", 48), "nginx:" + strings.Repeat("a", 128),
		"", " ", "a b", "a\n", "\na", "$(touch /pwned)", "nginx;rm", "`id`", "a|b", "a&b", "a'b", "a\"b", "a\\b", "a%b", "a,b", "a=b", "ü/a",
		"UPPER/case", "UPPER", "upper/Case", "quay.io/Upper/case", "Upper:5000/a", "a.B/c", "A:1",
		"nginx:", ":1", "@" + sha, "nginx@", "nginx@sha256:abc", "nginx@md5:" + strings.Repeat("a", 32), "nginx@SHA256:" + sha[7:],
		"nginx@" + strings.ToUpper(sha), "nginx@" + sha + "a", "nginx@" + sha + "@" + sha, "nginx@blake3:" + sha[7:],
		"/a", "a/", "a//b", "quay.io/", "-a", "a-", "_a", "a_", ".a", "a.", "a..b", "a___b", "a---b", "a.-b", "a-.b/c", "a_b.com/c", "a__b/c", "a_b:1/c",
		"a:1/b", "a:b/c", "a:1:2", "a:-1", "a:.1", "a:1+2", "nginx:" + strings.Repeat("a", 129), "[::1]", "[::1]a/b", "[x]/a", "[0]/a", "[0]:5/a", "[:]/a", "a/[::1]/b",
		"https://quay.io/a", "docker://nginx", "../a", "a/../b", "./a", strings.Repeat("g", 64), "a" + strings.Repeat("/b", 50),
	}
	return names
}

func TestPatternAgreesWithNormalise(t *testing.T) {
	image := imageSchema(t)
	pattern := regexp.MustCompile(image.Pattern)
	for _, name := range corpus() {
		agree(t, image, pattern, name)
	}
}

// TestReferencesThatOnlyNormaliseRefuses names the known differences, so that
// nobody has to find them: the controller reports these in status.
func TestReferencesThatOnlyNormaliseRefuses(t *testing.T) {
	pattern := regexp.MustCompile(imageSchema(t).Pattern)
	for _, name := range []string{sha[7:], "quay.io/" + strings.Repeat("a", 256)} {
		if _, _, err := reference.Normalise(name); err == nil || !pattern.MatchString(name) {
			t.Errorf("%q is no difference any more: move it to the corpus", name)
		}
	}
}

func FuzzPatternAgreesWithNormalise(f *testing.F) {
	image := imageSchema(f)
	pattern := regexp.MustCompile(image.Pattern)
	for _, name := range corpus() {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) { agree(t, image, pattern, name) })
}

func imageSchema(t testing.TB) *schema {
	return specSchema(t).Properties["cacheSpec"].Items.Properties["images"].Items
}

func specSchema(t testing.TB) schema {
	t.Helper()
	content, err := os.ReadFile("../../config/crd/bases/kubefledged.io_imagecaches.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &crd); err != nil {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
}
