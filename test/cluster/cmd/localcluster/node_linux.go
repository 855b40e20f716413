package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cluster"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/images"
)

func newNodeCommand(name *string) *cobra.Command {
	command := &cobra.Command{Use: "node", Short: "Add, wipe or remove a node of a running cluster"}
	command.AddCommand(newNodeAddCommand(name), newNodeWipeCommand(name), &cobra.Command{
		Use:   "remove NAME",
		Short: "Stop a node with all its pods and delete its Node object",
		Args:  cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.RemoveNode(cmd.Context(), args[0])
		}),
	})
	return command
}

func newNodeWipeCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "wipe NAME",
		Short: "Take all images and containers from a node, whose Node object stays",
		Long: `Kill containerd and every container of the node, empty containerd's directories,
and start it again. The kubelet is left alone: it finds its containers gone and
starts them anew.`,
		Args: cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			return c.WipeNode(cmd.Context(), args[0])
		}),
	}
}

// nodeFlags are the flags of "node add" as they were written.
type nodeFlags struct {
	labels, taints, imageDisk string
	// kubelet is the path of a file.
	kubelet string
}

func newNodeAddCommand(name *string) *cobra.Command {
	var flags nodeFlags
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a node and wait until it is ready",
		Long: `Add a node and wait until it is ready.

With --image-disk, containerd keeps images and containers on a disk of their own
of that size, which is in memory and goes with the node: for a disk that is full.
The kubelet lets it fill up, unless --kubelet-config sets imagefs.available in
evictionHard and imageGCHighThresholdPercent.`,
		Example: `  localcluster node add gpu1 --labels accelerator=gpu --taints gpu=yes:NoSchedule
  localcluster node add parallel --kubelet-config overrides.yaml
  localcluster node add small --image-disk 400Mi`,
		Args: cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			node, err := flags.node(args[0])
			if err != nil {
				return err
			}
			return c.AddNode(cmd.Context(), node)
		}),
	}
	command.Flags().StringVar(&flags.labels, "labels", "", "labels, as KEY=VALUE,...")
	command.Flags().StringVar(&flags.taints, "taints", "", "taints, as KEY[=VALUE]:EFFECT,...")
	command.Flags().StringVar(&flags.kubelet, "kubelet-config", "", "file with fields of KubeletConfiguration to override")
	command.Flags().StringVar(&flags.imageDisk, "image-disk", "", "size of a disk for containerd alone, such as 400Mi, at least 64Mi")
	return command
}

// minImageDisk holds the pause image and what containerd keeps beside images.
const minImageDisk = 64 << 20

// node makes a node of the command's arguments.
func (f nodeFlags) node(name string) (node components.Node, err error) {
	node.Name = name
	if node.Labels, err = cluster.ParseLabels(f.labels); err != nil {
		return node, err
	}
	if node.Taints, err = cluster.ParseTaints(f.taints); err != nil {
		return node, err
	}
	if f.imageDisk != "" {
		if node.ImageDisk, err = images.ParseSize(f.imageDisk); err == nil && node.ImageDisk < minImageDisk {
			err = fmt.Errorf("image disk %q: want 64Mi at least", f.imageDisk)
		}
	}
	if err != nil || f.kubelet == "" {
		return node, err
	}
	content, err := os.ReadFile(f.kubelet)
	if err != nil {
		return node, err
	}
	err = yaml.Unmarshal(content, &node.Kubelet)
	return node, err
}
