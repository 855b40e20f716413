//go:build linux

package cluster

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cgroups"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
	"github.com/kubefledged/kubefledged-operator/test/cluster/require"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

const (
	// killWait is how long killed processes may take to be gone.
	killWait = 20 * time.Second
	// stopGrace is how long a component may take to end by itself. The API
	// server would take a minute while clients watch.
	stopGrace = 3 * time.Second
)

// Down stops the cluster and removes all that belongs to it, also when it is
// only half up or was left by a crash. A cluster that is not up is no error.
func (c *Cluster) Down(ctx context.Context) error {
	if err := require.Root(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	begun := time.Now()
	state, err := readState(c.dir)
	if err != nil && !errors.Is(err, errNotUp) {
		c.say("the cluster's state cannot be read, everything with its marker goes: %v", err)
	}
	if err := c.stopAll(state); err != nil {
		return err
	}
	if err := c.removeAll(ctx); err != nil {
		return err
	}
	c.say("cluster %s is down after %.1f s", c.name, time.Since(begun).Seconds())
	return nil
}

// stopAll stops the components in reverse order of their start, then whatever
// else carries the cluster's marker or is in its cgroup.
func (c *Cluster) stopAll(state state) error {
	names := network.NamesFor(c.dir)
	supervisor := supervise.Supervisor{Dir: c.dir}
	plan := components.Plan{State: c.dir, Names: names, Nodes: state.Nodes, Ports: state.Ports}
	ordered, err := components.Order(plan.All())
	if err != nil {
		return err
	}
	for _, component := range slices.Backward(ordered) {
		if err := supervisor.Stop(component.Name, graceOf(component)); err != nil {
			return err
		}
	}
	if err := supervisor.Sweep(""); err != nil {
		return err
	}
	return cgroups.Kill(plan.Cgroup(), killWait)
}

// graceOf is nothing for the components of a node: all that they keep is
// removed with them.
func graceOf(component components.Component) time.Duration {
	if strings.Contains(component.Name, "/") {
		return 0
	}
	return stopGrace
}

// removeAll removes what outlives processes. Mounts are not among it: they are
// in the nodes' own mount namespaces, which end with their processes.
func (c *Cluster) removeAll(ctx context.Context) error {
	unlock, err := lockFile(ctx, machineLock)
	if err != nil {
		return err
	}
	defer unlock()
	names := network.NamesFor(c.dir)
	return errors.Join(
		cgroups.Remove("/"+names.Prefix),
		names.RemoveAll(),
		os.RemoveAll(c.dir),
		removeMountPoints(),
	)
}

// openLocked returns the running cluster, as root and alone.
func (c *Cluster) openLocked(ctx context.Context) (*running, func(), error) {
	if err := require.Root(); err != nil {
		return nil, nil, err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return nil, nil, err
	}
	running, err := c.open()
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return running, unlock, nil
}
