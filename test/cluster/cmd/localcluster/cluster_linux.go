package main

import (
	"github.com/spf13/cobra"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cluster"
)

// clusterCommands returns the commands that work on a cluster.
func clusterCommands() []*cobra.Command {
	name := new(string)
	commands := []*cobra.Command{
		newUpCommand(name), newDownCommand(name), newStatusCommand(name),
		newKubectlCommand(name), newExecCommand(name), newLogsCommand(name), newPathCommand(name),
		newStartCommand(name), newStopCommand(name), newKillCommand(name),
		newNodeCommand(name), newLoadCommand(name), newImagesCommand(name), newOLMCommand(name),
	}
	for _, command := range commands {
		command.PersistentFlags().StringVar(name, "name", "kubefledged", "name of the cluster")
	}
	return append(commands, newRequireCommand(), newServeRegistryCommand(), newForwardCommand(), newSandboxCommand())
}

func open(cmd *cobra.Command, name *string) (*cluster.Cluster, error) {
	return cluster.New(*name, cmd.ErrOrStderr())
}

// onCluster is the body of a command that does one thing on a cluster.
func onCluster(name *string, work func(cmd *cobra.Command, c *cluster.Cluster, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := open(cmd, name)
		if err != nil {
			return err
		}
		return work(cmd, c, args)
	}
}
