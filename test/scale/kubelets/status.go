package kubelets

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
)

// aPull is one image that a pod needs.
type aPull struct {
	image  string
	policy corev1.PullPolicy
}

// pullsOf returns what a kubelet pulls for a pod, in its order: image volumes,
// then the images of the containers.
func pullsOf(pod *corev1.Pod) []aPull {
	var pulls []aPull
	for _, v := range pod.Spec.Volumes {
		if v.Image != nil {
			pulls = append(pulls, aPull{v.Image.Reference, v.Image.PullPolicy})
		}
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		pulls = append(pulls, aPull{c.Image, c.ImagePullPolicy})
	}
	return pulls
}

// needs returns the images that a container cannot start without.
func needs(pod *corev1.Pod, c *corev1.Container) []string {
	images := []string{}
	for _, mount := range c.VolumeMounts {
		for _, v := range pod.Spec.Volumes {
			if v.Name == mount.Name && v.Image != nil {
				images = append(images, v.Image.Reference)
			}
		}
	}
	return append(images, c.Image)
}

// lacks returns the first image that a container needs and that did not come,
// "" when it has all.
func lacks(pod *corev1.Pod, c *corev1.Container, failed map[string]string) string {
	for _, image := range needs(pod, c) {
		if _, missing := failed[image]; missing {
			return image
		}
	}
	return ""
}

func notFound(image string) string {
	return fmt.Sprintf(`rpc error: code = NotFound desc = failed to pull and unpack image %q: failed to resolve reference %q: %s: not found`,
		image, image, image)
}

// creating is the first status of a pod.
func creating(pod *corev1.Pod, now metav1.Time) corev1.PodStatus {
	status := corev1.PodStatus{
		Phase: corev1.PodPending, StartTime: &now, HostIP: "198.18.0.1",
		Conditions: conditions(now, corev1.ConditionFalse, corev1.ConditionFalse),
	}
	for i := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, waiting(&pod.Spec.Containers[i], "ContainerCreating", ""))
	}
	for i := range pod.Spec.InitContainers {
		status.InitContainerStatuses = append(status.InitContainerStatuses, waiting(&pod.Spec.InitContainers[i], "PodInitializing", ""))
	}
	return status
}

func conditions(now metav1.Time, sandbox, ready corev1.ConditionStatus) []corev1.PodCondition {
	return []corev1.PodCondition{
		{Type: corev1.PodReadyToStartContainers, Status: sandbox, LastTransitionTime: now},
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
		{Type: corev1.PodReady, Status: ready, LastTransitionTime: now},
		{Type: corev1.ContainersReady, Status: ready, LastTransitionTime: now},
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
	}
}

func waiting(c *corev1.Container, reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message},
	}}
}

// finished is the status once all pulls are over: what has its images has run
// to its end, the rest waits.
func finished(pod *corev1.Pod, failed map[string]string, now metav1.Time) corev1.PodStatus {
	status := corev1.PodStatus{
		Phase: corev1.PodSucceeded, StartTime: pod.Status.StartTime, HostIP: pod.Status.HostIP,
		Conditions: conditions(now, corev1.ConditionTrue, corev1.ConditionFalse),
	}
	one := func(c *corev1.Container) corev1.ContainerStatus {
		if image := lacks(pod, c, failed); image != "" {
			status.Phase = corev1.PodPending
			return waiting(c, reasonOf(failed[image]), failed[image])
		}
		return terminated(pod, c, now)
	}
	for i := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, one(&pod.Spec.Containers[i]))
	}
	for i := range pod.Spec.InitContainers {
		status.InitContainerStatuses = append(status.InitContainerStatuses, one(&pod.Spec.InitContainers[i]))
	}
	return status
}

// reasonOf is the waiting reason of what the message says.
func reasonOf(message string) string {
	if strings.HasSuffix(message, "pull policy of Never") {
		return "ErrImageNeverPull"
	}
	return "ErrImagePull"
}

func terminated(pod *corev1.Pod, c *corev1.Container, now metav1.Time) corev1.ContainerStatus {
	state := &corev1.ContainerStateTerminated{
		Reason: "Completed", StartedAt: now, FinishedAt: now,
		ContainerID: "containerd://" + string(pod.UID) + "-" + c.Name,
	}
	if images := removals(c); len(images) > 0 {
		state.Message = removalReport(images)
	}
	return corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: names(c.Image)[0], ContainerID: state.ContainerID,
		State: corev1.ContainerState{Terminated: state},
	}
}

// backOff is the status at the kubelet's next look at a pod that lacks images.
func backOff(pod *corev1.Pod, failed map[string]string) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	for i := range status.ContainerStatuses {
		if w := status.ContainerStatuses[i].State.Waiting; w != nil && w.Reason == "ErrImagePull" {
			image := lacks(pod, &pod.Spec.Containers[i], failed)
			w.Reason, w.Message = "ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, w.Message)
		}
	}
	return status
}

// withoutSandbox is the last status of a pod that has ended.
func withoutSandbox(pod *corev1.Pod) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	for i := range status.Conditions {
		if status.Conditions[i].Type == corev1.PodReadyToStartContainers {
			status.Conditions[i].Status = corev1.ConditionFalse
		}
	}
	return status
}

// killed is the status of a pod that was ended from outside.
func killed(pod *corev1.Pod, now metav1.Time) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.Phase = corev1.PodFailed
	for i := range status.ContainerStatuses {
		if status.ContainerStatuses[i].State.Terminated == nil {
			status.ContainerStatuses[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 137, Reason: "ContainerStatusUnknown", FinishedAt: now,
				Message: "The container could not be located when the pod was terminated",
			}}
		}
	}
	return status
}

// removals returns the images that a container of ours removes.
func removals(c *corev1.Container) []string {
	if len(c.Args) == 0 || c.Args[0] != "remove" {
		return nil
	}
	var images []string
	for _, arg := range c.Args[1:] {
		if !strings.HasPrefix(arg, "-") {
			images = append(images, arg)
		}
	}
	return images
}

// remove takes the images from the node that the pod's containers remove. The
// caller holds mu.
func (k *Kubelets) remove(pod *corev1.Pod) {
	n := k.at(pod.Spec.NodeName)
	for i := range pod.Spec.Containers {
		for _, image := range removals(&pod.Spec.Containers[i]) {
			delete(n.images, image)
			k.changed(pod.Spec.NodeName)
		}
	}
}

func removalReport(images []string) string {
	var report cri.Report
	for _, image := range images {
		report.Images = append(report.Images, cri.ImageResult{Image: image, Result: cri.Removed})
	}
	line, err := report.EncodeWithin(cri.MaxTerminationMessage)
	if err != nil {
		return err.Error()
	}
	return string(line)
}
