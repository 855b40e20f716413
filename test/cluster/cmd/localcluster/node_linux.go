package main

import (
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cluster"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
)

func newNodeCommand(name *string) *cobra.Command {
	command := &cobra.Command{Use: "node", Short: "Add or remove a node of a running cluster"}
	command.AddCommand(newNodeAddCommand(name), &cobra.Command{
		Use:   "remove NAME",
		Short: "Stop a node with all its pods and delete its Node object",
		Args:  cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.RemoveNode(cmd.Context(), args[0])
		}),
	})
	return command
}

func newNodeAddCommand(name *string) *cobra.Command {
	var labels, taints, kubelet string
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a node and wait until it is ready",
		Example: `  localcluster node add gpu1 --labels accelerator=gpu --taints gpu=yes:NoSchedule
  localcluster node add parallel --kubelet-config overrides.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			node, err := parseNode(args[0], labels, taints, kubelet)
			if err != nil {
				return err
			}
			return c.AddNode(cmd.Context(), node)
		}),
	}
	command.Flags().StringVar(&labels, "labels", "", "labels, as KEY=VALUE,...")
	command.Flags().StringVar(&taints, "taints", "", "taints, as KEY[=VALUE]:EFFECT,...")
	command.Flags().StringVar(&kubelet, "kubelet-config", "", "file with fields of KubeletConfiguration to override")
	return command
}

// parseNode makes a node of the command's arguments; kubelet is a file's path.
func parseNode(name, labels, taints, kubelet string) (node components.Node, err error) {
	node.Name = name
	if node.Labels, err = cluster.ParseLabels(labels); err != nil {
		return node, err
	}
	if node.Taints, err = cluster.ParseTaints(taints); err != nil || kubelet == "" {
		return node, err
	}
	content, err := os.ReadFile(kubelet)
	if err != nil {
		return node, err
	}
	err = yaml.Unmarshal(content, &node.Kubelet)
	return node, err
}
