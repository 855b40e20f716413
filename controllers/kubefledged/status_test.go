package kubefledged

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

const wanted = "what is wanted"

func seenWith(records []release.Record, mods ...func(*observation)) *observation {
	seen := &observation{input: release.Input{Desired: wanted, History: release.History{Records: records}},
		components: []release.Component{{ComponentStatus: v1alpha2.ComponentStatus{Name: "c", Available: true}}}}
	for _, mod := range mods {
		mod(seen)
	}
	seen.input.Damaged = len(seen.damages) > 0
	return seen
}

func deployed(manifest string) []release.Record {
	return []release.Record{{Revision: 1, Status: release.StatusDeployed, Manifest: manifest, Ours: true}}
}

func problem(err error) func(*observation) {
	return func(o *observation) { o.problem, o.input.Desired = err, "" }
}

func component(c release.Component) func(*observation) {
	return func(o *observation) { c.Name = "c"; o.components = []release.Component{c} }
}

func TestConditions(t *testing.T) {
	refusal := append(deployed("old"), release.Record{Revision: 2, Status: release.StatusFailed, Manifest: wanted, Description: "Deployment x is forbidden", Ours: true})
	thing := &release.Object{Object: map[string]any{"kind": "Thing", "apiVersion": "v1", "metadata": map[string]any{"name": "thing"}}}
	for name, test := range map[string]struct {
		seen                         *observation
		ready, progressing, degraded string // reasons; a + before it where the condition holds
		words                        string
	}{
		"all well":       {seenWith(deployed(wanted)), "+Available", "Settled", "NoFailures", ""},
		"to be deployed": {seenWith(deployed("old")), "Upgrading", "+Upgrading", "NoFailures", ""},
		"nothing yet":    {seenWith(nil), "Installing", "+Installing", "NoFailures", ""},
		"damaged":        {seenWith(deployed(wanted), func(o *observation) { o.damages = []damage{{want: thing}} }), "+Available", "+Repairing", "NoFailures", ""},
		"resisting":      {seenWith(deployed(wanted), func(o *observation) { o.resisting = []damage{{want: thing, fields: []string{"spec.a"}}} }), "+Available", "Settled", "+RepairFailed", "Thing thing: spec.a"},
		"invalid":        {seenWith(deployed("old"), problem(errors.New("no such value"))), "InvalidSpec", "Settled", "+InvalidSpec", "no such value (revision 1"},
		"empty":          {seenWith(nil, problem(release.ErrNothingRendered)), "NothingRendered", "Settled", "+NothingRendered", "no object"},
		"refused":        {seenWith(refusal), "UpgradeFailed", "+RollingBack", "+UpgradeFailed", "Deployment x is forbidden (revision 1 goes on)"},
		"rolling":        {seenWith(deployed(wanted), component(release.Component{Rolling: true, ComponentStatus: v1alpha2.ComponentStatus{Available: true}})), "+Available", "+RollingOut", "NoFailures", ""},
		"unavailable":    {seenWith(deployed(wanted), component(release.Component{Rolling: true, ComponentStatus: v1alpha2.ComponentStatus{Message: "0 of 1"}})), "Unavailable", "+RollingOut", "NoFailures", ""},
		"failing":        {seenWith(deployed(wanted), component(release.Component{Rolling: true, Failing: v1alpha2.ReasonPodsFailing, ComponentStatus: v1alpha2.ComponentStatus{Message: "pod p: no image"}})), "Unavailable", "+RollingOut", "+PodsFailing", "Deployment c: pod p: no image"},
		"locked":         {seenWith(append(deployed("old"), release.Record{Revision: 2, Status: release.StatusPendingUpgrade, Manifest: "x"}), func(o *observation) { o.input.Now = time.Time{} }), "WaitingToRetry", "WaitingToRetry", "NoFailures", ""},
		"foreign":        {seenWith([]release.Record{{Revision: 1, Status: release.StatusDeployed, Manifest: "x"}}, func(o *observation) { o.components = nil }), "ForeignRelease", "Settled", "+ForeignRelease", v1alpha2.AnnotationAdopt},
	} {
		t.Run(name, func(t *testing.T) {
			kf := &v1alpha2.KubeFledged{}
			kf.Name = "kf"
			got := statusOf(kf, test.seen, release.Next(test.seen.input))
			for kind, pair := range map[string][2]string{"Ready": {spelled(got.ready), test.ready}, "Progressing": {spelled(got.progressing), test.progressing}, "Degraded": {spelled(got.degraded), test.degraded}} {
				if pair[0] != pair[1] {
					t.Errorf("%s: got %s, want %s", kind, pair[0], pair[1])
				}
			}
			if !strings.Contains(got.degraded.message, test.words) {
				t.Errorf("message %q lacks %q", got.degraded.message, test.words)
			}
			got.write(kf)
			if len(kf.Status.Conditions) != 3 {
				t.Errorf("conditions: %+v", kf.Status.Conditions)
			}
		})
	}
}

func spelled(v verdict) string {
	if v.holds {
		return "+" + v.reason
	}
	return v.reason
}
