package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cluster"
	"github.com/kubefledged/kubefledged-operator/test/cluster/images"
)

func newLoadCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "load ARCHIVE|REFERENCE...",
		Short: "Give images to every node's containerd",
		Long: `Import image archives (OCI layout or docker save, as one file each) into every
node, or pull references on every node from the cluster's registry. A reference
must be complete, such as quay.io/team/app:1.`,
		Args: cobra.MinimumNArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) error {
			for _, source := range args {
				if err := c.Load(cmd.Context(), source); err != nil {
					return fmt.Errorf("loading %s: %w", source, err)
				}
			}
			return nil
		}),
	}
}

func newImagesCommand(name *string) *cobra.Command {
	command := &cobra.Command{Use: "images", Short: "Make images for tests"}
	command.AddCommand(newImagesPushCommand(name))
	return command
}

func newImagesPushCommand(name *string) *cobra.Command {
	var size, program string
	options := cluster.ImageOptions{}
	command := &cobra.Command{
		Use:   "push REFERENCE",
		Short: "Make an image and push it to the cluster's registry",
		Long: `Make an image of data that cannot be compressed, with a static program that can
be run, push it to the cluster's registry under the repository that the
reference names, and print its digest. The same arguments make the same image.

The registry in the reference is the one pods name: containerd takes images of
docker.io, gcr.io, ghcr.io, quay.io, registry.access.redhat.com, registry.k8s.io
and localhost:5000 from the cluster's registry. The program is "pause", which
waits for SIGTERM, or "toolbox", which takes arguments: pause, serve PORT,
get URL, lookup NAME, echo TEXT or exit CODE.`,
		Example: `  localcluster images push quay.io/team/model:1 --size 100MB --layers 4
  localcluster images push quay.io/team/web:1 --command "toolbox serve 8080"`,
		Args: cobra.ExactArgs(1),
		RunE: onCluster(name, func(cmd *cobra.Command, c *cluster.Cluster, args []string) (err error) {
			if options.Size, err = images.ParseSize(size); err != nil {
				return err
			}
			options.Reference, options.Command = args[0], strings.Fields(program)
			digest, err := c.PushImage(cmd.Context(), options)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), digest)
			}
			return err
		}),
	}
	command.Flags().StringVar(&size, "size", "0", "size of the data, such as 100MB or 1GiB")
	command.Flags().IntVar(&options.Layers, "layers", 1, "how many layers the data is spread over")
	command.Flags().StringVar(&program, "command", "pause", "program and arguments that the image runs")
	return command
}
