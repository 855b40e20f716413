// Package observe turns API objects into the planner's plain values. It reads
// and converts; it decides nothing and writes nothing.
package observe

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// Forced are the controller's settings that overrule what nodes tell.
type Forced struct {
	// Method is the pull method; empty chooses by each node's versions.
	Method plan.Method
	// Socket is the path of the runtime's socket; empty for what each node's
	// annotation or runtime says.
	Socket string
}

// Node returns what matters of a Node.
func Node(node *corev1.Node, force Forced) plan.Node {
	info := node.Status.NodeInfo
	full := NodeBrief(node)
	full.Method = plan.MethodFor(force.Method, info.KubeletVersion, info.ContainerRuntimeVersion)
	full.Socket = plan.SocketFor(force.Socket, node.Annotations[v1alpha2.AnnotationCRISocket],
		info.KubeletVersion, info.ContainerRuntimeVersion)
	full.Reported, full.Listed = reported(node.Status.Images), len(node.Status.Images)
	full.BootID = info.BootID
	full.DiskPressure = diskPressure(node.Status.Conditions)
	return full
}

func diskPressure(conditions []corev1.NodeCondition) bool {
	return slices.ContainsFunc(conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeDiskPressure && c.Status == corev1.ConditionTrue
	})
}

// reported indexes what a node says of its images by normalised reference.
func reported(images []corev1.ContainerImage) map[string]plan.Reported {
	index := make(map[string]plan.Reported, 2*len(images))
	for i := range images {
		entry := plan.Reported{Digest: digestOf(images[i].Names), SizeBytes: images[i].SizeBytes}
		for _, name := range images[i].Names {
			if ref := normalised.of(name); ref != "" {
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
