package simulation

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// TestRandomWorlds runs random worlds. A seed that fails is run again with its
// story told.
func TestRandomWorlds(t *testing.T) {
	if seed, ok := number("SIM_SEED"); ok {
		var story strings.Builder
		broken := runSeed(uint64(seed), &story)
		t.Log("\n" + story.String())
		if broken != "" {
			t.Errorf("seed %d: %s", seed, broken)
		}
		return
	}
	seeds, ok := number("SIM_SEEDS")
	if !ok {
		seeds = 300
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // worlds are small and many
	failed := 0
	for seed := 1; seed <= seeds && failed < 3; seed++ {
		if broken := runSeed(uint64(seed), nil); broken != "" {
			failed++
			t.Errorf("seed %d: %s\n%s", seed, broken, tail(uint64(seed)))
		}
	}
}

func number(variable string) (int, bool) {
	n, err := strconv.Atoi(os.Getenv(variable))
	return n, err == nil
}

// tail is the end of the story of a seed.
func tail(seed uint64) string {
	const most = 60
	var story strings.Builder
	runSeed(seed, &story)
	lines := strings.Split(strings.TrimSpace(story.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// runSeed runs one world and returns the promise it broke, if any.
func runSeed(seed uint64, story *strings.Builder) string {
	w := newWorld(seed, nil)
	if story != nil {
		w.story = story
	}
	s := populate(w)
	trouble := 3*time.Minute + time.Duration(w.rng.Int64N(int64(9*time.Minute)))
	s.trouble(trouble)
	w.run(trouble + 90*time.Second) // until the last trouble is over
	s.peace()
	why := w.settle(4 * time.Hour)
	if why == "" && w.broken == "" {
		w.beIdle()
	}
	if w.broken == "" && why != "" {
		w.breakPromise("does not converge: %s", why)
	}
	return w.broken
}

// settle lets time pass until the world is as it should be, and returns why it
// is not if that takes too long.
func (w *world) settle(most time.Duration) string {
	why := ""
	for end := w.now + most; w.now < end && w.broken == ""; {
		w.run(w.now + 11*time.Second)
		if why = w.unsettled(); why == "" {
			return ""
		}
	}
	return why
}

// unsettled returns what is not yet as it should be, "" when all is.
func (w *world) unsettled() string {
	for _, o := range w.api.list(jobs) {
		if !w.retries(o.(*job)) {
			return "Job " + o.key() + " is left"
		}
	}
	for _, o := range w.api.list(pods) {
		if !w.retries(o.(*pod).job) {
			return "Pod " + o.key() + " is left"
		}
	}
	for _, c := range w.api.list(caches) {
		for _, n := range w.api.list(nodes) {
			if why := w.unsettledOn(c.(*cache), n.(*node)); why != "" {
				return why
			}
		}
		if why := w.wrongStatus(c.(*cache)); why != "" && !c.head().deleting {
			return why
		}
	}
	return ""
}

// retries tells whether a Job only tries again what is recorded as failed: that
// goes on for ever.
func (w *world) retries(j *job) bool {
	r, ok := w.api.objects[records]["/"+j.node].(*record)
	for _, image := range j.images {
		if !ok || stateOf(r, image, j.identity) != v1alpha2.ImageStateFailed {
			return false
		}
	}
	return true
}

// eligible is the simulation's own word on who gets work.
func eligible(c *cache, n *node) bool {
	closed := false
	for i := range n.taints {
		closed = closed || c.spec.tolerations == nil && n.taints[i].Key == corev1.TaintNodeDiskPressure
	}
	return n.ready && !n.cordoned && !c.spec.suspend && !closed
}

func (w *world) unsettledOn(c *cache, n *node) string {
	if !eligible(c, n) {
		return ""
	}
	r, ok := w.api.objects[records]["/"+n.name].(*record)
	for image := range c.images(n) {
		if !ok || r.status.NodeUID != n.uid {
			return fmt.Sprintf("%s has no record", n.name)
		}
		got := state(r, image, c)
		if dueOf(r, image, c) != "" {
			return fmt.Sprintf("%s of %s on %s is due", image, c.name, n.name)
		}
		bad := w.registry.bad(image, identityOf(c.namespace, c.spec.secrets)) != "" || w.registry.fetch(image) > c.spec.deadline
		if got != v1alpha2.ImageStateCached && !(bad && got == v1alpha2.ImageStateFailed) {
			return fmt.Sprintf("%s of %s on %s is %q", image, c.name, n.name, got)
		}
	}
	return ""
}

// wrongStatus compares the word and the counts with the records.
func (w *world) wrongStatus(c *cache) string {
	var desired, cached, failed int32
	for _, o := range w.api.list(nodes) {
		n := o.(*node)
		r, ok := w.api.objects[records]["/"+n.name].(*record)
		for image := range c.images(n) {
			desired++
			switch {
			case !ok || r.status.NodeUID != n.uid:
			case state(r, image, c) == v1alpha2.ImageStateCached:
				cached++
			case state(r, image, c) == v1alpha2.ImageStateFailed:
				failed++
			}
		}
	}
	word := v1alpha2.ImageCacheActionStatusSucceeded
	switch {
	case desired == 0:
		word = v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted
	case failed > 0:
		word = v1alpha2.ImageCacheActionStatusFailed
	case cached == 0:
		word = v1alpha2.ImageCacheActionStatusProcessing
	}
	s := &c.status
	if s.Status != word || s.Desired != desired || s.Cached != cached || s.Failed != failed || s.Pulling+s.Pending > 0 {
		return fmt.Sprintf("status of %s is %s %s with %d failed, %d pulling, %d pending; should be %s %d/%d with %d failed",
			c.name, s.Status, s.Progress, s.Failed, s.Pulling, s.Pending, word, cached, desired, failed)
	}
	return ""
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
		if d := plan.Status(p.cacheInput(c)); !equality.Semantic.DeepEqual(d.Status, c.status) {
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
		if o.(*record).status.Failed > 0 {
			return true
		}
	}
	return false
}
