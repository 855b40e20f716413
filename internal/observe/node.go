// Package observe turns API objects into the planner's plain values. It reads
// and converts; it decides nothing and writes nothing.
package observe

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Node returns what matters of a Node. force is the pull method to use
// whatever the node's versions are; empty chooses by them.
func Node(node *corev1.Node, force plan.Method) plan.Node {
	info := node.Status.NodeInfo
	method := plan.MethodFor(force, info.KubeletVersion, info.ContainerRuntimeVersion)
	brief := NodeBrief(node)
	brief.Method, brief.Reported = method, reported(node.Status.Images)
	return brief
}

// reported indexes what a node says of its images by normalised reference.
func reported(images []corev1.ContainerImage) map[string]plan.Reported {
	index := make(map[string]plan.Reported, 2*len(images))
	for i := range images {
		entry := plan.Reported{Digest: digestOf(images[i].Names), SizeBytes: images[i].SizeBytes}
		for _, name := range images[i].Names {
			if ref, _, err := reference.Normalise(name); err == nil {
				index[ref] = entry
			}
		}
	}
	return index
}

// digestOf returns the digest that the names of one image share, or "" when
// they name several (repositories of one image may differ in manifest).
func digestOf(names []string) string {
	digest := ""
	for _, name := range names {
		_, d, found := strings.Cut(name, "@")
		switch {
		case !found, !strings.HasPrefix(d, "sha"): // "<none>@<none>" is a name to some runtimes
		case digest == "":
			digest = d
		case digest != d:
			return ""
		}
	}
	return digest
}

// NodeBrief returns what decides whether a node takes new work, without its images.
func NodeBrief(node *corev1.Node) plan.Node {
	return plan.Node{
		Name: node.Name, UID: node.UID, Labels: node.Labels, Taints: node.Spec.Taints,
		Unavailable: plan.Unavailable(node),
	}
}

// NodeNameOf returns the name of the node that a NodeCache, Job or Pod of ours is about.
func NodeNameOf(obj client.Object) string {
	if _, ok := obj.(*v1alpha2.NodeCache); ok {
		return obj.GetName()
	}
	return jobs.NodeName(obj)
}
