//go:build linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/images"
)

// ImageOptions say what PushImage makes.
type ImageOptions struct {
	// Reference is the image's name as pods write it.
	Reference string
	// Size in bytes of the data in Layers layers.
	Size   int64
	Layers int
	// Command is the program, pause or toolbox, and its arguments.
	Command []string
}

// PushImage makes an image, the same every time for the same options, pushes
// it to the cluster's registry and returns its digest. It works without root.
func (c *Cluster) PushImage(ctx context.Context, options ImageOptions) (string, error) {
	r, err := c.open()
	if err != nil {
		return "", err
	}
	programs, err := r.binaries(build.Programs)
	if err != nil {
		return "", err
	}
	if len(options.Command) == 0 || (options.Command[0] != "pause" && options.Command[0] != "toolbox") {
		return "", fmt.Errorf("command %q: want pause, or toolbox with its arguments", strings.Join(options.Command, " "))
	}
	image, err := images.New(images.Options{
		Program: filepath.Join(programs, options.Command[0]),
		Args:    options.Command[1:],
		Size:    options.Size,
		Layers:  options.Layers,
		Seed:    options.Reference,
	})
	if err != nil {
		return "", err
	}
	return images.Push(ctx, image, options.Reference, loopback(r.state.Ports.RegistryAdmin), nil)
}

// Load gives an image to every node: a file is imported as an archive, all
// else is pulled as a reference, on all nodes at once.
func (c *Cluster) Load(ctx context.Context, source string) error {
	return c.change(ctx, func(r *running) error {
		file, isFile, err := asFile(source)
		if err != nil {
			return err
		}
		group, _ := errgroup.WithContext(ctx)
		for _, node := range r.state.Nodes {
			group.Go(func() error {
				if isFile {
					return r.ctr(node, "images", "import", file)
				}
				hosts := filepath.Join(r.plan.NodeDir(node.Name), "certs.d")
				return r.ctr(node, "images", "pull", "--hosts-dir="+hosts, source)
			})
		}
		return group.Wait()
	})
}

// asFile returns the absolute path when source is a file.
func asFile(source string) (path string, isFile bool, err error) {
	if info, statErr := os.Stat(source); statErr == nil && info.Mode().IsRegular() {
		path, err = filepath.Abs(source)
		return path, true, err
	}
	return "", false, nil
}

func (r *running) ctr(node components.Node, args ...string) error {
	for _, component := range r.plan.Node(node) {
		if component.Name != components.OnNode(components.Containerd, node.Name) {
			continue
		}
		command := append([]string{filepath.Join(r.plan.Containerd, "ctr"), "--namespace=k8s.io"}, args...)
		if output, err := r.supervisor.Run(component, command); err != nil {
			return fmt.Errorf("node %s: %w: %s", node.Name, err, strings.TrimSpace(string(output)))
		}
	}
	return nil
}
