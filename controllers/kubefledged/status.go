package kubefledged

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// longestMessage is that of a condition.
const longestMessage = 32768

// verdict is a condition without its type and times.
type verdict struct {
	holds           bool
	reason, message string
}

// verdicts are the three conditions.
type verdicts struct{ ready, progressing, degraded verdict }

// report is what goes into the status.
type report struct {
	verdicts
	seen *observation
}

var fine = verdict{reason: v1alpha2.ReasonNoFailures}

// refusal is the report on a KubeFledged that is not the first one.
func refusal(one *v1alpha2.KubeFledged) report {
	return left(v1alpha2.ReasonNotTheFirst, fmt.Sprintf("a cluster has one image cache, and KubeFledged %s/%s is older: edit that one, or delete it and this one takes its place", one.Namespace, one.Name))
}

// unwatched is the report on a KubeFledged in a namespace that is not cared for.
func unwatched(namespaces []string) report {
	return left(v1alpha2.ReasonNotWatched, fmt.Sprintf("the operator cares for the KubeFledgeds of other namespaces only (WATCH_NAMESPACE): %s", strings.Join(namespaces, ", ")))
}

// left is the report on a KubeFledged for which nothing is done.
func left(reason, why string) report {
	return report{verdicts: verdicts{
		ready:       verdict{reason: reason, message: why},
		progressing: verdict{reason: reason},
		degraded:    verdict{holds: true, reason: reason, message: why},
	}}
}

// statusOf is the report on what was seen and on what is done next.
func statusOf(kf *v1alpha2.KubeFledged, seen *observation, step release.Step) report {
	v := verdicts{degraded: degradation(kf, seen)}
	v.progressing = progress(seen, step)
	v.ready = readiness(seen, step, v.degraded)
	return report{verdicts: v, seen: seen}
}

// ongoing are the reasons of Progressing during an action.
var ongoing = map[release.Action]string{
	release.Install:  v1alpha2.ReasonInstalling,
	release.Upgrade:  v1alpha2.ReasonUpgrading,
	release.RollBack: v1alpha2.ReasonRollingBack,
	release.Repair:   v1alpha2.ReasonRepairing,
	release.Unlock:   v1alpha2.ReasonRecovering,
	release.Adopt:    v1alpha2.ReasonRecovering,
	release.Discard:  v1alpha2.ReasonRecovering,
}

func progress(seen *observation, step release.Step) verdict {
	if reason := ongoing[step.Action]; reason != "" {
		return verdict{holds: true, reason: reason, message: damageList(seen, step)}
	}
	if step.Action == release.Wait {
		return verdict{reason: v1alpha2.ReasonWaiting, message: "what failed is tried again after a while, and at once when the spec changes"}
	}
	for i := range seen.components {
		if c := &seen.components[i]; c.Rolling {
			return verdict{holds: true, reason: v1alpha2.ReasonRollingOut, message: fmt.Sprintf("Deployment %s: %d of %d pods are updated, %d are ready", c.Name, c.UpdatedReplicas, c.Replicas, c.ReadyReplicas)}
		}
	}
	return verdict{reason: v1alpha2.ReasonSettled}
}

func damageList(seen *observation, step release.Step) string {
	if step.Action != release.Repair {
		return ""
	}
	var lines []string
	for _, d := range seen.damages {
		lines = append(lines, fmt.Sprintf("%s was %s", release.KeyOf(d.want), &d))
	}
	for _, left := range seen.leftovers {
		lines = append(lines, fmt.Sprintf("%s is left of an older revision", release.KeyOf(left)))
	}
	return strings.Join(lines, "; ")
}

