// Command kubefledged-cri-client is the helper that the containers of
// KubeFledged's Jobs run on nodes. See internal/cri/command.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/cri/command"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run()) }

func run() int {
	// As process 1 of a container it would otherwise not hear that it should end.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command.Run(ctx, os.Args[1:], os.Stdout)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", cri.ProgramName, err)
	var usage *command.UsageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}
