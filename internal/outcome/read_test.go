package outcome_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

func ended(p *corev1.Pod, phase corev1.PodPhase, reason, message string) *corev1.Pod {
	p.Status.Phase, p.Status.Reason, p.Status.Message = phase, reason, message
	return p
}

func refused(reason, message string, images ...outcome.Image) outcome.Attempt {
	a := settled(images...)
	a.Refused = &outcome.Refusal{Reason: reason, Message: message}
	return a
}

func TestRefusedPods(t *testing.T) {
	var cases []readCase
	for _, reason := range []string{
		"OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "OutOfexample.com/gpu", "Evicted",
		"NodeShutdown", "Terminated", "Shutdown", "NodeAffinity", "UnexpectedAdmissionError", "Preempting",
		"TaintToleration", "node(s) had taints that the pod didn't tolerate", "TopologyAffinityError", "SomethingNew",
	} {
		cases = append(cases, readCase{
			reason, input(ended(pod(), corev1.PodFailed, reason, "Pod was rejected: no")),
			refused(reason, "Pod was rejected: no", notTried, notTried),
		})
	}
	drained := ended(pod(), corev1.PodFailed, "", "")
	drained.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", Message: "evicted",
	}}
	checkRead(t, append(cases,
		readCase{"evicted after a pull", input(ended(pod(end(0, 0, "Completed"), wait(1, "ErrImagePull", "no space left on device")),
			corev1.PodFailed, "Evicted", "disk")), refused("Evicted", "disk", pulled, notTried)},
		readCase{"drained", input(drained), refused("EvictionByEvictionAPI", "evicted", notTried, notTried)},
		readCase{"our own time limit", input(ended(pod(), corev1.PodFailed, "DeadlineExceeded", "")), settled(notTried, notTried)},
	))
}

func TestEndOfPod(t *testing.T) {
	waits := func() *corev1.Pod { return pod(end(0, 1, "Error"), wait(1, "ContainerCreating", "")) }
	going := waits()
	going.DeletionTimestamp = &going.CreationTimestamp
	finished := input(waits())
	finished.JobFinished = true
	goingJob := input(going)
	goingJob.JobFinished = true
	goneByNow := ended(waits(), corev1.PodFailed, "", "")
	goneByNow.DeletionTimestamp = &goneByNow.CreationTimestamp
	checkRead(t, []readCase{
		{"nothing known", input(pod()), open(undecided, undecided)},
		{"one still waits", input(waits()), open(pulled, undecided)},
		{"failed", input(ended(waits(), corev1.PodFailed, "", "")), settled(pulled, notTried)},
		{"succeeded", input(ended(pod(end(0, 0, ""), end(1, 0, "")), corev1.PodSucceeded, "", "")), settled(pulled, pulled)},
		{"Job finished: our view of pods is behind", finished, open(pulled, undecided)},
		{"being deleted", later(input(going), time.Hour), open(pulled, undecided)},
		{"being deleted, Job finished", goingJob, open(pulled, undecided)},
		{"deleted and ended", input(goneByNow), settled(pulled, notTried)},
	})
}

func noPod(after time.Duration, failure *outcome.Refusal, events ...outcome.Event) outcome.Input {
	in := later(input(nil), after)
	in.JobFailed, in.JobFinished = failure, failure != nil
	if events != nil {
		in = withEvents(in, events...)
	}
	return in
}

func TestNoPod(t *testing.T) {
	const quota = `Error creating: pods "a-b" is forbidden: failed quota: q: must specify limits.cpu`
	attempt := func(image outcome.Image, done, ask bool) outcome.Attempt {
		return outcome.Attempt{Images: []outcome.Image{image, image}, Settled: done, NeedEvents: ask}
	}
	denied := failed(v1alpha2.ReasonPodNotCreated, quota)
	silent := failed(v1alpha2.ReasonPodNotCreated, "the Job controller made no pod within "+outcome.NoPodDeadline.String()+" and gave no reason")
	create, made := warning(1, "FailedCreate", quota), event(2, "SuccessfulCreate", "Created pod: a-b")
	backoff, late := &outcome.Refusal{Reason: "BackoffLimitExceeded"}, &outcome.Refusal{Reason: "DeadlineExceeded"}
	none := []outcome.Event{}
	complete := noPod(time.Minute, nil)
	complete.JobFinished = true
	checkRead(t, []readCase{
		{"young", noPod(9*time.Second, nil), attempt(undecided, false, false)},
		{"young and failed: our view of pods may be behind", noPod(2*time.Second, backoff), attempt(undecided, false, false)},
		{"old enough to ask", noPod(10*time.Second, nil), attempt(undecided, false, true)},
		{"asked in vain", noPod(outcome.NoPodDeadline-1, nil, none...), attempt(undecided, false, false)},
		{"no word until the deadline", noPod(outcome.NoPodDeadline, nil, none...), attempt(silent, true, false)},
		{"refused by the API server", noPod(10*time.Second, nil, create), attempt(denied, true, false)},
		{"refused, then made", noPod(time.Minute, nil, create, made), attempt(undecided, false, false)},
		{"pod vanished", noPod(time.Minute, backoff), attempt(notTried, true, false)},
		{"pod vanished at the deadline", noPod(time.Minute, late, made), attempt(notTried, true, false)},
		{"no pod until the deadline: why?", noPod(time.Minute, late), attempt(undecided, false, true)},
		{"no pod until the deadline", noPod(time.Minute, late, create), attempt(denied, true, false)},
		{"complete", complete, attempt(pulled, true, false)},
	})
}
