package outcome

import (
	"fmt"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Events of the Job controller about its pods (KUBE/pkg/controller/controller_utils.go).
const (
	podRefused = "FailedCreate"
	podMade    = "SuccessfulCreate"
)

// withoutPod waits in any case: our view of the pods may be behind that of the
// Jobs, and what a pod has to tell is worth more. complete is the outcome of
// the images of a Job that completed.
func (r *reader) withoutPod(complete Image) {
	switch {
	case r.Now.Sub(r.JobCreated) < NoPodGrace:
	case r.JobFailed != nil:
		r.jobFailed()
	case r.JobFinished:
		r.fillUndecided(complete)
	default:
		r.missingPod()
	}
}

// jobFailed reads a Job that failed and whose pod has vanished with its
// evidence. Only a Job that failed by its deadline may never have had one.
func (r *reader) jobFailed() {
	if r.JobFailed.Reason == deadlineExceeded && r.needEvents() {
		return
	}
	if e, found := r.creationRefused(); found {
		r.podNotCreated(e.Message)
	}
	r.ended = true
}

func (r *reader) missingPod() {
	if r.needEvents() {
		return
	}
	_, made := r.newest(func(e *Event) bool { return e.Reason == podMade })
	waited := r.Now.Sub(r.JobCreated)
	if e, found := r.creationRefused(); found {
		r.podNotCreated(e.Message)
	} else if !made && waited >= NoPodDeadline {
		r.podNotCreated(fmt.Sprintf("the Job controller made no pod within %s and gave no reason", NoPodDeadline))
	}
}

// creationRefused returns the event with the API server's refusal of the pod,
// unless a pod was made after it.
func (r *reader) creationRefused() (Event, bool) {
	e, found := r.newest(func(e *Event) bool { return e.Reason == podRefused || e.Reason == podMade })
	return e, found && e.Reason == podRefused
}

func (r *reader) podNotCreated(message string) {
	r.fillUndecided(Image{Kind: Failed, Reason: v1alpha2.ReasonPodNotCreated, Message: Clean(message)})
}
