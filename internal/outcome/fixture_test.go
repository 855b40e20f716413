package outcome_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const helper = "ghcr.io/kubefledged/kubefledged-cri-client:v1"

var (
	begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	web   = "docker.io/library/web:1"
	db    = "registry.example:5000/team/db:2"
)

// wait returns the status of a container that waits.
func wait(i int, reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name:  outcome.ContainerName(i),
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}
}

// end returns the status of a container that ended.
func end(i int, code int32, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: outcome.ContainerName(i), ContainerID: "containerd://c0ffee",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}},
	}
}

func pod(statuses ...corev1.ContainerStatus) *corev1.Pod {
	start := metav1.NewTime(begin)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{CreationTimestamp: start},
		Status:     corev1.PodStatus{Phase: corev1.PodPending, StartTime: &start, ContainerStatuses: statuses},
	}
}

// input is a Job of two images, five seconds after its pod started.
func input(p *corev1.Pod) outcome.Input {
	return outcome.Input{
		Images: []string{web, db}, Helper: helper, JobCreated: begin, Pod: p, Now: begin.Add(5 * time.Second),
	}
}

func later(in outcome.Input, d time.Duration) outcome.Input {
	in.Now = begin.Add(d)
	return in
}

func withEvents(in outcome.Input, events ...outcome.Event) outcome.Input {
	in.Events, in.EventsRead = events, true
	return in
}

func event(second int, reason, message string) outcome.Event {
	return outcome.Event{Reason: reason, Message: message, Time: begin.Add(time.Duration(second) * time.Second)}
}

func warning(second int, reason, message string) outcome.Event {
	e := event(second, reason, message)
	e.Warning = true
	return e
}

var (
	pulled    = outcome.Image{Kind: outcome.Pulled}
	notTried  = outcome.Image{Kind: outcome.NotTried}
	undecided = outcome.Image{}
)

func failed(reason, message string) outcome.Image {
	return outcome.Image{Kind: outcome.Failed, Reason: reason, Message: message}
}

func settled(images ...outcome.Image) outcome.Attempt {
	return outcome.Attempt{Settled: true, Images: images, Started: begin}
}

func open(images ...outcome.Image) outcome.Attempt {
	return outcome.Attempt{Images: images, Started: begin}
}

func needsEvents(images ...outcome.Image) outcome.Attempt {
	return outcome.Attempt{Images: images, Started: begin, NeedEvents: true}
}

// with adds the images that events say are there.
func with(a outcome.Attempt, arrived ...int) outcome.Attempt {
	a.Arrived = arrived
	return a
}

// failing adds an image that events say has failed.
func failing(a outcome.Attempt, i int, failure outcome.Image) outcome.Attempt {
	a.Failing = map[int]outcome.Image{i: failure}
	return a
}

type readCase struct {
	name string
	in   outcome.Input
	want outcome.Attempt
}

func checkRead(t *testing.T, cases []readCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, outcome.Read(c.in)); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
}
