// Command localcluster runs a real Kubernetes cluster on one Linux machine:
// etcd, the control plane, a registry, and nodes with containerd and kubelet,
// all compiled from Go modules and kept in network namespaces of their own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command and returns the exit code: that of the command it
// wraps when there is one, else 1 on any error.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := newRootCommand()
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "localcluster:", err)
	return 1
}
