//go:build linux

package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

// Names of the steps that are not a component.
const (
	baseImagesTask = "base images"
	addonsTask     = "addons"
	nodeTask       = "node"
	nodeObjectTask = "node object"
)

// tasks returns the steps that bring up the nodes and, with controlPlane, all
// that they stand on.
func (r *running) tasks(nodes []components.Node, controlPlane bool) []supervise.Task {
	var tasks []supervise.Task
	if controlPlane {
		for _, component := range r.plan.ControlPlane() {
			tasks = append(tasks, r.componentTask(component))
		}
		tasks = append(tasks,
			supervise.Task{Name: baseImagesTask, Needs: []string{components.Registry}, Run: r.pushBaseImages},
			supervise.Task{Name: addonsTask, Needs: []string{components.APIServer, baseImagesTask}, Run: r.applyAddons},
		)
	}
	dns := supervise.Task{Name: "cluster DNS", Needs: []string{addonsTask}, Run: r.awaitDNS}
	for _, node := range nodes {
		tasks = append(tasks, r.nodeTasks(node)...)
		dns.Needs = append(dns.Needs, components.OnNode(nodeTask, node.Name))
	}
	// Without a node cluster DNS has nowhere to run.
	if controlPlane && len(nodes) > 0 {
		tasks = append(tasks, dns)
	}
	return tasks
}

func (r *running) nodeTasks(node components.Node) []supervise.Task {
	object := components.OnNode(nodeObjectTask, node.Name)
	tasks := []supervise.Task{
		{Name: object, Needs: []string{components.APIServer}, Run: func(ctx context.Context) error {
			return r.ensureNodeObject(ctx, node)
		}},
		{Name: components.OnNode(nodeTask, node.Name), Needs: []string{components.OnNode(components.Kubelet, node.Name)}, Run: func(ctx context.Context) error {
			return r.awaitNode(ctx, node)
		}},
	}
	for _, component := range r.plan.Node(node) {
		task := r.componentTask(component)
		if component.Name == components.OnNode(components.Kubelet, node.Name) {
			task.Needs = append(task.Needs, object)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// componentTask starts the component unless it runs, and waits until it is
// ready. A component that runs and is ready is passed over in silence.
func (r *running) componentTask(component components.Component) supervise.Task {
	return supervise.Task{Name: component.Name, Needs: component.Needs, Run: func(ctx context.Context) error {
		return r.ensureComponent(ctx, component)
	}}
}

func (r *running) ensureComponent(ctx context.Context, component components.Component) error {
	begun := r.now()
	started, err := r.supervisor.Start(component)
	if err != nil {
		return err
	}
	if started {
		r.startedAt.Store(component.Name, begun)
	}
	if err := r.supervisor.AwaitReady(ctx, component); err != nil {
		return err
	}
	if started {
		r.say("%s ready after %.1f s", component.Name, r.now().Sub(begun).Seconds())
	}
	return nil
}

// poll calls try about five times a second until it returns true or an error,
// or until the time is over; what names what is waited for.
func poll(ctx context.Context, what string, limit time.Duration, try func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		done, err := try(ctx)
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not after %s: %w", what, limit, errorOr(err, ctx.Err()))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