// readiness looks at the Deployments only once they are those that the spec asks for.
func readiness(seen *observation, step release.Step, degraded verdict) verdict {
	for i := range seen.components {
		if c := &seen.components[i]; !c.Available {
			return verdict{reason: v1alpha2.ReasonUnavailable, message: fmt.Sprintf("Deployment %s: %s", c.Name, c.Message)}
		}
	}
	switch state := seen.input.State(); {
	case seen.problem != nil:
		return verdict{reason: degraded.reason, message: degraded.message}
	case state == release.InSync || state == release.Drifted:
		return verdict{holds: true, reason: v1alpha2.ReasonAvailable}
	case degraded.holds:
		return verdict{reason: degraded.reason, message: degraded.message}
	default:
		reason := ongoing[step.Action]
		if reason == "" {
			reason = v1alpha2.ReasonWaiting
		}
		return verdict{reason: reason, message: "what the spec asks for is not deployed yet"}
	}
}

// degradation finds the first thing that is wrong, the cause before its effects.
func degradation(kf *v1alpha2.KubeFledged, seen *observation) verdict {
	for _, find := range []func(*v1alpha2.KubeFledged, *observation) verdict{foreign, unrendered, refused, resisting, failing} {
		if found := find(kf, seen); found.holds {
			return found
		}
	}
	return fine
}

func foreign(kf *v1alpha2.KubeFledged, seen *observation) verdict {
	if seen.input.State() != release.Foreign || seen.input.Adopt && len(seen.input.History.Unreadable) == 0 {
		return fine
	}
	message := fmt.Sprintf("somebody else has made the Helm release %s in this namespace: uninstall it, or let the operator take it over with the annotation %s=true", kf.Name, v1alpha2.AnnotationAdopt)
	for _, u := range seen.input.History.Unreadable {
		if !u.Ours {
			message = fmt.Sprintf("Secret %s is a record of a Helm release of this name, is not the operator's and cannot be read: %s", u.Secret, u.Problem)
		}
	}
	return verdict{holds: true, reason: v1alpha2.ReasonForeignRelease, message: message}
}

func unrendered(_ *v1alpha2.KubeFledged, seen *observation) verdict {
	if seen.problem == nil {
		return fine
	}
	reason := v1alpha2.ReasonInvalidSpec
	if isNothing(seen.problem) {
		reason = v1alpha2.ReasonNothingRendered
	}
	message := seen.problem.Error()
	if deployed := seen.input.History.Deployed(); deployed != nil {
		message += fmt.Sprintf(" (revision %d of the release goes on)", deployed.Revision)
	}
	return verdict{holds: true, reason: reason, message: message}
}

// refused tells of what the API server has refused, also after it was taken back.
func refused(_ *v1alpha2.KubeFledged, seen *observation) verdict {
	r := seen.input.History.Refused(seen.input.Desired)
	if r == nil {
		return fine
	}
	reason := v1alpha2.ReasonUpgradeFailed
	if r.Revision == 1 {
		reason = v1alpha2.ReasonInstallFailed
	}
	message := fmt.Sprintf("revision %d: %s", r.Revision, r.Description)
	if deployed := seen.input.History.Deployed(); deployed != nil {
		message += fmt.Sprintf(" (revision %d goes on)", deployed.Revision)
	}
	return verdict{holds: true, reason: reason, message: message}
}

func resisting(_ *v1alpha2.KubeFledged, seen *observation) verdict {
	if len(seen.resisting) == 0 {
		return fine
	}
	d := &seen.resisting[0]
	return verdict{holds: true, reason: v1alpha2.ReasonRepairFailed,
		message: fmt.Sprintf("%s: %s is changed by somebody else as soon as it is restored", release.KeyOf(d.want), strings.Join(d.fields, ", "))}
}

func failing(_ *v1alpha2.KubeFledged, seen *observation) verdict {
	for i := range seen.components {
		if c := &seen.components[i]; c.Failing != "" {
			return verdict{holds: true, reason: c.Failing, message: fmt.Sprintf("Deployment %s: %s", c.Name, c.Message)}
		}
	}
	return fine
}

// condition returns a verdict as a condition.
func (v verdict) condition(kind string, generation int64) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, ObservedGeneration: generation, Reason: v.reason, Message: v.message}
	if v.holds {
		c.Status = metav1.ConditionTrue
	}
	if len(c.Message) > longestMessage {
		c.Message = c.Message[:longestMessage]
	}
	return c
}
