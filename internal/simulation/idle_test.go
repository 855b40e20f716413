package simulation

import (
	"fmt"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// rest ends what goes on for ever: automatic refreshes and verifications.
func (s *script) rest() {
	s.tell("world", "rest")
	for _, o := range s.api.list(caches) {
		if c := o.(*cache); c.spec.interval > 0 {
			s.editCache(c, func(sp *spec) { sp.interval = 0 })
		}
	}
	s.settings.verify = 0
	s.crash(time.Second)
}

// beIdle checks that a world as it should be stays so without a single write:
// whoever looks again finds nothing to do. Failures are tried again for ever,
// so the moment must not be one of those.
func (w *world) beIdle() {
	w.run(w.now + 2*time.Minute) // what nodes tell of their images has come
	w.settle(time.Hour)
	why := w.notIdle()
	for tries := 0; why != "" && tries < 10; tries++ {
		w.settle(time.Hour)
		why = w.notIdle()
	}
	if why != "" {
		w.breakPromise("never idle: %s", why)
	}
	if why != "" || w.broken != "" {
		return
	}
	p := w.processes[len(w.processes)-1]
	failures, before := w.failures(), p.writes
	w.run(w.now + 15*time.Minute)
	if !failures && p.writes != before {
		w.breakPromise("%d writes in an idle quarter of an hour", p.writes-before)
	}
}

// notIdle returns what there is still to do.
func (w *world) notIdle() string {
	p := w.processes[len(w.processes)-1]
	for _, o := range p.informers[nodes].list() {
		if d := plan.Decide(p.input(o.(*node))); len(d.Actions) > 0 && !w.onlyRetries(d.Actions) {
			return fmt.Sprintf("on %s: %+v %q", o.head().name, d.Actions, d.Notes)
		}
	}
	for _, o := range p.informers[caches].list() {
		c := o.(*cache)
		if d := plan.Status(p.cacheInput(c)); !sameStatus(&d.Status, &c.status) {
			return "the status of " + c.name + " would change"
		}
	}
	return ""
}

// onlyRetries tells whether there is only a retry that waits for a slot.
func (w *world) onlyRetries(actions []plan.Action) bool {
	create, ok := actions[0].(plan.CreateJob)
	return ok && w.retries(newJob(&create.Spec))
}

// failures tells whether any pair failed.
func (w *world) failures() bool {
	for _, o := range w.api.list(records) {
		for i := range o.(*record).status.Images {
			if fails(&o.(*record).status.Images[i]) {
				return true
			}
		}
	}
	return false
}
