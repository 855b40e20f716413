//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

// Cluster is one cluster of this machine, up or not.
type Cluster struct {
	name    string
	dir     string
	builder build.Builder
	// progress receives what happens, a line each.
	progress io.Writer
	now      func() time.Time
}

var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// New returns the cluster of that name. Nothing is started or made.
func New(name string, progress io.Writer) (*Cluster, error) {
	if !clusterName.MatchString(name) {
		return nil, fmt.Errorf("cluster name %q: want at most 40 lower-case letters, digits and dashes", name)
	}
	cache, err := build.CacheDir()
	if err != nil {
		return nil, err
	}
	return &Cluster{
		name:     name,
		dir:      filepath.Join(cache, "clusters", name),
		builder:  build.Builder{Cache: cache, Progress: progress},
		progress: progress,
		now:      time.Now,
	}, nil
}

// Dir is the cluster's directory.
func (c *Cluster) Dir() string { return c.dir }

// lock keeps other programs from changing the cluster until the returned
// function is called, or this process ends.
func (c *Cluster) lock(ctx context.Context) (func(), error) {
	path := filepath.Join(filepath.Dir(c.dir), "."+c.name+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return lockFile(ctx, path)
}

// lockFile waits until no other process has the lock on the file.
func lockFile(ctx context.Context, path string) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		select {
		case <-ctx.Done():
			return nil, errors.Join(errors.New("another localcluster holds "+path), file.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return func() { _ = file.Close() }, nil
}

// plan returns the plan of a cluster whose binaries are built.
func (c *Cluster) plan(state state) (components.Plan, error) {
	plan := components.Plan{
		State: c.dir,
		Names: network.NamesFor(c.dir),
		Ports: state.Ports,
		Nodes: state.Nodes,

		KwokConfig: state.KwokConfig,
		Flags:      state.Flags,
	}
	var err error
	if plan.Self, err = os.Executable(); err != nil {
		return plan, err
	}
	for name, dir := range map[string]*string{
		build.Kubernetes: &plan.Kubernetes, build.Containerd: &plan.Containerd, build.CNI: &plan.CNI,
		build.Kwok: &plan.Kwok,
	} {
		if *dir, err = c.binaries(name); err != nil {
			return plan, err
		}
	}
	return plan, nil
}

// binaries returns the directory of the recipe's binaries without building.
func (c *Cluster) binaries(name string) (string, error) {
	if c.builder.Sources == "" {
		sources, err := build.Sources()
		if err != nil {
			return "", err
		}
		c.builder.Sources = sources
	}
	recipe, err := build.Find(name)
	if err != nil {
		return "", err
	}
	return c.builder.Dir(recipe)
}

// ensure returns the directory of the recipe's binaries, built unless they are
// there.
func (c *Cluster) ensure(ctx context.Context, name string) (string, error) {
	if _, err := c.binaries(name); err != nil { // finds the sources
		return "", err
	}
	recipe, err := build.Find(name)
	if err != nil {
		return "", err
	}
	return c.builder.Ensure(ctx, recipe)
}

// running is a cluster together with all that works on its components.
type running struct {
	*Cluster
	state      state
	plan       components.Plan
	supervisor supervise.Supervisor
	// startedAt holds when this program started a component, by its name.
	startedAt *sync.Map
}

// open returns the cluster as the last up left it, or errNotUp.
func (c *Cluster) open() (*running, error) {
	state, err := readState(c.dir)
	if err != nil {
		return nil, err
	}
	return c.with(state)
}

func (c *Cluster) with(state state) (*running, error) {
	plan, err := c.plan(state)
	if err != nil {
		return nil, err
	}
	return &running{
		Cluster:   c,
		state:     state,
		plan:      plan,
		startedAt: &sync.Map{},
		supervisor: supervise.Supervisor{
			Dir:    c.dir,
			Cgroup: plan.SystemCgroup(),
			Path:   searchPath(plan),
		},
	}, nil
}

// searchPath is the PATH of the components and of commands in the cluster.
func searchPath(plan components.Plan) string {
	return strings.Join([]string{
		plan.Kubernetes, plan.Containerd,
		"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
	}, ":")
}

// component returns the component of that name, or an error that names all.
func (r *running) component(name string) (components.Component, error) {
	var names []string
	for _, component := range r.plan.All() {
		if component.Name == name {
			return component, nil
		}
		names = append(names, component.Name)
	}
	return components.Component{}, fmt.Errorf("unknown component %q: want one of %s", name, strings.Join(names, ", "))
}

func (c *Cluster) say(format string, args ...any) {
	fmt.Fprintf(c.progress, format+"\n", args...)
}
