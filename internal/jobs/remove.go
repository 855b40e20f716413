package jobs

import (
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

const (
	// removalHead begins the names of removal Jobs. No ImageCache owns them.
	removalHead = "remove"
	// socketVolume is the runtime's socket, the one thing of the node that a
	// removal pod gets.
	socketVolume = "socket"
	// unconfined is the SELinux type of containers that may talk to the runtime:
	// the policy keeps all others from its socket. It means nothing to nodes
	// without SELinux (github.com/opencontainers/selinux, label.InitLabels).
	unconfined = "spc_t"
)

// Remove returns the Job that removes the images of spec from its node, unless
// a name of spec.Keep, a pod or a pin holds them. It lives in the namespace for
// removals and belongs to the node's NodeCache, which has the node's name. The
// socket of spec.Node must be known: the API server refuses the Job without.
func Remove(spec plan.JobSpec, opts Options) *batchv1.Job {
	job := newJob(OperationRemove, &spec, &opts)
	job.Namespace = opts.RemovalNamespace
	job.Name = Name(removalHead, spec.NodeCacheUID, OperationRemove, spec.Sequence)
	job.OwnerReferences = []metav1.OwnerReference{ownerOf(removalOwnerKind, spec.Node.Name, spec.NodeCacheUID)}
	job.Annotations[v1alpha2.AnnotationIdentity] = plan.IdentityNode // no credentials take part
	setPod(job, removalPod(&spec, &opts))
	return job
}

// removalPod needs Pod Security "privileged" for its one host path. Its user is
// root, because the sockets of runtimes are root's, but has no capability.
// The namespace's own service account will do: the one for pulls lives elsewhere.
func removalPod(spec *plan.JobSpec, opts *Options) corev1.PodSpec {
	pod := basePod(spec, opts)
	pod.HostNetwork = opts.RemovalHostNetwork
	pod.ImagePullSecrets = pullSecrets(opts.HelperPullSecrets)
	pod.SecurityContext = &corev1.PodSecurityContext{
		RunAsUser:      ptr.To[int64](0),
		SELinuxOptions: &corev1.SELinuxOptions{Type: unconfined},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	socket := spec.Node.Socket
	pod.Volumes = []corev1.Volume{{Name: socketVolume, VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: socket, Type: ptr.To(corev1.HostPathSocket)},
	}}}
	remover := container(outcome.RemovalContainerName, opts.HelperImage, opts.helperPolicy(), opts.removalResources(), "/"+cri.ProgramName)
	remover.Args = literal(cri.RemoveArgs(spec.Keep, refs(spec.Images), cri.RuntimeEndpoint(socket), cri.TimeLimit(timeLimit(spec))))
	// The same path as on the node, so that errors name the node's socket.
	remover.VolumeMounts = []corev1.VolumeMount{{Name: socketVolume, MountPath: socket}}
	// A helper that fails before its report has said why in its log.
	remover.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	pod.Containers = []corev1.Container{remover}
	return pod
}

// timeLimit ends the helper before the planner's patience is over, half of
// which is left for getting the pod to start: only a helper that ends by itself
// tells what it has done. The helper refuses a limit of 0.
func timeLimit(spec *plan.JobSpec) time.Duration {
	return max(time.Second, time.Duration(len(spec.Images))*spec.Deadline/2)
}

// literal protects arguments from the kubelet, which replaces $(NAME) by the
// container's variables, KUBERNETES_SERVICE_HOST for one, and $$ by $
// (KUBE/third_party/forked/golang/expansion).
func literal(args []string) []string {
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$", "$$")
	}
	return args
}

// refs returns the normalised references of images.
func refs(images []plan.Want) []string {
	all := make([]string, len(images))
	for i := range images {
		all[i] = images[i].Image
	}
	return all
}
