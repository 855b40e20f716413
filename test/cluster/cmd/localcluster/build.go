package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
)

func newBuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build [COMPONENT...]",
		Short: "Build the components without starting anything",
		Long: `Build the named components into the cache, or without names those that every
cluster runs: programs, cni, coredns, containerd, kubernetes. On request only:
kwok, olm, opm, operator-sdk, scorecard-test. The first build of kubernetes takes 8 to
15 minutes on two cores. Kubernetes, opm and operator-sdk build on every system;
the others on Linux only.`,
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

func newProgramCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "program NAME",
		Short: "Print the path of a program, built when it is missing",
		Long: `Make sure that the component with that program is built, and print the program's
path: operator-sdk, opm, containerd, ctr, kubectl and so on.`,
		Example: "  $(localcluster program operator-sdk) version",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipe, err := build.FindProgram(args[0])
			if err != nil {
				return err
			}
			builder, err := newBuilder(cmd)
			if err != nil {
				return err
			}
			dir, err := builder.Ensure(cmd.Context(), recipe)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(dir, args[0]))
			}
			return err
		},
	}
}

// chosenRecipes returns the recipes of those names, for none those of what every
// cluster runs.
func chosenRecipes(names []string) ([]build.Recipe, error) {
	if len(names) == 0 {
		return build.ClusterRecipes(), nil
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
