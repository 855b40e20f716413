package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cluster"
	"github.com/kubefledged/kubefledged-operator/test/cluster/require"
)

// newKubectlCommand passes all flags on to kubectl, but for --name in front.
func newKubectlCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl [--name NAME] ARGS...",
		Short:              "Run kubectl on the cluster",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) >= 2 && args[0] == "--name" {
				*name, args = args[1], args[2:]
			}
			c, err := open(cmd, name)
			if err != nil {
				return err
			}
			return c.Kubectl(args)
		},
	}
}

func newExecCommand(name *string) *cobra.Command {
	var node string
	command := &cobra.Command{
		Use:   "exec [--node NAME] -- COMMAND [ARGS...]",
		Short: "Run a command in the control plane's network, or on a node",
		Long: `Run a command inside the network namespace of the control plane or, with
--node, inside the network and mount namespaces of a node. KUBECONFIG and PATH
are set; on a node so is CONTAINERD_ADDRESS.`,
		Example: "  localcluster exec --node worker1 -- ctr -n k8s.io images ls",
		Args:    cobra.MinimumNArgs(1),
		RunE: onCluster(name, func(_ *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.Exec(node, args)
		}),
	}
	command.Flags().StringVar(&node, "node", "", "node to run on")
	command.Flags().SetInterspersed(false)
	return command
}

func newLogsCommand(name *string) *cobra.Command {
	var follow bool
	command := &cobra.Command{
		Use:     "logs COMPONENT",
		Short:   "Print a component's log",
		Example: "  localcluster logs kubelet/worker1 --follow",
		Args:    cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.Logs(cmd.Context(), args[0], follow, cmd.OutOrStdout())
		}),
	}
	command.Flags().BoolVarP(&follow, "follow", "f", false, "keep printing what is added")
	return command
}

func newPathCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "path WHAT [NODE]",
		Short: "Print a path or an address of the cluster",
		Long: `Print one of:
  kubeconfig           for programs on this machine
  kubeconfig-internal  for programs in the cluster's network (see exec)
  bin                  directory of kubectl, etcd and so on
  state                the cluster's directory
  ca                   the cluster's certificate authority
  registry             the registry's address on this machine, plain HTTP
  registry-admin       the address of its access log and rules
  registry-tls         the registry's address with TLS
  netns                the control plane's network namespace
  socket NODE          containerd's socket, as seen from this machine
  node NODE            the node's directory`,
		Args: cobra.RangeArgs(1, 2),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			path, err := c.Path(args[0], append(args, "")[1])
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return err
		}),
	}
}

func newRequireCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "require [PACKAGE...]",
		Short: "Install system packages unless they are there",
		Long: `Make sure that the named Debian packages are installed, with apt-get where they
are not; without names, those that nodes need.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = slices.Clone(require.ClusterPackages())
			}
			return require.Packages(cmd.Context(), args, cmd.ErrOrStderr())
		},
	}
}
