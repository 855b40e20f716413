package outcome_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// Every waiting reason of kubelet 1.37.2, with a message as it writes it.
func TestWaitingReasons(t *testing.T) {
	cases := []struct {
		reason, message string
		mounted, run    outcome.Image // by the image-volume and by the exec method
	}{
		{"", "", undecided, undecided},
		{"ContainerCreating", "", undecided, undecided},
		{"PodInitializing", "", undecided, undecided},
		{"ErrImagePull", "failed to pull image web:1: odd",
			failed(v1alpha2.ReasonImagePullFailed, "failed to pull image web:1: odd"),
			failed(v1alpha2.ReasonImagePullFailed, "failed to pull image web:1: odd")},
		{"ImagePullBackOff", `Back-off pulling image "web:1": ErrImagePull: docker.io/library/web:1: EOF`,
			failed(v1alpha2.ReasonRegistryUnavailable, `Back-off pulling image "web:1": ErrImagePull: docker.io/library/web:1: EOF`),
			failed(v1alpha2.ReasonRegistryUnavailable, `Back-off pulling image "web:1": ErrImagePull: docker.io/library/web:1: EOF`)},
		{"ImagePullBackOff", `Back-off pulling image "web:1": SignatureValidationFailed: image pull failed for web:1 because: odd`,
			failed(v1alpha2.ReasonSignatureValidationFailed, `Back-off pulling image "web:1": SignatureValidationFailed: image pull failed for web:1 because: odd`),
			failed(v1alpha2.ReasonSignatureValidationFailed, `Back-off pulling image "web:1": SignatureValidationFailed: image pull failed for web:1 because: odd`)},
		{"ErrImageNeverPull", `Container image "web:1" is not present with pull policy of Never`,
			failed(v1alpha2.ReasonImagePullFailed, `Container image "web:1" is not present with pull policy of Never`),
			failed(v1alpha2.ReasonImagePullFailed, `Container image "web:1" is not present with pull policy of Never`)},
		{"ImageInspectError", `Failed to inspect image "": rpc error: code = Unknown desc = odd`,
			failed(v1alpha2.ReasonImagePullFailed, `Failed to inspect image "": rpc error: code = Unknown desc = odd`),
			failed(v1alpha2.ReasonImagePullFailed, `Failed to inspect image "": rpc error: code = Unknown desc = odd`)},
		{"InvalidImageName", `Failed to apply default image tag "web:1": odd`,
			failed(v1alpha2.ReasonInvalidImageName, `Failed to apply default image tag "web:1": odd`),
			failed(v1alpha2.ReasonInvalidImageName, `Failed to apply default image tag "web:1": odd`)},
		{"RegistryUnavailable", `image pull failed for web:1 because the registry said: odd`,
			failed(v1alpha2.ReasonRegistryUnavailable, `image pull failed for web:1 because the registry said: odd`),
			failed(v1alpha2.ReasonRegistryUnavailable, `image pull failed for web:1 because the registry said: odd`)},
		{"SignatureValidationFailed", `image pull failed for web:1 because the signature validation failed`,
			failed(v1alpha2.ReasonSignatureValidationFailed, `image pull failed for web:1 because the signature validation failed`),
			failed(v1alpha2.ReasonSignatureValidationFailed, `image pull failed for web:1 because the signature validation failed`)},
		{"CreateContainerConfigError", `path is empty *image.imagePlugin`, undecided, pulled},
		{"CreateContainerError", `ImageVolumeMountFailed: odd`, pulled, pulled},
		{"PreCreateHookError", "odd", pulled, pulled},
		{"PreStartHookError", "odd", pulled, pulled},
		{"RunContainerError", `exec: "/helper": not found`, pulled, pulled},
		{"PostStartHookError", "odd", pulled, pulled},
		{"CrashLoopBackOff", "back-off 10s restarting failed container", pulled, pulled},
		{"RestartingAllContainers", "The container is removed because RestartAllContainers in place", pulled, pulled},
		{"CreatePodSandboxError", "odd", undecided, undecided},
		{"ConfigPodSandboxError", "odd", undecided, undecided},
		{"KillPodSandboxError", "odd", undecided, undecided},
		{"KillContainerError", "odd", undecided, undecided},
		{"RemoveContainerError", "odd", undecided, undecided},
		{"ResizePodInPlaceError", "odd", undecided, undecided},
		{"no such file or directory", "Failed to record image pull intent for container image \"web:1\": odd",
			failed(v1alpha2.ReasonImagePullFailed, "Failed to record image pull intent for container image \"web:1\": odd"),
			failed(v1alpha2.ReasonImagePullFailed, "Failed to record image pull intent for container image \"web:1\": odd")},
		{"SomethingNew", "odd", undecided, undecided},
	}
	for _, c := range cases {
		for _, exec := range []bool{false, true} {
			in := withEvents(input(pod(wait(0, c.reason, c.message), end(1, 0, "Completed"))))
			in.ExecMethod = exec
			want := c.mounted
			if exec {
				want = c.run
			}
			if got := outcome.Read(in).Images[0]; got != want {
				t.Errorf("%q, exec %v: got %+v, want %+v", c.reason, exec, got, want)
			}
		}
	}
}

