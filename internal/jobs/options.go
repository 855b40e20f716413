// Package jobs turns what the planner wants into batch/v1 Jobs, and reads back
// from a Job what it was made for. It is pure: no client, no clock, no I/O.
package jobs

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// Options are the controller's settings that Jobs depend on.
type Options struct {
	// HelperImage is the reference of the helper image.
	HelperImage string
	// HelperPullPolicy of the helper image; empty means IfNotPresent.
	HelperPullPolicy corev1.PullPolicy
	// HelperPullSecrets are added to the pods' pull secrets.
	HelperPullSecrets []string
	// ServiceAccountName of the pods that pull and verify; empty means the
	// namespace's default. Pods that remove images use the default of theirs.
	ServiceAccountName string
	// PriorityClassName of the pods; empty means the cluster's default.
	PriorityClassName string
	// ExtraLabels and ExtraAnnotations go onto Jobs and pods; our own win.
	ExtraLabels, ExtraAnnotations map[string]string
	// RemovalNamespace is the namespace of the Jobs that remove images: their
	// pods mount the runtime's socket, which Pod Security baseline refuses.
	RemovalNamespace string
	// RemovalHostNetwork puts the removal pods into the host's network.
	RemovalHostNetwork bool
	// RetainFor is how long finished Jobs are kept when they are retained; zero
	// means TimeToLive.
	RetainFor time.Duration
	// CPU and CPULimit are the request and the limit of one container, Memory
	// is both; zero means the default. A CPULimit below CPU counts as CPU.
	CPU, CPULimit, Memory resource.Quantity
}

// Resources of one container. All are set, because quotas may ask for each. The
// helper needs next to nothing; what starts its process sets the floor.
var (
	// DefaultCPU is what a full node can still give to a batch of ten.
	DefaultCPU = resource.MustParse("5m")
	// DefaultCPULimit lets a container start without much delay. The kubelet
	// starts those of a pod one after the other, and runc's part, 20 ms of CPU,
	// counts against the container, which has a tenth of its limit per 100 ms.
	// On an idle node a pod of nine took 1.0 s without a limit, 1.4 s with
	// 200m, 1.7 s with 100m, 3.1 s with 50m; 10m, the least a kubelet sets
	// (KUBE/pkg/kubelet/cm/helpers_linux.go, MinMilliCPULimit), makes it 30 s.
	// Hence the one request that is not equal to its limit.
	DefaultCPULimit = resource.MustParse("200m")
	// DefaultMemory is a little above the 12Mi below which CRI-O refuses a
	// container (its setting container_min_memory). Request equals limit:
	// memory cannot be taken back from a process.
	DefaultMemory = resource.MustParse("16Mi")
	// InstallMemory is the least for the init container of the exec method:
	// it copies the helper, a file of a few MB. It counts for a pod of one
	// image only, as init containers run before the others.
	InstallMemory = resource.MustParse("32Mi")
	// RemovalMemory is the least for the container that removes images: it
	// holds the runtime's lists of images, containers and pods. 25 MB were seen
	// with 2,000 images and 500 pods, 15 MB with three of each.
	RemovalMemory = resource.MustParse("64Mi")
)

// Values of the operation annotation of Jobs and pods; they are part of a
// Job's name, too.
const (
	// OperationPull is that of a Job that pulls images.
	OperationPull = string(plan.JobPull)
	// OperationVerify is that of a Job that looks whether images are there.
	OperationVerify = string(plan.JobVerify)
	// OperationRemove is that of a Job that removes images.
	OperationRemove = string(plan.JobRemove)
)

const (
	// Backstop is added to the images' own deadlines to make a Job's
	// activeDeadlineSeconds. The controller ends Jobs itself, because a Job
	// killed by that deadline loses its evidence: it works for a controller
	// that is gone, and must not fire while the kubelet is busy with other pods.
	Backstop = 10 * time.Minute

	// TimeToLive is how long a finished Job is kept at most, unless Options say
	// otherwise. The controller deletes it once its outcome is recorded, and
	// only then; this clears up after a controller that was removed, and gives
	// one that was down for a night the evidence still.
	TimeToLive = 24 * time.Hour
)

// timeToLive returns ttlSecondsAfterFinished.
func (o *Options) timeToLive() int32 {
	keep := o.RetainFor
	if keep <= 0 {
		keep = TimeToLive
	}
	return int32(min(keep/time.Second, math.MaxInt32))
}

func (o *Options) resources() corev1.ResourceRequirements {
	return o.withMemory(orDefault(o.Memory, DefaultMemory))
}

func (o *Options) installResources() corev1.ResourceRequirements {
	return o.withMemory(larger(orDefault(o.Memory, DefaultMemory), InstallMemory))
}

func (o *Options) removalResources() corev1.ResourceRequirements {
	return o.withMemory(larger(orDefault(o.Memory, DefaultMemory), RemovalMemory))
}

func (o *Options) withMemory(memory resource.Quantity) corev1.ResourceRequirements {
	request := orDefault(o.CPU, DefaultCPU)
	limit := larger(orDefault(o.CPULimit, DefaultCPULimit), request)
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: request, corev1.ResourceMemory: memory},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: limit, corev1.ResourceMemory: memory},
	}
}

func larger(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
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
