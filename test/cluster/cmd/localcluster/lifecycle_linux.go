package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cluster"
)

func newUpCommand(name *string) *cobra.Command {
	var options cluster.UpOptions
	var labels, flags []string
	var printOnly bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Start the cluster, or add and repair what is missing",
		Long: `Start the cluster and wait until all nodes and cluster DNS are ready. The
command can be repeated: what runs is left alone, what has ended is started
again, and nodes are added until there are as many as asked for.`,
		Example: `  localcluster up --nodes 3 --node-labels worker1=zone=a,disk=ssd
  export KUBECONFIG=$(localcluster path kubeconfig)`,
		Args: cobra.NoArgs,
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, _ []string) (err error) {
			if options.NodeLabels, err = cluster.ParseNodeLabels(labels); err != nil {
				return err
			}
			if options.Flags, err = cluster.ParseFlags(flags); err != nil {
				return err
			}
			if options.KwokConfig != "" {
				if options.KwokConfig, err = filepath.Abs(options.KwokConfig); err != nil {
					return err
				}
			}
			if printOnly {
				return c.Print(cmd.OutOrStdout(), options)
			}
			return c.Up(cmd.Context(), options)
		}),
	}
	command.Flags().IntVar(&options.Nodes, "nodes", 1, "how many nodes there are at least, named worker1, worker2, ...")
	command.Flags().StringArrayVar(&labels, "node-labels", nil, "labels of a node, as NODE=KEY=VALUE,...; can be repeated")
	command.Flags().StringArrayVar(&flags, "flag", nil, "a flag for a component of the control plane, as COMPONENT=--FLAG=VALUE; can be repeated")
	command.Flags().StringVar(&options.KwokConfig, "kwok", "", "run kwok with the stages of this `file`, for nodes with the annotation kwok.x-k8s.io/node=fake")
	command.Flags().BoolVar(&printOnly, "print", false, "only print what would be run, and the files it reads")
	return command
}

func newDownCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and remove everything but the built binaries",
		Args:  cobra.NoArgs,
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, _ []string) error {
			return c.Down(cmd.Context())
		}),
	}
}

func newStatusCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show components and nodes; exit with 1 unless all are healthy",
		Args:  cobra.NoArgs,
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, _ []string) error {
			return c.Status(cmd.Context(), cmd.OutOrStdout())
		}),
	}
}

func newStartCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:     "start COMPONENT",
		Short:   "Start one component again and wait until it is ready",
		Example: "  localcluster start kubelet/worker1",
		Args:    cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.StartComponent(cmd.Context(), args[0])
		}),
	}
}

func newStopCommand(name *string) *cobra.Command {
	grace := 5 * time.Second
	command := &cobra.Command{
		Use:   "stop COMPONENT",
		Short: "Stop one component with SIGTERM",
		Args:  cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.StopComponent(cmd.Context(), args[0], grace)
		}),
	}
	command.Flags().DurationVar(&grace, "grace", grace, "how long to wait before SIGKILL")
	return command
}

func newKillCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "kill COMPONENT",
		Short: "Kill one component with SIGKILL, for tests of faults",
		Args:  cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.StopComponent(cmd.Context(), args[0], 0)
		}),
	}
}
