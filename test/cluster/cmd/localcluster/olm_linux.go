package main

import (
	"github.com/spf13/cobra"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cluster"
)

func newOLMCommand(name *string) *cobra.Command {
	command := &cobra.Command{Use: "olm", Short: "Run the Operator Lifecycle Manager on the cluster"}
	command.AddCommand(newOLMUpCommand(name),
		&cobra.Command{
			Use:   "down",
			Short: "Remove OLM and all that was installed with it",
			Args:  cobra.NoArgs,
			RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, _ []string) error {
				return c.OLMDown(cmd.Context())
			}),
		},
		&cobra.Command{
			Use:   "status",
			Short: "Show the parts of OLM; exit with 1 unless all are healthy",
			Args:  cobra.NoArgs,
			RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, _ []string) error {
				return c.OLMStatus(cmd.Context(), cmd.OutOrStdout())
			}),
		})
	return command
}

func newOLMUpCommand(name *string) *cobra.Command {
	var scorecard bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Install OLM, or repair it",
		Long: `Build OLM from its Go module when it is missing, push its images to the cluster's
registry, apply its chart, and wait until its package server has succeeded. The
command can be repeated. The catalog of OperatorHub.io is left out, since nobody
could pull it here.`,
		Args: cobra.NoArgs,
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, _ []string) error {
			return c.OLMUp(cmd.Context(), scorecard)
		}),
	}
	command.Flags().BoolVar(&scorecard, "scorecard", false, "also push the images of operator-sdk's scorecard")
	return command
}
