//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cgroups"
	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/supervise"
)

type object = map[string]any

// AddNode adds one node to a cluster that is up and waits until it is ready.
func (c *Cluster) AddNode(ctx context.Context, node components.Node) error {
	return c.change(ctx, func(r *running) error {
		if err := r.state.add(node); err != nil {
			return err
		}
		if err := r.state.write(c.dir); err != nil {
			return err
		}
		r.plan.Nodes = r.state.Nodes
		added := *r.state.node(node.Name)
		if err := r.prepareNode(added); err != nil {
			return err
		}
		return supervise.RunAll(ctx, r.tasks([]components.Node{added}, false))
	})
}

// RemoveNode stops the node with all its pods and deletes its Node object. It
// works whether or not the API server does.
func (c *Cluster) RemoveNode(ctx context.Context, name string) error {
	return c.change(ctx, func(r *running) error {
		node := r.state.node(name)
		if node == nil {
			return fmt.Errorf("there is no node %s", name)
		}
		if err := r.deleteNode(*node); err != nil {
			return err
		}
		r.state.remove(name)
		if err := r.state.write(c.dir); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		err := r.call(ctx, http.MethodDelete, nodePath(name), "application/json", nil, nil)
		if isNotFound(err) {
			return nil
		}
		return err
	})
}

// change runs work on the cluster, as root and alone.
func (c *Cluster) change(ctx context.Context, work func(*running) error) error {
	running, unlock, err := c.openLocked(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return work(running)
}

// deleteNode ends the node's processes and removes all that is the node's.
func (r *running) deleteNode(node components.Node) error {
	ordered := r.plan.Node(node)
	for i := len(ordered) - 1; i >= 0; i-- {
		if err := r.supervisor.Stop(ordered[i].Name, 0); err != nil {
			return err
		}
	}
	if err := r.clearNode(node); err != nil {
		return err
	}
	return errors.Join(
		cgroups.Remove(r.plan.NodeCgroup(node.Name)),
		r.plan.Names.RemoveNode(node.Name, node.Index),
		os.RemoveAll(r.plan.NodeDir(node.Name)),
	)
}

func nodePath(name string) string { return "/api/v1/nodes/" + name }

func isNotFound(err error) bool {
	var failure *apiError
	return errors.As(err, &failure) && failure.status == http.StatusNotFound
}

// ensureNodeObject makes the Node object of a node that cannot do it itself.
func (r *running) ensureNodeObject(ctx context.Context, node components.Node) error {
	if node.RegistersItself() {
		return nil
	}
	labels := object{
		"kubernetes.io/hostname": node.HostnameLabel(),
		"kubernetes.io/os":       "linux",
		"kubernetes.io/arch":     goarch,
	}
	for key, value := range node.Labels {
		labels[key] = value
	}
	spec := object{}
	if taints := node.TaintObjects(); len(taints) > 0 {
		spec["taints"] = taints
	}
	content, err := json.Marshal(object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": node.Name, "labels": labels},
		"spec":     spec,
	})
	if err != nil {
		return err
	}
	return r.apply(ctx, nodePath(node.Name), content)
}

// nodeObject is what is read of a Node.
type nodeObject struct {
	Metadata struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Status struct {
		Conditions []struct {
			Type, Status, Message string
			LastHeartbeatTime     time.Time
		} `json:"conditions"`
	} `json:"status"`
}

// ready tells whether the kubelet has said, at that time or later, that the
// node is ready, and what it said. Times in the API have no fractions.
func (n nodeObject) ready(since time.Time) (bool, string) {
	for _, condition := range n.Status.Conditions {
		if condition.Type != "Ready" {
			continue
		}
		if condition.LastHeartbeatTime.Before(since.Truncate(time.Second)) {
			return false, "no news from the kubelet since it started"
		}
		return condition.Status == "True", condition.Message
	}
	return false, "no condition Ready yet"
}

// awaitNode waits until the Node is ready, and gives it what it lacks.
func (r *running) awaitNode(ctx context.Context, node components.Node) error {
	begun := r.now()
	var since time.Time
	if started, restarted := r.startedAt.Load(components.OnNode(components.Kubelet, node.Name)); restarted {
		since = started.(time.Time)
	}
	waited := false
	err := poll(ctx, "node "+node.Name+" ready", supervise.Timeout, func(ctx context.Context) (bool, error) {
		var found nodeObject
		if err := r.get(ctx, nodePath(node.Name), &found); err != nil {
			return false, err
		}
		if ready, message := found.ready(since); !ready {
			waited = true
			return false, errors.New(message)
		}
		return true, r.complete(ctx, node, found)
	})
	if err == nil && waited {
		r.say("node %s ready after %.1f s", node.Name, r.now().Sub(begun).Seconds())
	}
	return err
}

// complete adds to the Node what the kubelet leaves to others.
func (r *running) complete(ctx context.Context, node components.Node, found nodeObject) error {
	metadata := missingMetadata(node, found)
	if len(metadata) == 0 {
		return nil
	}
	content, err := json.Marshal(object{"metadata": metadata})
	if err != nil {
		return err
	}
	return r.call(ctx, http.MethodPatch, nodePath(node.Name), "application/merge-patch+json", content, nil)
}

// socketAnnotation is what kubeadm, when a node joins, says where the runtime's
// socket is, as the node sees it.
const socketAnnotation = "kubeadm.alpha.kubernetes.io/cri-socket"

// missingMetadata returns those of the node's labels that its Node lacks, because
// the kubelet must not set them itself or they were asked for after it registered,
// and kubeadm's annotation. An annotation that somebody has changed stays.
func missingMetadata(node components.Node, found nodeObject) object {
	missing := object{}
	labels := map[string]string{}
	for key, value := range node.Labels {
		if found.Metadata.Labels[key] != value {
			labels[key] = value
		}
	}
	if len(labels) > 0 {
		missing["labels"] = labels
	}
	if _, there := found.Metadata.Annotations[socketAnnotation]; !there {
		missing["annotations"] = map[string]string{socketAnnotation: components.RuntimeEndpoint}
	}
	return missing
}

// nodeNames lists the nodes for messages.
func (s state) nodeNames() string {
	var names []string
	for _, node := range s.Nodes {
		names = append(names, node.Name)
	}
	return strings.Join(names, ", ")
}
