//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Nodes of the cluster. A third one comes and goes.
const (
	plainNode   = "worker1"
	backendNode = "worker2"
)

// cluster is shared by all scenarios, which run one after another.
var cluster *lab.Cluster

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run starts the cluster, runs the scenarios and takes the cluster down again,
// whatever happened. What is left of it then is a failure.
func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if cluster, err = lab.New("e2e", io.Discard); err != nil {
		return 1, err
	}
	if err := cluster.Down(ctx); err != nil { // of a run that was interrupted
		return 1, err
	}
	before, err := lab.FindTraces()
	if err != nil {
		return 1, err
	}
	began := time.Now()
	err = start(ctx)
	fmt.Printf("--- cluster up and controller deployed (%.1fs)\n", time.Since(began).Seconds())
	if err == nil {
		code = m.Run()
	}
	if os.Getenv("E2E_KEEP") != "" {
		fmt.Println("--- kept: bin/localcluster kubectl --name e2e get nodes; bin/localcluster down --name e2e")
		return code, err
	}
	return code, firstError(err, end(ctx, before))
}

func start(ctx context.Context) error {
	if err := cluster.Up(ctx, 2, backendNode+"=tier=backend"); err != nil {
		return err
	}
	return cluster.Deploy(ctx)
}

func end(ctx context.Context, before lab.Traces) error {
	began := time.Now()
	if err := cluster.Down(ctx); err != nil {
		return err
	}
	fmt.Printf("--- cluster down (%.1fs)\n", time.Since(began).Seconds())
	left, err := cluster.LeftBy(before)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("the cluster has left behind:\n  %s", strings.Join(left, "\n  "))
	}
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// full tells whether the longer forms run, which do not fit the time of CI.
func full() bool { return os.Getenv("E2E_FULL") != "" }
