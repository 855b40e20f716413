// Package bundle holds the bundle for OLM, its catalog and the folder for
// OperatorHub against the rules that are made for them.
package bundle

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
	interfaces "github.com/operator-framework/api/pkg/validation/interfaces"
	"sigs.k8s.io/yaml"
)

const (
	root        = "../.."
	packageName = "kubefledged-operator"
	current     = root + "/bundle"
	previous    = root + "/operatorhub/" + packageName + "/0.1.0"
)

// byDigest is an image that is the same for ever.
var byDigest = regexp.MustCompile(`^[a-z0-9.:/-]+@sha256:[a-f0-9]{64}$`)

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// decode reads a file of YAML, strictly.
func decode(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(read(t, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func load(t *testing.T, dir string) *manifests.Bundle {
	t.Helper()
	bundle, err := manifests.GetBundleFromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// bundles are all that a user may install.
func bundles(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(root + "/operatorhub/" + packageName + "/*/manifests")
	if err != nil || len(dirs) < 2 {
		t.Fatalf("%d released bundles, %v", len(dirs), err)
	}
	all := []string{current}
	for _, dir := range dirs {
		all = append(all, filepath.Dir(dir))
	}
	return all
}

// version is that of the next release.
func version(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(read(t, root+"/VERSION"))
}

// The validators of OLM and of the catalogs; those left out are deprecated, or
// ask a container engine.
func TestValidators(t *testing.T) {
	for _, dir := range bundles(t) {
		bundle := load(t, dir)
		for _, finding := range judge(bundle) {
			t.Errorf("%s: %s", dir, finding)
		}
	}
}

func judge(bundle *manifests.Bundle) []string {
	validators := slices.Concat(validation.DefaultBundleValidators, interfaces.Validators{
		validation.OperatorHubV2Validator, validation.StandardCategoriesValidator, validation.StandardCapabilitiesValidator,
		validation.ObjectValidator, validation.GoodPracticesValidator, validation.AlphaDeprecatedAPIsValidator,
	})
	var findings []string
	for _, result := range validators.Validate(bundle.ObjectsToValidate()...) {
		for _, finding := range append(result.Errors, result.Warnings...) {
			findings = append(findings, finding.Error())
		}
	}
	return findings
}

func TestValidatorsFind(t *testing.T) {
	for name, spoil := range map[string]func(*manifests.Bundle){
		"no icon":             func(b *manifests.Bundle) { b.CSV.Spec.Icon = nil },
		"no minKubeVersion":   func(b *manifests.Bundle) { b.CSV.Spec.MinKubeVersion = "" },
		"an unknown category": func(b *manifests.Bundle) { b.CSV.Annotations["categories"] = "Containers" },
		"an unknown level":    func(b *manifests.Bundle) { b.CSV.Annotations["capabilities"] = "Perfect" },
		"no description":      func(b *manifests.Bundle) { b.CSV.Spec.CustomResourceDefinitions.Owned[0].Description = "" },
		"no example":          func(b *manifests.Bundle) { b.CSV.Annotations["alm-examples"] = "[]" },
		"an unusual channel":  func(b *manifests.Bundle) { b.Channels = []string{"newest"} },
	} {
		bundle := load(t, current)
		spoil(bundle)
		if len(judge(bundle)) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

// What judges bundles is for tests: no program that users run has it.
func TestProgramsDoWithoutIt(t *testing.T) {
	command := exec.Command("go", "list", "-deps", "./cmd/...")
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(output))
	if len(deps) < 500 {
		t.Fatalf("%d packages", len(deps))
	}
	for _, dep := range deps {
		if strings.HasPrefix(dep, "github.com/operator-framework/") || strings.HasPrefix(dep, "sigs.k8s.io/crdify") {
			t.Errorf("a program imports %s", dep)
		}
	}
}
