package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
	"github.com/kubefledged/kubefledged-operator/test/cluster/registry"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

// The commands of this file are components of the cluster: up runs them.

func newServeRegistryCommand() *cobra.Command {
	var dir string
	var addresses registry.Addresses
	command := &cobra.Command{
		Use:    "serve-registry",
		Short:  "Run the cluster's image registry",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := registry.NewServer(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return server.Run(cmd.Context(), addresses)
		},
	}
	flags := command.Flags()
	flags.StringVar(&dir, "dir", "", "directory of images, access log and rules")
	flags.StringVar(&addresses.Plain, "address", "127.0.0.1:5000", "address of the registry, plain HTTP")
	flags.StringVar(&addresses.Admin, "admin-address", "127.0.0.1:5001", "address of the access log and the rules")
	flags.StringVar(&addresses.TLS, "tls-address", "", "address of the registry with TLS, if any")
	flags.StringVar(&addresses.Certificate, "tls-certificate", "", "certificate file")
	flags.StringVar(&addresses.KeyPEM, "tls-key", "", "key file")
	return command
}

func newForwardCommand() *cobra.Command {
	var namespace string
	command := &cobra.Command{
		Use:    "forward LISTEN=TARGET...",
		Short:  "Pass connections on into a network namespace",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return network.Forward(cmd.Context(), namespace, args)
		},
	}
	command.Flags().StringVar(&namespace, "namespace", "", "name of the network namespace")
	return command
}

func newSandboxCommand() *cobra.Command {
	var ready string
	command := &cobra.Command{
		Use:    "sandbox SOURCE=TARGET...",
		Short:  "Mount a node's directories and keep its mount namespace",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := mountAll(args); err != nil {
				return err
			}
			if err := os.WriteFile(ready, nil, 0o644); err != nil {
				return err
			}
			<-cmd.Context().Done()
			return nil
		},
	}
	command.Flags().StringVar(&ready, "ready-file", "", "file made when all is mounted")
	return command
}

// mountAll makes each of the mounts, which are written as components.Mount does. It refuses to do so when called by
// hand, which would change the mounts of the machine itself.
func mountAll(mounts []string) error {
	if !supervise.Supervised() {
		return errors.New("a sandbox is started by up, with a mount namespace of its own")
	}
	// Volumes that containers share with their node need it.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts: %w", err)
	}
	for _, argument := range mounts {
		wanted, err := components.ParseMount(argument)
		if err != nil {
			return err
		}
		if err := mount(wanted); err != nil {
			return fmt.Errorf("mounting %s: %w", argument, err)
		}
	}
	return nil
}

func mount(wanted components.Mount) error {
	if wanted.Size == 0 {
		return unix.Mount(wanted.Source, wanted.Target, "", unix.MS_BIND, "")
	}
	return unix.Mount("tmpfs", wanted.Target, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0711", wanted.Size))
}
