// Package lab is what the scenarios, the demo and the benchmark work with: a
// local cluster, its registry, the container runtimes of its nodes, and the
// controller deployed from this checkout.
package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Cluster is a local cluster. API and Registry are set by Up.
type Cluster struct {
	// Name of the cluster: several can run side by side.
	Name string
	// Root is the checkout.
	Root string
	// API is the administrator's client.
	API client.WithWatch
	// Registry is the one that the nodes pull from.
	Registry *Registry
	// Dir is the cluster's directory, and Prefix what its namespaces and
	// cgroups begin with.
	Dir, Prefix string

	program string
	log     io.Writer
}

// New returns the cluster of that name without starting it. The program is
// what the environment variable LOCALCLUSTER names, else bin/localcluster.
// What programs say goes to log.
func New(name string, log io.Writer) (*Cluster, error) {
	ctrllog.SetLogger(logr.Discard()) // clients complain when nobody listens
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	program := os.Getenv("LOCALCLUSTER")
	if program == "" {
		program = filepath.Join(root, "bin", "localcluster")
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("%w: run `make bin/localcluster` first", err)
	}
	return &Cluster{Name: name, Root: root, program: program, log: log}, nil
}

// findRoot returns the directory with go.mod above the working directory.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
}

// Up makes sure that the cluster runs with at least that many nodes, with
// labels such as "worker1=tier=backend", and connects to it.
func (c *Cluster) Up(ctx context.Context, nodes int, labels ...string) error {
	args := []string{"up", fmt.Sprintf("--nodes=%d", nodes)}
	for _, label := range labels {
		args = append(args, "--node-labels="+label)
	}
	if _, err := c.Run(ctx, args...); err != nil {
		return err
	}
	return c.connect(ctx)
}

func (c *Cluster) connect(ctx context.Context) error {
	paths := map[string]string{"kubeconfig": "", "registry-admin": "", "state": "", "netns": ""}
	for what := range paths {
		path, err := c.Run(ctx, "path", what)
		if err != nil {
			return err
		}
		paths[what] = path
	}
	c.Dir = paths["state"]
	c.Prefix = strings.TrimSuffix(filepath.Base(paths["netns"]), "-control-plane")
	c.Registry = &Registry{Address: paths["registry-admin"]}
	config, err := clientcmd.BuildConfigFromFlags("", paths["kubeconfig"])
	if err != nil {
		return err
	}
	config.QPS = -1 // this client polls, and alone
	c.API, err = client.NewWithWatch(config, client.Options{Scheme: scheme()})
	return err
}

func scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one kind: a mistake in the code
		}
	}
	return scheme
}

// Down stops the cluster and removes all that belongs to it.
func (c *Cluster) Down(ctx context.Context) error {
	_, err := c.Run(ctx, "down")
	return err
}

// Run runs a command of localcluster on this cluster and returns what it printed.
func (c *Cluster) Run(ctx context.Context, args ...string) (string, error) {
	command := append([]string{args[0], "--name=" + c.Name}, args[1:]...)
	return c.execute(exec.CommandContext(ctx, c.program, command...))
}

// Kubectl runs kubectl on this cluster and returns what it printed.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	command := append([]string{"kubectl", "--name", c.Name}, args...)
	return c.execute(exec.CommandContext(ctx, c.program, command...))
}

// Exec runs a command on a node, in its network and with its files.
func (c *Cluster) Exec(ctx context.Context, node string, command ...string) (string, error) {
	return c.Run(ctx, append([]string{"exec", "--node=" + node, "--"}, command...)...)
}

// AddNode adds a node and waits until it is ready. flags are those of
// "localcluster node add".
func (c *Cluster) AddNode(ctx context.Context, name string, flags ...string) error {
	_, err := c.Run(ctx, append([]string{"node", "add", name}, flags...)...)
	return err
}

// NodeOptions say what a node has that others have not.
type NodeOptions struct {
	Labels map[string]string
	// Taints are written KEY=VALUE:EFFECT or KEY:EFFECT.
	Taints []string
	// ImageDisk is the size of a disk for containerd alone, such as "400Mi",
	// "" for none.
	ImageDisk string
	// Kubelet overrides fields of KubeletConfiguration.
	Kubelet map[string]any
}

// AddNodeWith adds a node that differs from others and waits until it is ready.
func (c *Cluster) AddNodeWith(ctx context.Context, name string, options NodeOptions) error {
	flags := options.flags()
	if options.Kubelet == nil {
		return c.AddNode(ctx, name, flags...)
	}
	content, err := json.Marshal(options.Kubelet)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kubefledged-kubelet-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "kubelet.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	return c.AddNode(ctx, name, append(flags, "--kubelet-config="+file)...)
}

// flags are those of "localcluster node add" but for the kubelet's, a file.
func (o NodeOptions) flags() []string {
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(o.Labels)) {
		labels = append(labels, key+"="+o.Labels[key])
	}
	return []string{
		"--labels=" + strings.Join(labels, ","), "--taints=" + strings.Join(o.Taints, ","), "--image-disk=" + o.ImageDisk,
	}
}

// WipeNode takes all images and containers from a node's runtime and starts it
// again. The kubelet and the Node stay.
func (c *Cluster) WipeNode(ctx context.Context, name string) error {
	_, err := c.Run(ctx, "node", "wipe", name)
	return err
}

// RemoveNode stops a node and deletes its Node.
func (c *Cluster) RemoveNode(ctx context.Context, name string) error {
	_, err := c.Run(ctx, "node", "remove", name)
	return err
}

// Components that Kill and Start take; the names of a node's are functions.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	RegistryServer    = "registry"
)

// Kubelet is the component of that node.
func Kubelet(node string) string { return "kubelet/" + node }

// Containerd is the component of that node. Its containers outlive it.
func Containerd(node string) string { return "containerd/" + node }

// Kill ends a component with SIGKILL. Nothing starts it again but Start and
// Repair.
func (c *Cluster) Kill(ctx context.Context, component string) error {
	_, err := c.Run(ctx, "kill", component)
	return err
}

// Start starts a component again and waits until it is ready, but not until
// others have noticed: an API server needs up to half a minute after etcd is
// back. Repair waits for those, too.
func (c *Cluster) Start(ctx context.Context, component string) error {
	_, err := c.Run(ctx, "start", component)
	return err
}

// Repair starts whatever has ended, and waits until all components and nodes
// are ready.
func (c *Cluster) Repair(ctx context.Context) error {
	_, err := c.Run(ctx, "up", "--nodes=0")
	return err
}

// PushImage makes an image with that much data in one layer that cannot be
// compressed, pushes it, and returns its digest.
func (c *Cluster) PushImage(ctx context.Context, reference, size string) (string, error) {
	return c.Run(ctx, "images", "push", reference, "--size="+size)
}

// Runtime returns the client of a node's container runtime.
func (c *Cluster) Runtime(ctx context.Context, node string) (*Runtime, error) {
	socket, err := c.Run(ctx, "path", "socket", node)
	if err != nil {
		return nil, err
	}
	return NewRuntime(socket), nil
}

// execute returns the trimmed standard output; the error holds what the
// program said on the other one.
func (c *Cluster) execute(command *exec.Cmd) (string, error) {
	var output, complaints bytes.Buffer
	command.Stdout = &output
	command.Stderr = io.MultiWriter(&complaints, c.log)
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(complaints.String()))
	}
	return strings.TrimSpace(output.String()), nil
}
