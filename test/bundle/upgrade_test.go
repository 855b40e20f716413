package bundle

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/crdify/pkg/config"
	"sigs.k8s.io/crdify/pkg/runner"
)

// unsafe returns what OLM v1 would refuse of a change of a definition: it asks
// crdify, too, and refuses every change that crdify does not know, but those of
// descriptions.
func unsafe(t *testing.T, old, changed *apiextensionsv1.CustomResourceDefinition) []string {
	t.Helper()
	judge, err := runner.New(&config.Config{
		Conversion:           config.ConversionPolicyIgnore,
		UnhandledEnforcement: config.EnforcementPolicyError,
		Validations:          []config.ValidationConfig{{Name: "description", Enforcement: config.EnforcementPolicyNone}},
	}, runner.DefaultRegistry())
	if err != nil {
		t.Fatal(err)
	}
	// On a cluster the status says what is stored. Copies, as crdify writes into
	// what it compares.
	stored := old.DeepCopy()
	for _, version := range stored.Spec.Versions {
		if version.Storage {
			stored.Status.StoredVersions = append(stored.Status.StoredVersions, version.Name)
		}
	}
	results := judge.Run(stored, changed.DeepCopy())
	if !results.HasFailures() {
		return nil
	}
	text, err := results.Render(runner.FormatPlainText)
	if err != nil {
		t.Fatal(err)
	}
	return []string{text}
}
