package outcome

import (
	"regexp"
	"strings"
)

// stage says how far the kubelet got with a container that waits.
type stage int

const (
	// beforePull: nothing is known of the image yet.
	beforePull stage = iota
	// pullFailed: the image of the container, or of its volume, failed.
	pullFailed
	// configFailed: see CreateContainerConfigError below.
	configFailed
	// afterPull: the kubelet has the images and fails at something later.
	afterPull
)

// stages holds the waiting reasons of kubelet 1.37.2: KUBE/pkg/kubelet/images/types.go,
// kubelet_pods.go (defaults), kuberuntime/kuberuntime_container.go,
// container/sync_result.go, and k8s.io/cri-api/pkg/errors. A container's
// waiting reason is the error of its StartContainer result (reason_cache.go).
//
// CreateContainerConfigError: the kubelet hands a failed image
// volume to its container before it makes the container's configuration
// (kuberuntime_manager.go, toKubeContainerImageVolumes before startContainer),
// so this reason would prove the pull. But where the ImageVolume feature is
// off, getImageVolumes pulls nothing, and makeMounts then fails with this very
// reason ("path is empty *image.imagePlugin"). So it proves a pull only for a
// container that runs from its image.
var stages = map[string]stage{
	"":                  beforePull,
	"ContainerCreating": beforePull,
	"PodInitializing":   beforePull,

	"ErrImagePull":              pullFailed,
	"ImagePullBackOff":          pullFailed,
	neverPull:                   pullFailed,
	"ImageInspectError":         pullFailed,
	"InvalidImageName":          pullFailed,
	"RegistryUnavailable":       pullFailed,
	"SignatureValidationFailed": pullFailed,

	"CreateContainerConfigError": configFailed,

	"CreateContainerError":    afterPull,
	"PreCreateHookError":      afterPull,
	"PreStartHookError":       afterPull,
	"RunContainerError":       afterPull,
	"PostStartHookError":      afterPull,
	"CrashLoopBackOff":        afterPull,
	"RestartingAllContainers": afterPull,

	// Results of other actions of a pod's sync: never a container's in 1.37.2.
	"CreatePodSandboxError": beforePull,
	"ConfigPodSandboxError": beforePull,
	"KillPodSandboxError":   beforePull,
	"KillContainerError":    beforePull,
	"RemoveContainerError":  beforePull,
	"ResizePodInPlaceError": beforePull,
}

// stageOf returns the stage of a waiting container. The kubelet's pull manager
// (KEP-2535) and keyring report their errors as they are: the reason is then a
// whole sentence, for example that the intent to pull could not be recorded.
func stageOf(reason, message string) stage {
	if s, ok := stages[reason]; ok {
		return s
	}
	if text := strings.ToLower(reason + " " + message); strings.Contains(text, "image") || strings.Contains(text, "pull") {
		return pullFailed
	}
	return beforePull
}

// backOff is the kubelet's wrapping while it waits to pull again; a recent one
// repeats the reason and message of the last try (image_manager.go, prevPullErrMsg).
var backOff = regexp.MustCompile(`(?s)^Back-off pulling image "(?:[^"\\]|\\.)*"(?:: ([A-Za-z]+): (.*))?$`)

// unwrap returns the reason and message of the try behind a back-off; the
// message is empty when the kubelet does not tell.
func unwrap(reason, message string) (string, string) {
	m := backOff.FindStringSubmatch(message)
	if m == nil || reason != "ImagePullBackOff" {
		return reason, message
	}
	if m[1] == "" {
		return reason, ""
	}
	return m[1], m[2]
}

// heldBack tells whether the kubelet itself gave up the try: its limit on
// pulls per second (images/helpers.go), or its end of the call was canceled.
// A "context canceled" from within the runtime means the same while the pod
// goes; else it is the runtime's timeout for a pull without progress (CTRD
// internal/cri/server/images/image_pull.go), a failure: not counting it would
// repeat it forever.
func heldBack(message string, podGoes bool) bool {
	const canceled = "context canceled"
	message = strings.TrimSpace(message)
	return strings.HasSuffix(message, "pull QPS exceeded") ||
		message == canceled || strings.HasSuffix(message, "desc = "+canceled) ||
		podGoes && strings.HasSuffix(message, canceled)
}
