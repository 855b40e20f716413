//go:build e2e

// Package olm has the scenarios of installing the operator with the Operator
// Lifecycle Manager, on a cluster of its own: `sudo make e2e-olm`.
package olm

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Nodes of the cluster.
const (
	plainNode   = "worker1"
	backendNode = "worker2"
)

var (
	// cluster is shared by all scenarios, which run one after another.
	cluster *lab.Cluster
	// empty is what there was, OLM included, before anything was installed.
	empty []string
	// kubeconfig is for programs on this machine.
	kubeconfig string
	// work has bundles and catalogs; it goes with the cluster.
	work string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run starts the cluster, runs the scenarios and takes the cluster down again,
// whatever happened. With E2E_KEEP it stays, and a running one is used with the
// releases it has.
func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if cluster, err = lab.New("olm", io.Discard); err != nil {
		return 1, err
	}
	if !keep() {
		if err := cluster.Down(ctx); err != nil { // of a run that was interrupted
			return 1, err
		}
	}
	if err = start(ctx); err == nil {
		code = m.Run()
	}
	if keep() {
		fmt.Println("--- kept: bin/localcluster kubectl --name olm get nodes; bin/localcluster down --name olm")
		return code, err
	}
	if downErr := cluster.Down(ctx); err == nil {
		err = downErr
	}
	return code, err
}

func keep() bool { return os.Getenv("E2E_KEEP") != "" }

func start(ctx context.Context) (err error) {
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"cluster of two nodes up", func(ctx context.Context) error { return cluster.Up(ctx, 2, backendNode+"=tier=backend") }},
		{"OLM up", func(ctx context.Context) error { _, err := cluster.Run(ctx, "olm", "up"); return err }},
		{"two releases made and pushed", makeReleases},
		{"images of the tutorial pushed", pushTutorial},
	}
	for _, step := range steps {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Printf("--- %s (%.1fs)\n", step.what, time.Since(began).Seconds())
	}
	if kubeconfig, err = cluster.Run(ctx, "path", "kubeconfig"); err != nil {
		return err
	}
	if keep() {
		_ = clearUp(ctx) // what is left is seen by the first scenario
	}
	empty, err = cluster.Objects(ctx)
	return err
}

func pushTutorial(ctx context.Context) error {
	for _, image := range tutorialImages {
		if _, err := cluster.PushImage(ctx, image, "5MB"); err != nil {
			return err
		}
	}
	return nil
}

// localcluster is the program, by its absolute path.
func localcluster() string {
	if program := os.Getenv("LOCALCLUSTER"); filepath.IsAbs(program) {
		return program
	}
	return filepath.Join(cluster.Root, "bin", "localcluster")
}

// runMake runs a target of this checkout on the cluster, as users do. The
// variables of a make that runs us are not for this one.
func runMake(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"-C", cluster.Root, "KUBECTL=" + localcluster() + " kubectl --name " + cluster.Name}, args...)
	command := exec.CommandContext(ctx, "make", args...)
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "MAKE") || strings.HasPrefix(variable, "MFLAGS=")
	})
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("make %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), err
}
