//go:build !linux

package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// clusterCommands returns commands that say what is missing here.
func clusterCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, name := range []string{"up", "down", "status", "kubectl", "exec", "logs", "start", "stop", "kill", "node", "load", "images", "olm", "path", "require"} {
		commands = append(commands, &cobra.Command{
			Use:                name,
			Short:              "Needs Linux",
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("%s needs Linux, this is %s: use any cluster that KUBECONFIG names instead, with kubectl apply", name, runtime.GOOS)
			},
		})
	}
	return commands
}
