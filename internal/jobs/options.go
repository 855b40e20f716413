// Package jobs turns what the planner wants into batch/v1 Jobs, and reads back
// from a Job what it was made for. It is pure: no client, no clock, no I/O.
package jobs

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Options are the controller's settings that Jobs depend on.
type Options struct {
	// HelperImage is the reference of the helper image.
	HelperImage string
	// HelperPullPolicy of the helper image; empty means IfNotPresent.
	HelperPullPolicy corev1.PullPolicy
	// HelperPullSecrets are added to the pods' pull secrets.
	HelperPullSecrets []string
	// ServiceAccountName of the pods; empty means the namespace's default.
	ServiceAccountName string
	// PriorityClassName of the pods; empty means the cluster's default.
	PriorityClassName string
	// ExtraLabels and ExtraAnnotations go onto Jobs and pods; our own win.
	ExtraLabels, ExtraAnnotations map[string]string
	// CPU and Memory of one container, as requests and limits; zero means
	// DefaultCPU and DefaultMemory.
	CPU, Memory resource.Quantity
}

// Resources of one container. Requests equal limits, so that the pod is in
// nobody's way and passes quotas and limit ranges that ask for both. The helper
// needs next to nothing, a batch has up to ten containers and a full node shall
// still take it; what the container's process needs before that sets the floor.
var (
	// DefaultCPU is below the 10m that the kubelet enforces at least
	// (KUBE/pkg/kubelet/cm/helpers_linux.go, MinMilliCPULimit): a larger
	// limit up to there would only reserve more.
	DefaultCPU = resource.MustParse("5m")
	// DefaultMemory is a little above the 12Mi below which CRI-O refuses a
	// container (its setting container_min_memory).
	DefaultMemory = resource.MustParse("16Mi")
	// InstallMemory is the least for the init container of the exec method:
	// it copies the helper, a file of a few MB. It counts for a pod of one
	// image only, as init containers run before the others.
	InstallMemory = resource.MustParse("32Mi")
)

const (
	// OperationPull is the value of the operation annotation of a pull Job.
	OperationPull = "pull"

	// Backstop is added to the images' own deadlines to make a Job's
	// activeDeadlineSeconds. The controller ends Jobs itself, because a Job
	// killed by that deadline loses its evidence: it works for a controller
	// that is gone, and must not fire while the kubelet is busy with other pods.
	Backstop = 10 * time.Minute

	// TimeToLive is how long a finished Job is kept at most. The controller
	// deletes it once its outcome is recorded, and only then; this clears up
	// after a controller that was removed, and gives one that was down for a
	// night the evidence still.
	TimeToLive = 24 * time.Hour
)

func (o *Options) resources() corev1.ResourceRequirements {
	return equalResources(orDefault(o.CPU, DefaultCPU), orDefault(o.Memory, DefaultMemory))
}

func (o *Options) installResources() corev1.ResourceRequirements {
	memory := orDefault(o.Memory, DefaultMemory)
	if memory.Cmp(InstallMemory) < 0 {
		memory = InstallMemory
	}
	return equalResources(orDefault(o.CPU, DefaultCPU), memory)
}

func equalResources(cpu, memory resource.Quantity) corev1.ResourceRequirements {
	list := func() corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: cpu.DeepCopy(), corev1.ResourceMemory: memory.DeepCopy()}
	}
	return corev1.ResourceRequirements{Requests: list(), Limits: list()}
}

func orDefault(q, fallback resource.Quantity) resource.Quantity {
	if q.IsZero() {
		return fallback
	}
	return q
}

func (o *Options) helperPolicy() corev1.PullPolicy {
	if o.HelperPullPolicy == "" {
		return corev1.PullIfNotPresent
	}
	return o.HelperPullPolicy
}
