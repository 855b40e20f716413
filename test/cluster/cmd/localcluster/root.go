package main

import (
	"github.com/spf13/cobra"
)

// newRootCommand returns the whole command tree.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "localcluster",
		Short: "Run a real Kubernetes cluster on this machine, without Docker",
		Long: `localcluster runs a real Kubernetes cluster on one Linux machine: etcd, the
control plane, an image registry, and any number of nodes, each with its own
containerd, kubelet and kube-proxy. Everything is compiled from Go modules and
runs in network namespaces of its own.

Binaries and clusters are kept in $KUBEFLEDGED_CACHE/kubefledged, by default in
the user's cache directory. "up", "down" and what works inside the cluster need
root; "build", "assets", "program" and "path" do not.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBuildCommand(), newAssetsCommand(), newProgramCommand())
	root.AddCommand(clusterCommands()...)
	return root
}
