// Command kubefledged-cri-client is the helper that the containers of
// KubeFledged's Jobs run on nodes. See internal/cri.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	err := cri.Run(os.Args[1:], os.Stdout)
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", cri.ProgramName, err)
	var usage *cri.UsageError
	if errors.As(err, &usage) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}
