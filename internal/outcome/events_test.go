package outcome_test

import (
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const (
	mountMessage   = `MountVolume.SetUp failed for volume "kube-api-access": not registered`
	sandboxMessage = `Failed to create pod sandbox: rpc error: code = Unknown desc = plugin type="bridge" failed`
)

func pullingAt(second, index int, images ...outcome.Image) outcome.Attempt {
	a := open(images...)
	a.Pulling = &outcome.Pulling{Index: index, Since: begin.Add(time.Duration(second) * time.Second)}
	return a
}

// The images as a user may have written them: events repeat that.
func TestPulling(t *testing.T) {
	begins := func(second int, image string) outcome.Event {
		return event(second, "Pulling", `Pulling image "`+image+`"`)
	}
	done := func(second int, image string) outcome.Event {
		return event(second, "Pulled", `Successfully pulled image "`+image+`" in 1s (2s including waiting). Image size: 9 bytes.`)
	}
	there := event(3, "Pulled", `Container image "web:1" already present on machine and can be accessed by the pod`)
	creating := input(pod(wait(0, "ContainerCreating", ""), wait(1, "ContainerCreating", "")))
	old := later(creating, time.Minute)
	none := open(undecided, undecided)
	checkRead(t, []readCase{
		{"begun", withEvents(creating, begins(1, "web:1")), pullingAt(1, 0, undecided, undecided)},
		{"begun long ago", withEvents(old, begins(1, "web:1")), pullingAt(1, 0, undecided, undecided)},
		{"over", withEvents(creating, begins(1, "web:1"), done(2, "web:1")), with(none, 0)},
		{"over in the same second", withEvents(creating, done(1, "web:1"), begins(1, "web:1")), with(none, 0)},
		{"there already", withEvents(creating, begins(1, "web:1"), there), with(none, 0)},
		{"failed", withEvents(creating, begins(1, "web:1"), warning(2, "Failed", `Failed to pull image "web:1": EOF`)),
			failing(none, 0, failed(v1alpha2.ReasonRegistryUnavailable, "EOF"))},
		{"failed, then pulled", withEvents(creating, warning(1, "Failed", `Failed to pull image "web:1": EOF`), done(2, "web:1")), with(none, 0)},
		{"held back", withEvents(creating, warning(2, "Failed", `Failed to pull image "web:1": pull QPS exceeded`)), none},
		{"the next", withEvents(creating, begins(1, "web:1"), done(1, "web:1"), begins(1, db)), with(pullingAt(1, 1, undecided, undecided), 0)},
		{"the next, the end of the first was lost", withEvents(creating, begins(1, "web:1"), begins(3, db)), pullingAt(3, 1, undecided, undecided)},
		{"its end was lost", withEvents(creating, begins(1, "web:1"), done(3, db)), with(none, 1)},
		{"the helper", withEvents(old, warning(0, "FailedMount", mountMessage), begins(1, helper)), none},
		{"decided already", withEvents(input(pod(end(0, 0, ""), wait(1, "ContainerCreating", ""))), begins(1, "web:1")),
			open(pulled, undecided)},
		{"unreadable", withEvents(creating, event(1, "Pulling", "Pulling image"), event(1, "Pulling", `Pulling image "`)), none},
	})
}

func TestStuckPods(t *testing.T) {
	creating := input(pod(wait(0, "ContainerCreating", ""), end(1, 0, "")))
	old := later(creating, outcome.NoProgressGrace)
	unseen := old
	unseen.Pod = old.Pod.DeepCopy()
	unseen.Pod.Status.StartTime = nil
	pulling := event(9, "Pulling", `Pulling image "web:1"`)
	stuck := func(message string) outcome.Attempt {
		return settled(failed(v1alpha2.ReasonPodStuck, message), pulled)
	}
	cases := []readCase{
		{"young", later(creating, outcome.NoProgressGrace-1), open(undecided, pulled)},
		{"old", old, needsEvents(undecided, pulled)},
		{"never started", unseen, outcome.Attempt{Images: []outcome.Image{undecided, pulled}, NeedEvents: true}},
		{"no word", withEvents(old), open(undecided, pulled)},
		{"other warnings", withEvents(old, warning(1, "Failed", "Error: ErrImagePull"), warning(1, "BackOff", "x")), open(undecided, pulled)},
		{"the newest counts", withEvents(old, warning(8, "FailedCreatePodSandBox", sandboxMessage), warning(1, "FailedMount", mountMessage)),
			stuck(sandboxMessage)},
		{"a mount, overcome", withEvents(old, warning(1, "FailedMount", mountMessage), pulling,
			event(10, "Pulled", `Successfully pulled image "web:1" in 1s`)), with(open(undecided, pulled), 0)},
		{"no data directories", withEvents(old, warning(1, "Failed", "error making pod data directories: odd")),
			stuck("error making pod data directories: odd")},
		{"not a warning", withEvents(old, event(1, "FailedMount", mountMessage)), open(undecided, pulled)},
	}
	for _, reason := range []string{
		"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedMountOnFilesystemMismatch", "FailedCreatePodSandBox",
		"FailedPodSandBoxStatus", "FailedCreatePodContainer", "FailedPrepareDynamicResources", "FailedSync",
		"FailedValidation", "NetworkNotReady",
	} {
		cases = append(cases, readCase{reason, withEvents(old, warning(1, reason, mountMessage)), stuck(mountMessage)})
	}
	checkRead(t, cases)
}
