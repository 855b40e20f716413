//go:build linux

package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
	"github.com/kubefledged/kubefledged-operator/test/cluster/cgroups"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
	"github.com/kubefledged/kubefledged-operator/test/cluster/pki"
	"github.com/kubefledged/kubefledged-operator/test/cluster/require"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

// UpOptions say what Up makes sure of.
type UpOptions struct {
	// Nodes is how many nodes there are at least; those above stay.
	Nodes int
	// NodeLabels are added to nodes, by node name.
	NodeLabels map[string]map[string]string
	// KwokConfig is the file with the stages of simulated nodes; when it is
	// not empty, kwok runs beside the control plane.
	KwokConfig string
	// Flags are added to components of the control plane, by name. They count
	// from the component's next start on.
	Flags map[string][]string
}

// Up makes sure that the cluster runs with all its components and nodes ready.
// What runs already is left alone; what has ended is started again.
func (c *Cluster) Up(ctx context.Context, options UpOptions) error {
	if err := require.Root(); err != nil {
		return err
	}
	if err := require.Packages(ctx, require.ClusterPackages(), c.progress); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.build(ctx, options); err != nil {
		return err
	}
	started := time.Now()
	running, err := c.prepare(ctx, options)
	if err != nil {
		return err
	}
	if err := supervise.RunAll(ctx, running.tasks(running.plan.Nodes, true)); err != nil {
		return err
	}
	c.say("cluster %s is up with %d nodes after %.1f s", c.name, len(running.state.Nodes), time.Since(started).Seconds())
	return nil
}

// Print writes what Up would run.
func (c *Cluster) Print(output io.Writer, options UpOptions) error {
	state, err := c.wanted(options)
	if err != nil {
		return err
	}
	plan, err := c.plan(state)
	if err != nil {
		return err
	}
	ordered, err := components.Order(plan.All())
	if err != nil {
		return err
	}
	return components.Print(output, ordered)
}

func (c *Cluster) build(ctx context.Context, options UpOptions) error {
	sources, err := build.Sources()
	if err != nil {
		return err
	}
	c.builder.Sources = sources
	recipes := build.ClusterRecipes()
	if options.KwokConfig != "" {
		kwok, err := build.Find(build.Kwok)
		if err != nil {
			return err
		}
		recipes = append(recipes, kwok)
	}
	_, err = c.builder.EnsureAll(ctx, recipes)
	return err
}

// wanted returns the state to reach.
func (c *Cluster) wanted(options UpOptions) (state, error) {
	wanted, err := readState(c.dir)
	if errors.Is(err, errNotUp) {
		wanted.Name = c.name
		wanted.Ports, err = choosePorts(c.dir)
	}
	if err != nil {
		return wanted, err
	}
	if options.KwokConfig != "" {
		wanted.KwokConfig = options.KwokConfig
	}
	if len(options.Flags) > 0 {
		wanted.Flags = options.Flags
	}
	err = wanted.ensureNodes(options.Nodes, options.NodeLabels)
	return wanted, err
}

// prepare makes all that the processes need before they start.
func (c *Cluster) prepare(ctx context.Context, options UpOptions) (*running, error) {
	wanted, err := c.wanted(options)
	if err != nil {
		return nil, err
	}
	running, err := c.with(wanted)
	if err != nil {
		return nil, err
	}
	if err := running.state.write(c.dir); err != nil {
		return nil, err
	}
	if err := running.prepareControlPlane(ctx); err != nil {
		return nil, err
	}
	for _, node := range running.state.Nodes {
		if err := running.prepareNode(node); err != nil {
			return nil, err
		}
	}
	return running, nil
}

func (r *running) identities() pki.Cluster {
	return pki.Cluster{
		Dir:       r.plan.PKI(),
		Server:    components.APIServerURL,
		ServerIPs: []net.IP{net.ParseIP(network.KubernetesIP), net.ParseIP(network.ControlPlaneIP)},
	}
}

func (r *running) prepareControlPlane(ctx context.Context) error {
	if err := r.ensureInotify(); err != nil {
		return err
	}
	if err := r.identities().EnsureControlPlane(r.now()); err != nil {
		return err
	}
	if err := r.writeHostKubeconfig(); err != nil {
		return err
	}
	if err := cgroups.Ensure(r.plan.SystemCgroup()); err != nil {
		return err
	}
	// From when its namespace exists, other clusters leave the mount points.
	unlock, err := lockFile(ctx, machineLock)
	if err != nil {
		return err
	}
	defer unlock()
	if err := noteMountPoints(r.plan); err != nil {
		return err
	}
	return r.plan.Names.EnsureControlPlane()
}

// prepareNode also clears up after a node whose processes were all killed: the
// directories that a restart of a real machine would empty are emptied.
func (r *running) prepareNode(node components.Node) error {
	if _, alive := r.supervisor.Find(components.OnNode(components.Sandbox, node.Name)); !alive {
		if err := r.clearNode(node); err != nil {
			return err
		}
	}
	dir := filepath.Join(r.plan.NodeDir(node.Name), "pki")
	if err := r.identities().EnsureNode(dir, node.Name, network.NodeIP(node.Index), r.now()); err != nil {
		return err
	}
	if err := cgroups.Ensure(r.plan.NodeCgroup(node.Name)); err != nil {
		return err
	}
	return r.plan.Names.EnsureNode(node.Name, node.Index)
}

// clearNode ends whatever is left of the node's processes.
func (r *running) clearNode(node components.Node) error {
	if err := r.supervisor.Sweep(node.Name); err != nil {
		return err
	}
	if err := cgroups.Kill(r.plan.NodeCgroup(node.Name), killWait); err != nil {
		return err
	}
	dir := r.plan.NodeDir(node.Name)
	return errors.Join(
		os.RemoveAll(filepath.Join(dir, "run")),
		os.RemoveAll(r.plan.AddressDir(node.Name)),
	)
}

// HostKubeconfig is the path of the kubeconfig for programs on the machine.
func (c *Cluster) HostKubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// writeHostKubeconfig writes the administrator's kubeconfig with the address
// of the forwarder.
func (r *running) writeHostKubeconfig() error {
	content, err := os.ReadFile(r.adminKubeconfig())
	if err != nil {
		return err
	}
	url := "https://" + loopback(r.state.Ports.API)
	text := strings.ReplaceAll(string(content), components.APIServerURL, url)
	return os.WriteFile(r.HostKubeconfig(), []byte(text), 0o600)
}

// adminKubeconfig is for programs inside the cluster's network.
func (r *running) adminKubeconfig() string {
	return filepath.Join(r.plan.PKI(), "admin.kubeconfig")
}
