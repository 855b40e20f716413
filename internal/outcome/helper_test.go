package outcome_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

func helperFailed(message string) outcome.Image {
	return failed(v1alpha2.ReasonHelperImageUnavailable, message)
}

func TestHelperOfMountedImages(t *testing.T) {
	const (
		namesHelper = `failed to resolve reference "` + helper + `": ` + helper + `: not found`
		namesTen    = `failed to resolve reference "` + helper + `0": ` + helper + `0: not found`
		unnamed     = `Get "https://ghcr.example/v2/": dial tcp: i/o timeout`
		denied      = `pull access denied for ghcr.io/kubefledged/kubefledged-cri-client, repository does not exist`
		crio        = `reading manifest v1 in ghcr.io/kubefledged/kubefledged-cri-client: manifest unknown`
		eventText   = `Failed to pull image "` + helper + `": ` + unnamed
	)
	ten := input(pod(wait(0, "ErrImagePull", namesTen), end(1, 0, "Completed")))
	ten.Images = []string{helper + "0", db}
	same := input(pod(wait(0, "ErrImagePull", namesHelper), wait(1, "ContainerCreating", "")))
	same.Images = []string{helper, db}
	short := input(pod(wait(0, "ErrImagePull", `failed to pull "docker.io/kubefledged/cri-client:v1": EOF`)))
	short.Helper, short.Images = "kubefledged/cri-client:v1", []string{web}
	one := input(pod(wait(0, "ErrImagePull", unnamed), end(1, 0, "Completed")))
	checkRead(t, []readCase{
		{"named", input(pod(wait(0, "ErrImagePull", namesHelper), wait(1, "ContainerCreating", ""))),
			settled(helperFailed(namesHelper), helperFailed(namesHelper))},
		{"named, another image there", input(pod(wait(0, "ErrImagePull", namesHelper), end(1, 0, "Completed"))),
			settled(helperFailed(namesHelper), pulled)},
		{"named, another image failed by itself",
			input(pod(wait(0, "ErrImagePull", namesHelper), wait(1, "ErrImagePull", "manifest for "+db+" not found"))),
			settled(helperFailed(namesHelper), failed(v1alpha2.ReasonImageNotFound, "manifest for "+db+" not found"))},
		{"in a back-off", input(pod(wait(0, "ImagePullBackOff", `Back-off pulling image "`+helper+`": ErrImagePull: `+unnamed), end(1, 0, "Completed"))),
			settled(helperFailed(`Back-off pulling image "`+helper+`": ErrImagePull: `+unnamed), pulled)},
		{"by CRI-O", input(pod(wait(0, "ErrImagePull", crio), end(1, 0, "Completed"))), settled(helperFailed(crio), pulled)},
		{"by its repository", input(pod(wait(0, "ErrImagePull", denied), end(1, 0, "Completed"))), settled(helperFailed(denied), pulled)},
		{"a longer name", ten, settled(failed(v1alpha2.ReasonImageNotFound, namesTen), pulled)},
		{"the user wants the helper's image", same,
			open(failed(v1alpha2.ReasonImageNotFound, namesHelper), undecided)},
		{"configured by a short name", short, settled(helperFailed(`failed to pull "docker.io/kubefledged/cri-client:v1": EOF`))},
		{"nobody named", one, needsEvents(undecided, pulled)},
		{"nobody named, an event does", withEvents(one, warning(1, "Failed", eventText)), settled(helperFailed(unnamed), pulled)},
		{"nobody named, no event does", withEvents(one, warning(1, "Failed", "Error: ErrImagePull")),
			settled(failed(v1alpha2.ReasonRegistryUnavailable, unnamed), pulled)},
	})
}

func execInput(install corev1.ContainerStatus, statuses ...corev1.ContainerStatus) outcome.Input {
	install.Name = outcome.InitContainerName
	p := pod(statuses...)
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{install}
	in := input(p)
	in.ExecMethod = true
	return in
}

func TestHelperOfInitContainer(t *testing.T) {
	const message = "dial tcp: i/o timeout" // names nothing: the container tells
	idle := []corev1.ContainerStatus{wait(0, "PodInitializing", ""), wait(1, "PodInitializing", "")}
	broken := end(0, 1, "Error")
	broken.State.Terminated.Message = "install into /helper: disk full"
	stuck := failed(v1alpha2.ReasonPodStuck,
		"the container that installs the helper ended with exit code 1 (Error): install into /helper: disk full")
	same := execInput(wait(0, "ErrImagePull", message), idle...)
	same.Images = []string{helper, db}
	checkRead(t, []readCase{
		{"cannot be pulled", execInput(wait(0, "ErrImagePull", message), idle...), settled(helperFailed(message), helperFailed(message))},
		{"is the user's image too", same, settled(failed(v1alpha2.ReasonRegistryUnavailable, message), helperFailed(message))},
		{"ends in error", execInput(broken, idle...), settled(stuck, stuck)},
		{"has done its work", execInput(end(0, 0, "Completed"), end(0, 0, "Completed"), wait(1, "PodInitializing", "")), open(pulled, undecided)},
		{"is at work", execInput(wait(0, "ContainerCreating", ""), idle...), open(undecided, undecided)},
	})
}

// A kubelet that forgot why it backs off has said it in an event.
func TestBareBackOff(t *testing.T) {
	const event = `Failed to pull image "web:1": docker.io/library/web:1: manifest unknown`
	in := input(pod(wait(0, "ImagePullBackOff", `Back-off pulling image "web:1"`), end(1, 0, "Completed")))
	asked := outcome.Read(in)
	if !asked.NeedEvents || asked.Settled {
		t.Errorf("events are not asked for: %+v", asked)
	}
	checkRead(t, []readCase{
		{"told by an event", withEvents(in, warning(1, "Failed", event)), settled(failed(v1alpha2.ReasonImageNotFound, event), pulled)},
		{"not told", withEvents(in), settled(failed(v1alpha2.ReasonImagePullFailed, `Back-off pulling image "web:1"`), pulled)},
	})
}

func TestMissingPullSecret(t *testing.T) {
	const (
		denied = "pull access denied for web, repository does not exist"
		secret = "Unable to retrieve some image pull secrets (mine); attempting to pull the image may not succeed."
	)
	in := input(pod(wait(0, "ErrImagePull", "failed to pull web:1: "+denied), end(1, 0, "Completed")))
	open := in
	in.HasSecrets = true
	image := failed(v1alpha2.ReasonUnauthorized, "failed to pull web:1: "+denied)
	checkRead(t, []readCase{
		{"no secret", open, settled(image, pulled)},
		{"not looked yet", in, needsEvents(image, pulled)},
		{"missing", withEvents(in, warning(1, "FailedToRetrieveImagePullSecret", secret)),
			settled(failed(v1alpha2.ReasonPullSecretMissing, secret), pulled)},
		{"not missing", withEvents(in, warning(1, "Failed", strings.Repeat("x", 9))), settled(image, pulled)},
	})
}
