package main

import "github.com/spf13/cobra"

// clusterCommands returns the commands that work on a cluster.
func clusterCommands() []*cobra.Command {
	return nil
}
