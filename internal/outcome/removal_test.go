package outcome_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const socketGone = `MountVolume.SetUp failed for volume "socket" : hostPath type check failed: /run/r.sock is not a socket file`

var gone = outcome.Image{Kind: outcome.Removed}

// ofRemover makes a status that of the container that removes images.
func ofRemover(status corev1.ContainerStatus) corev1.ContainerStatus {
	status.Name = outcome.RemovalContainerName
	return status
}

// reports returns the status of a helper that ended with a report about the
// images of input.
func reports(t *testing.T, code int32, results ...cri.ImageResult) corev1.ContainerStatus {
	t.Helper()
	results[0].Image, results[1].Image = web, db
	message, err := cri.Report{Images: results}.EncodeWithin(cri.MaxTerminationMessage)
	if err != nil {
		t.Fatal(err)
	}
	status := end(0, code, "Completed")
	status.State.Terminated.Message = string(message)
	return ofRemover(status)
}

func checkRemoval(t *testing.T, cases []readCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, outcome.ReadRemoval(c.in)); diff != "" {
				t.Errorf("ReadRemoval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemovalReports(t *testing.T) {
	inUse := cri.ImageResult{Result: cri.InUse, Message: "used by container app of pod shop/web"}
	shared := outcome.Image{Kind: outcome.Kept, Reason: v1alpha2.ReasonImageShared, Message: "quay.io/a:1 is wanted and is the same image"}
	unreachable := `connect to unix:///run/r.sock: rpc error: code = Unavailable desc = connection error: dial unix /run/r.sock: connect: connection refused`
	var cases []readCase
	for name, c := range map[string]struct {
		code          int32
		first, second cri.ImageResult
		want, other   outcome.Image
	}{
		"gone and absent": {0, cri.ImageResult{Result: cri.Removed}, cri.ImageResult{Result: cri.Absent}, gone, gone},
		"shared":          {0, cri.ImageResult{Result: cri.Shared, Message: shared.Message}, cri.ImageResult{Result: cri.Removed}, shared, gone},
		"in use": {0, inUse, cri.ImageResult{Result: cri.Pinned}, failed(v1alpha2.ReasonImageInUse, inUse.Message),
			failed(v1alpha2.ReasonImagePinned, "the node's container runtime has it pinned")},
		"words that did not fit": {0, cri.ImageResult{Result: cri.Shared}, cri.ImageResult{Result: cri.InUse},
			outcome.Image{Kind: outcome.Kept, Reason: v1alpha2.ReasonImageShared, Message: "the same image has another name that stays"},
			failed(v1alpha2.ReasonImageInUse, "a pod on the node uses it")},
		"failed": {1, cri.ImageResult{Result: cri.Failed, Message: unreachable}, cri.ImageResult{Result: cri.Failed},
			failed(v1alpha2.ReasonImageRemovalFailed, unreachable), failed(v1alpha2.ReasonImageRemovalFailed, "the container runtime did not remove it")},
		"a word that is not known yet": {0, cri.ImageResult{Result: "Postponed", Message: "later"}, cri.ImageResult{Result: cri.Removed},
			failed(v1alpha2.ReasonImageRemovalFailed, "later"), gone},
	} {
		status := reports(t, c.code, c.first, c.second)
		cases = append(cases, readCase{name, input(pod(status)), settled(c.want, c.other)},
			readCase{name + ", then evicted", input(ended(pod(status), corev1.PodFailed, "Evicted", "disk")), settled(c.want, c.other)})
	}
	checkRemoval(t, cases)
}

func TestRemovalWithoutReport(t *testing.T) {
	killed := ofRemover(end(0, 137, "Error"))
	lost := ofRemover(end(0, 2, "Error"))
	lost.State.Terminated.Message = `remove: "a/B" is no name, see https://me:secret@h/`
	another := ofRemover(end(0, 0, "Completed"))
	another.State.Terminated.Message = `{"images":[{"image":"docker.io/library/other:1","result":"Removed"}]}`
	going := pod(killed)
	going.DeletionTimestamp = &going.CreationTimestamp
	working := ofRemover(wait(0, "", ""))
	working.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	behind := input(pod(working))
	behind.JobFinished = true
	failedWith := func(words string) outcome.Attempt {
		image := failed(v1alpha2.ReasonImageRemovalFailed, "the container that removes images ended without a report, with exit code "+words)
		return settled(image, image)
	}
	checkRemoval(t, []readCase{
		{"killed", input(pod(killed)), failedWith("137 (Error)")},
		{"killed with its pod", input(going), settled(notTried, notTried)},
		{"killed by the node's shutdown", input(ended(pod(killed), corev1.PodFailed, "Terminated", "shutdown")), refused("Terminated", "shutdown", notTried, notTried)},
		{"our own time limit", input(ended(pod(killed), corev1.PodFailed, "DeadlineExceeded", "")), settled(notTried, notTried)},
		{"wrong arguments", input(pod(lost)), failedWith(`2 (Error): remove: "a/B" is no name, see https://h/`)},
		{"of other images", input(pod(another)), failedWith("0 (Completed): " + another.State.Terminated.Message)},
		{"at work", later(input(pod(working)), time.Hour), open(undecided, undecided)},
		{"at work, Job finished: our view of pods is behind", behind, open(undecided, undecided)},
		{"evicted at work", input(ended(pod(working), corev1.PodFailed, "Evicted", "disk")), refused("Evicted", "disk", notTried, notTried)},
	})
}

func TestRemovalPodInTrouble(t *testing.T) {
	const denied = `failed to pull and unpack image "` + helper + `": pull access denied`
	creating := later(input(pod(ofRemover(wait(0, "ContainerCreating", "")))), outcome.NoProgressGrace)
	stuck := func(words string) outcome.Attempt {
		return settled(failed(v1alpha2.ReasonPodStuck, words), failed(v1alpha2.ReasonPodStuck, words))
	}
	unmade := later(input(pod(ofRemover(wait(0, "CreateContainerError", "no such device")))), outcome.NoProgressGrace)
	itself := withEvents(creating, event(1, "Pulling", `Pulling image "`+helper+`"`))
	itself.Images = []string{helper, db}
	backOff := input(pod(ofRemover(wait(0, "ImagePullBackOff", `Back-off pulling image "`+helper+`"`))))
	bare := helperFailed(`Back-off pulling image "` + helper + `"`)
	checkRemoval(t, []readCase{
		{"nothing known", input(pod()), open(undecided, undecided)},
		{"slow: why?", creating, needsEvents(undecided, undecided)},
		{"no socket", withEvents(creating, warning(2, "FailedMount", socketGone)), stuck(socketGone)},
		{"no sandbox", withEvents(creating, warning(2, "FailedCreatePodSandBox", sandboxMessage)), stuck(sandboxMessage)},
		{"cannot be made", withEvents(unmade), stuck("no such device")},
		{"the helper cannot be pulled", input(pod(ofRemover(wait(0, "ErrImagePull", denied)))), settled(helperFailed(denied), helperFailed(denied))},
		{"the helper cannot be pulled: why?", backOff, needsEvents(bare, bare)},
		{"an event tells", withEvents(backOff, warning(1, "Failed", `Failed to pull image "`+helper+`": EOF`)),
			settled(helperFailed(`Failed to pull image "`+helper+`": EOF`), helperFailed(`Failed to pull image "`+helper+`": EOF`))},
		{"the helper is held back", input(pod(ofRemover(wait(0, "ErrImagePull", "pull QPS exceeded")))), settled(notTried, notTried)},
		{"the helper is pulled, and is one of the images", itself, open(undecided, undecided)},
		{"refused", input(ended(pod(), corev1.PodFailed, "OutOfpods", "full")), refused("OutOfpods", "full", notTried, notTried)},
	})
}

func TestRemovalWithoutPod(t *testing.T) {
	const psp = `Error creating: pods "remove-1" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volume "socket")`
	attempt := func(image outcome.Image, done bool) outcome.Attempt {
		return outcome.Attempt{Images: []outcome.Image{image, image}, Settled: done}
	}
	complete := noPod(time.Minute, nil)
	complete.JobFinished = true
	backoff := &outcome.Refusal{Reason: "BackoffLimitExceeded"}
	checkRemoval(t, []readCase{
		{"young", noPod(9*time.Second, nil), attempt(undecided, false)},
		{"refused by the API server", noPod(10*time.Second, nil, warning(1, "FailedCreate", psp)), attempt(failed(v1alpha2.ReasonPodNotCreated, psp), true)},
		{"complete, what it did is lost", complete, attempt(notTried, true)},
		{"failed, what it did is lost", noPod(time.Minute, backoff), attempt(notTried, true)},
	})
}

func FuzzReadRemoval(f *testing.F) {
	f.Add(`{"images":[{"result":"Removed"},{"result":"Failed","message":"https://u:p@h/"}]}`, "Error", web, uint8(0))
	f.Add("panic: oh", "OOMKilled", "", uint8(3))
	f.Add(`{"images":[{"image":"a","result":"InUse","message":"`+strings.Repeat("x", 300)+`"}]}`, "", "a", uint8(7))
	f.Fuzz(func(t *testing.T, message, reason, image string, bits uint8) {
		in := fuzzInput(reason, message, image, helper, bits&^2)
		if in.Pod != nil {
			status := ofRemover(end(0, int32(bits), reason))
			status.State.Terminated.Message = message
			in.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
		}
		got := outcome.ReadRemoval(in)
		if len(got.Images) != len(in.Images) || (in.Pod != nil && !got.Settled) {
			t.Fatalf("%d outcomes of %d images, settled %v", len(got.Images), len(in.Images), got.Settled)
		}
		for _, i := range got.Images {
			checkMessage(t, i.Message)
			told := i.Kind == outcome.Failed || i.Kind == outcome.Kept
			if told != (i.Reason != "") || i.Kind == outcome.Pulled || i.Kind == outcome.Absent {
				t.Errorf("%+v", i)
			}
		}
	})
}
