package jobs

import (
	"path"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

const (
	// nobody is the user and group of our containers, the one that distroless
	// images call nonroot; Pod Security "restricted" asks for a number.
	nobody = 65532
	// imagePath is where a container mounts its image; nothing reads it.
	imagePath = "/image"
	// helperPath is where the helper lies in containers of the exec method: a
	// name that no image has.
	helperPath   = "/kubefledged-helper"
	helperVolume = "kubefledged-helper"
	// grace is enough: the helper does nothing that needs an end.
	grace = 1
)

// basePod asks for nothing of the cluster: no token, no service variables, no
// cluster DNS. The scheduler is not asked either, because only this node will do.
func basePod(spec *plan.JobSpec, opts *Options) corev1.PodSpec {
	return corev1.PodSpec{
		NodeName:                      spec.Node.Name,
		RestartPolicy:                 corev1.RestartPolicyNever,
		Tolerations:                   tolerations(spec.Node.Taints),
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		DNSPolicy:                     corev1.DNSDefault,
		PriorityClassName:             opts.PriorityClassName,
		TerminationGracePeriodSeconds: ptr.To[int64](grace),
	}
}

// podSpec is that of a pull or a verification. It passes Pod Security "restricted".
func podSpec(spec *plan.JobSpec, opts *Options) corev1.PodSpec {
	pod := basePod(spec, opts)
	pod.ServiceAccountName = opts.ServiceAccountName
	pod.ImagePullSecrets = pullSecrets(spec.Owner.Secrets, opts.HelperPullSecrets)
	pod.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		RunAsUser:      ptr.To[int64](nobody),
		RunAsGroup:     ptr.To[int64](nobody),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if spec.Node.Method == plan.MethodExec {
		runImages(&pod, spec.Images, opts)
	} else {
		mountImages(&pod, spec, opts)
	}
	return pod
}

// mountImages makes containers that run the helper and mount the images, one
// for each or one for all: nothing of the images is run.
func mountImages(pod *corev1.PodSpec, spec *plan.JobSpec, opts *Options) {
	var mounts []corev1.VolumeMount
	for i, want := range spec.Images {
		n := strconv.Itoa(i)
		mounts = append(mounts, corev1.VolumeMount{Name: "image-" + n, MountPath: path.Join(imagePath, n), ReadOnly: true})
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "image-" + n, VolumeSource: corev1.VolumeSource{
			Image: &corev1.ImageVolumeSource{Reference: want.Name, PullPolicy: want.Policy},
		}})
	}
	if spec.Together {
		pod.Containers = []corev1.Container{mounting(outcome.TogetherContainerName, mounts, opts)}
		return
	}
	for i := range mounts {
		pod.Containers = append(pod.Containers, mounting(outcome.ContainerName(i), mounts[i:i+1], opts))
	}
}

func mounting(name string, mounts []corev1.VolumeMount, opts *Options) corev1.Container {
	c := container(name, opts.HelperImage, opts.helperPolicy(), opts.resources(), "/"+cri.ProgramName, "noop")
	c.VolumeMounts = mounts
	return c
}

// runImages makes each container run the helper, a static program, inside its
// image. The group of the volume lets the installer write to it.
func runImages(pod *corev1.PodSpec, wants []plan.Want, opts *Options) {
	pod.SecurityContext.FSGroup = ptr.To[int64](nobody)
	pod.Volumes = []corev1.Volume{{Name: helperVolume, VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{},
	}}}
	install := container(outcome.InitContainerName, opts.HelperImage, opts.helperPolicy(), opts.installResources(),
		"/"+cri.ProgramName, "install", helperPath)
	install.VolumeMounts = []corev1.VolumeMount{{Name: helperVolume, MountPath: helperPath}}
	pod.InitContainers = []corev1.Container{install}
	for i := range wants {
		c := container(outcome.ContainerName(i), wants[i].Name, wants[i].Policy, opts.resources(), path.Join(helperPath, cri.ProgramName), "noop")
		c.WorkingDir = "/" // the image's own may be closed to us
		c.VolumeMounts = []corev1.VolumeMount{{Name: helperVolume, MountPath: helperPath, ReadOnly: true}}
		pod.Containers = append(pod.Containers, c)
	}
}

func container(name, image string, policy corev1.PullPolicy, resources corev1.ResourceRequirements, command ...string) corev1.Container {
	return corev1.Container{
		Name: name, Image: image, ImagePullPolicy: policy, Command: command, Resources: resources,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// tolerations tolerate just what the node has, so that nothing evicts the pod
// from it. Which taints keep a Job away was decided before.
func tolerations(taints []corev1.Taint) []corev1.Toleration {
	var all []corev1.Toleration
	for _, t := range taints {
		operator := corev1.TolerationOpEqual
		if t.Value == "" {
			operator = corev1.TolerationOpExists
		}
		all = append(all, corev1.Toleration{Key: t.Key, Operator: operator, Value: t.Value, Effect: t.Effect})
	}
	return all
}

func pullSecrets(lists ...[]string) []corev1.LocalObjectReference {
	var all []corev1.LocalObjectReference
	for _, name := range slices.Concat(lists...) {
		if secret := (corev1.LocalObjectReference{Name: name}); name != "" && !slices.Contains(all, secret) {
			all = append(all, secret)
		}
	}
	return all
}
