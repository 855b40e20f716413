//go:build e2e

// Package operator has the scenarios of installing, changing and removing the
// image cache on a cluster of its own: `sudo make e2e-operator`.
package operator

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

// Two releases of one build.
const (
	oldTag = "old"
	newTag = "new"
)

// nodeRegistry is how nodes call the cluster's registry.
const nodeRegistry = "localhost:5000"

var (
	// cluster is shared by all scenarios, which run one after another.
	cluster *lab.Cluster
	// empty is what there was before anything was installed.
	empty []string
	// kubeconfig is for programs other than the cluster's own.
	kubeconfig string
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
// images it has.
func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if cluster, err = lab.New("operator", io.Discard); err != nil {
		return 1, err
	}
	keep := os.Getenv("E2E_KEEP") != ""
	if !keep {
		if err := cluster.Down(ctx); err != nil { // of a run that was interrupted
			return 1, err
		}
	}
	began := time.Now()
	err = start(ctx)
	fmt.Printf("--- cluster up, images pushed (%.1fs)\n", time.Since(began).Seconds())
	if err == nil {
		code = m.Run()
	}
	if keep {
		fmt.Println("--- kept: bin/localcluster kubectl --name operator get nodes; bin/localcluster down --name operator")
		return code, err
	}
	if downErr := cluster.Down(ctx); err == nil {
		err = downErr
	}
	return code, err
}

func start(ctx context.Context) (err error) {
	if err := cluster.Up(ctx, 2, backendNode+"=tier=backend"); err != nil {
		return err
	}
	if kubeconfig, err = cluster.Run(ctx, "path", "kubeconfig"); err != nil {
		return err
	}
	for _, tag := range []string{oldTag, newTag} {
		if cluster.Registry.Has(ctx, "kubefledged-operator", tag) {
			continue
		}
		if _, err := runMake(ctx, "push", "REGISTRY="+cluster.Registry.Address, "TAG="+tag); err != nil {
			return err
		}
	}
	for _, image := range tutorialImages {
		if _, err := cluster.PushImage(ctx, image, "5MB"); err != nil {
			return err
		}
	}
	empty, err = cluster.Objects(ctx)
	return err
}

// runMake runs a target of this checkout on the cluster, as users do. The
// variables of a make that runs us are not for this one.
func runMake(ctx context.Context, args ...string) (string, error) {
	program, err := filepath.Abs(os.Getenv("LOCALCLUSTER"))
	if err != nil || os.Getenv("LOCALCLUSTER") == "" {
		program = filepath.Join(cluster.Root, "bin", "localcluster")
	}
	args = append([]string{"-C", cluster.Root, "KUBECTL=" + program + " kubectl --name " + cluster.Name}, args...)
	command := exec.CommandContext(ctx, "make", args...)
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "MAKE") || strings.HasPrefix(variable, "MFLAGS=")
	})
	command.Env = append(command.Env, "KUBECONFIG="+kubeconfig)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("make %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), err
}
