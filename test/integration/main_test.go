// Package integration tests the CRDs against a real API server.
package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/fixture/controlplane"
)

var cp *controlplane.ControlPlane

func TestMain(m *testing.M) { os.Exit(controlplane.Main(m, &cp)) }

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func namespace(t *testing.T) string {
	t.Helper()
	name, err := cp.Namespace(strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// kubectl runs kubectl with a manifest on its standard input and returns what it prints.
func kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	command, err := cp.Kubectl(testContext(t), args...)
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

// sample returns a manifest of config/samples.
func sample(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// eventually waits for a condition; the test fails after ten seconds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("waited ten seconds in vain: %s", what)
}
