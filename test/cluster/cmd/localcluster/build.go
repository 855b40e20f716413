package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
)

func newBuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build [COMPONENT...]",
		Short: "Build the components without starting anything",
		Long: `Build the named components (programs, cni, coredns, containerd, kubernetes), or all of
them, into the cache. The first build of kubernetes takes 8 to 15 minutes on two
cores. Kubernetes builds on every system; the others on Linux only.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			recipes, err := chosenRecipes(args)
			if err != nil {
				return err
			}
			builder, err := newBuilder(cmd)
			if err != nil {
				return err
			}
			_, err = builder.EnsureAll(cmd.Context(), recipes)
			return err
		},
	}
}

func newAssetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "assets",
		Short: "Print the directory with etcd, kube-apiserver, kubectl and so on",
		Long: `Make sure that the kubernetes binary is built, and print the one directory that
holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet,
kube-proxy and kubectl: the value KUBEBUILDER_ASSETS wants.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			recipe, err := build.Find(build.Kubernetes)
			if err != nil {
				return err
			}
			builder, err := newBuilder(cmd)
			if err != nil {
				return err
			}
			dir, err := builder.Ensure(cmd.Context(), recipe)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), dir)
			}
			return err
		},
	}
}

// chosenRecipes returns the recipes of those names, all of them for none.
func chosenRecipes(names []string) ([]build.Recipe, error) {
	if len(names) == 0 {
		return build.Recipes(), nil
	}
	var recipes []build.Recipe
	for _, name := range names {
		recipe, err := build.Find(name)
		if err != nil {
			return nil, err
		}
		recipes = append(recipes, recipe)
	}
	return recipes, nil
}

func newBuilder(cmd *cobra.Command) (build.Builder, error) {
	cache, err := build.CacheDir()
	if err != nil {
		return build.Builder{}, err
	}
	sources, err := build.Sources()
	return build.Builder{Sources: sources, Cache: cache, Progress: cmd.ErrOrStderr()}, err
}