// What proves a pull, whatever became of the container.
func TestProofs(t *testing.T) {
	running := wait(0, "", "")
	running.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	onceRan := wait(0, "SomethingNew", "")
	onceRan.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "Error"}
	made := wait(0, "", "") // made but not started: kubelet_pods.go, ContainerStateCreated
	made.ContainerID = "containerd://c0ffee"
	for name, status := range map[string]corev1.ContainerStatus{
		"completed": end(0, 0, "Completed"), "error": end(0, 1, "Error"), "no such command": end(0, 128, "StartError"),
		"docker": end(0, 127, "ContainerCannotRun"), "killed": end(0, 137, "OOMKilled"),
		"lost after it ran": end(0, 137, "ContainerStatusUnknown"),
		"running":           running, "ran before": onceRan, "created": made,
	} {
		got := outcome.Read(input(pod(status, end(1, 0, "Completed"))))
		if got.Images[0] != pulled || !got.Settled {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// When a pod ends, the kubelet terminates containers that never existed.
func TestTerminationIsNoProofByItself(t *testing.T) {
	never := end(0, 137, "ContainerStatusUnknown")
	never.ContainerID = ""
	p := pod(never, end(1, 0, "Completed"))
	p.Status.Phase = corev1.PodFailed
	checkRead(t, []readCase{{"failed pod", input(p), settled(notTried, pulled)}})
}

func TestDigest(t *testing.T) {
	const digest = "sha256:b9ab2c28208d75a75807445d4c370801da3992817325cc349764ad740abe40a6"
	for imageID, want := range map[string]string{
		"docker.io/library/web@" + digest: digest, "docker-pullable://web@" + digest: digest,
		digest: "", "docker://" + digest: "", "": "", "docker.io/library/web@sha256:short": "",
	} {
		status := end(0, 0, "Completed")
		status.ImageID = imageID
		in := input(pod(status))
		if got := outcome.Read(in).Images[0].Digest; got != "" {
			t.Errorf("a mounted image got the helper's digest %q", got)
		}
		in.ExecMethod = true
		if got := outcome.Read(in).Images[0].Digest; got != want {
			t.Errorf("imageID %q: got %q, want %q", imageID, got, want)
		}
	}
}

func TestHeldBack(t *testing.T) {
	const qps = "pull QPS exceeded"
	going := pod(wait(0, "ErrImagePull", `failed to pull and unpack image "docker.io/library/web:1": context canceled`), end(1, 0, "Completed"))
	going.DeletionTimestamp = &going.CreationTimestamp
	install := wait(0, "ErrImagePull", qps)
	install.Name = outcome.InitContainerName
	held := pod(wait(0, "PodInitializing", ""), wait(1, "PodInitializing", ""))
	held.Status.InitContainerStatuses = []corev1.ContainerStatus{install}
	exec := input(held)
	exec.ExecMethod = true
	checkRead(t, []readCase{
		{"limit of the kubelet", input(pod(wait(0, "ErrImagePull", qps), end(1, 0, "Completed"))), settled(notTried, pulled)},
		{"repeated", input(pod(wait(0, "ImagePullBackOff", `Back-off pulling image "web:1": ErrImagePull: `+qps), end(1, 0, "Completed"))),
			settled(notTried, pulled)},
		{"of the helper", input(pod(wait(0, "ImagePullBackOff", `Back-off pulling image "`+helper+`": ErrImagePull: `+qps), end(1, 0, "Completed"))),
			settled(notTried, pulled)},
		{"of the init container", exec, settled(notTried, notTried)},
		{"canceled by the kubelet", input(pod(wait(0, "ErrImagePull", "rpc error: code = Canceled desc = context canceled"), end(1, 0, "Completed"))),
			settled(notTried, pulled)},
		{"canceled because the pod goes", input(going), settled(notTried, pulled)},
	})
}

// A reason that may come before the pull of an image volume counts once it lasts.
func TestConfigErrorThatLasts(t *testing.T) {
	const message = "path is empty *image.imagePlugin"
	in := input(pod(wait(0, "CreateContainerConfigError", message), end(1, 0, "Completed")))
	checkRead(t, []readCase{
		{"at first", in, open(undecided, pulled)},
		{"still", later(in, 20*time.Second), settled(failed(v1alpha2.ReasonPodStuck, message), pulled)},
	})
}
