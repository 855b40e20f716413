// Package integration gives the charts' golden manifests to a real API server.
package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/internal/fixture/controlplane"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var cp *controlplane.ControlPlane

func TestMain(m *testing.M) { os.Exit(controlplane.Main(m, &cp)) }

// kubectl runs kubectl with a manifest on its standard input and returns what it prints.
func kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command, err := cp.Kubectl(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	command.Stdin = strings.NewReader(stdin)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, output)
	}
	return string(output), err
}

func mustKubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	output, err := kubectl(t, stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// foreign are the groups of others, which this API server does not have.
var foreign = []string{"monitoring.coreos.com/", "cert-manager.io/"}

// object is one document of a golden manifest.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	text string
}

// manifests returns the objects of one case of the chart's tests.
func manifests(t *testing.T, name string) []object {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "testdata", name+".golden.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return documents(t, string(content))
}

// documents returns the objects of a manifest whose kinds are here.
func documents(t *testing.T, manifest string) []object {
	t.Helper()
	var all []object
documents:
	for _, text := range strings.Split(manifest, "\n---\n") {
		o := object{text: text}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		for _, group := range foreign {
			if strings.HasPrefix(o.APIVersion, group) {
				continue documents
			}
		}
		all = append(all, o)
	}
	return all
}

// install applies a case's objects of some kinds, in the namespaces that the
// documentation uses.
func install(t *testing.T, name string, kinds ...string) {
	t.Helper()
	namespaces(t)
	mustKubectl(t, ofKinds(manifests(t, name), kinds...), "apply", "--server-side", "-f", "-")
}

// ofKinds returns the manifest of those objects that are of some kinds.
func ofKinds(all []object, kinds ...string) string {
	var text strings.Builder
	for _, o := range all {
		if slices.Contains(kinds, o.Kind) {
			text.WriteString(o.text + "\n---\n")
		}
	}
	return text.String()
}

// namespaces makes those that a release has: its own, as restricted as can be,
// and that of the removals, which objects in it need before they are tried.
func namespaces(t *testing.T) {
	t.Helper()
	for _, name := range []string{"kube-fledged", "kube-fledged-node"} {
		manifest := "{apiVersion: v1, kind: Namespace, metadata: {name: " + name + "}}"
		mustKubectl(t, manifest, "apply", "--server-side", "--field-manager=test", "-f", "-")
	}
	mustKubectl(t, "", "label", "--overwrite", "namespace", "kube-fledged", "pod-security.kubernetes.io/enforce=restricted")
}
