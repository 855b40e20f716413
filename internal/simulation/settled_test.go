package simulation

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// What a world must be like when all trouble is over.

// converge lets time pass until the world is as it should be.
func (w *world) converge(most time.Duration) {
	if why := w.settle(most); why != "" && w.broken == "" {
		w.breakPromise("does not converge: %s", why)
	}
}

// settle does the same, and returns why the world is not so if it takes too long.
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
		if j := o.(*job); !w.retries(j) && !(j.finished && w.settings.retain) {
			return "Job " + o.key() + " is left"
		}
	}
	for _, o := range w.api.list(pods) {
		if p := o.(*pod); !w.retries(p.job) && !(p.phase == ended && w.settings.retain) {
			return "Pod " + o.key() + " is left"
		}
	}
	for _, n := range w.api.list(nodes) {
		if why := w.leftovers(n.(*node)); why != "" {
			return why
		}
	}
	for _, o := range w.api.list(caches) {
		c := o.(*cache)
		if c.deleting {
			return c.name + " is not gone"
		}
		for _, n := range w.api.list(nodes) {
			if why := w.unsettledOn(c, n.(*node)); why != "" {
				return why
			}
		}
		if why := w.unserved(c); why != "" {
			return why
		}
		if why := w.wrongStatus(c); why != "" {
			return why
		}
	}
	return ""
}

// recordOf returns the record of a node, nil when there is none of this machine.
func (w *world) recordOf(n *node) *record {
	r, ok := w.api.objects[records]["/"+n.name].(*record)
	if !ok || r.status.NodeUID != n.uid {
		return nil
	}
	return r
}

// find returns what a record says of an image, nil for nothing.
func (o *record) find(image, identity string) *v1alpha2.ImageRecord {
	if o == nil {
		return nil
	}
	for i := range o.status.Images {
		if rec := &o.status.Images[i]; rec.Image == image && (rec.Identity == identity || identity == "") {
			return rec
		}
	}
	return nil
}

// fails tells whether the last try with an image failed: of a pull, of a
// refresh, or of a removal.
func fails(rec *v1alpha2.ImageRecord) bool {
	return rec != nil && rec.Attempts > 0
}

// retries tells whether a Job only tries again what is recorded as failed: that
// goes on for ever.
func (w *world) retries(j *job) bool {
	r, ok := w.api.objects[records]["/"+j.node].(*record)
	for _, image := range j.images {
		identity := j.identity
		if j.work == plan.JobRemove {
			identity = ""
		}
		if !ok || !fails(r.find(image, identity)) {
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
	return available(n) && !c.spec.suspend && !closed
}

func available(n *node) bool { return n.ready && !n.cordoned && !n.pressure }

// unsettledOn: what is wanted is recorded as cached and really there.
func (w *world) unsettledOn(c *cache, n *node) string {
	if !eligible(c, n) {
		return ""
	}
	r, identity := w.recordOf(n), identityOf(c.namespace, c.spec.secrets)
	for image := range c.images(n) {
		rec := r.find(image, identity)
		bad := w.registry.bad(image, identity) != "" || w.registry.fetch(image) > c.spec.deadline
		switch {
		case rec == nil:
			return fmt.Sprintf("%s of %s on %s has no record", image, c.name, n.name)
		case bad && rec.State == v1alpha2.ImageStateFailed:
		case rec.State != v1alpha2.ImageStateCached:
			return fmt.Sprintf("%s of %s on %s is %q", image, c.name, n.name, rec.State)
		case rec.Due == v1alpha2.DuePull && fails(rec): // it is tried again, for ever
		case rec.Due != "":
			return fmt.Sprintf("%s of %s on %s is due", image, c.name, n.name)
		case !fails(rec) && c.spec.always && !w.promises.refreshedSince(rec, c):
			return fmt.Sprintf("%s of %s on %s was not refreshed", image, c.name, n.name)
		case !w.kubelets[string(n.uid)].images.has(image):
			return fmt.Sprintf("%s of %s is not really on %s", image, c.name, n.name)
		}
	}
	return ""
}

// unserved: all that was asked for is done, where it can be.
func (w *world) unserved(c *cache) string {
	op, last := &c.operation, c.status.LastOperation
	switch {
	case c.purge != nil && (*c.purge == "" || *c.purge != op.PurgeValue):
		return "a purge of " + c.name + " is not accepted"
	case c.refresh != nil && (*c.refresh == "" || *c.refresh != op.RefreshValue):
		return "a refresh of " + c.name + " is not accepted"
	case c.finalizer != c.spec.purges:
		return "the finalizer of " + c.name + " is wrong"
	case op.ID == 0 || op.Generation != c.generation:
		return ""
	case last == nil || last.ID != op.ID || last.Kind != string(op.Kind):
		return fmt.Sprintf("the status of %s does not tell of its %s", c.name, op.Kind)
	case last.CompletionTime == nil && last.Nodes != last.Served:
		return fmt.Sprintf("the %s of %s is served by %d of %d nodes", op.Kind, c.name, last.Served, last.Nodes)
	}
	return ""
}

// leftovers: what is to be gone is gone, unless it cannot be.
func (w *world) leftovers(n *node) string {
	if w.settings.noRemoval || !available(n) || len(n.taints) > 0 {
		return ""
	}
	k := w.kubelets[string(n.uid)]
	for _, image := range sortedKeys(w.promises.holds[n.uid]) {
		if !k.images.has(image) || !w.promises.toBeGone(n, image) {
			continue
		}
		img := k.images.images[k.images.ids[image]]
		going := slices.DeleteFunc(slices.Clone(img.names), func(name string) bool {
			return !w.promises.toBeGone(n, name)
		})
		if img.pinned || img.users > 0 || img.protected(going, nil) {
			continue
		}
		return fmt.Sprintf("%s is still on %s", image, n.name)
	}
	return ""
}

// wrongStatus compares the word and the counts with the records.
func (w *world) wrongStatus(c *cache) string {
	var desired, cached, failed, unremoved, selected int32
	for _, o := range w.api.list(nodes) {
		n := o.(*node)
		if c.selects(n) {
			selected++
		}
		r := w.recordOf(n)
		for image := range c.images(n) {
			desired++
			switch rec := r.find(image, identityOf(c.namespace, c.spec.secrets)); {
			case rec == nil:
			case fails(rec):
				failed++
			case rec.State == v1alpha2.ImageStateCached:
				cached++
			}
		}
		unremoved += r.unremoved(c)
	}
	word := v1alpha2.ImageCacheActionStatusSucceeded
	switch {
	case failed+unremoved > 0:
		word = v1alpha2.ImageCacheActionStatusFailed
	case desired == 0 && (!c.purged() || selected == 0):
		word = v1alpha2.ImageCacheActionStatusNoImagesPulledOrDeleted
	case cached == 0 && !c.purged():
		word = v1alpha2.ImageCacheActionStatusProcessing
	}
	s := &c.status
	if last := s.LastOperation; last != nil && last.CompletionTime == nil && last.Nodes == 0 {
		word = s.Status // nobody can carry it out
	}
	if s.Status != word || s.Desired != desired || s.Cached != cached || s.Failed != failed || s.Pulling+s.Pending > 0 {
		return fmt.Sprintf("status of %s is %s %s with %d failed, %d pulling, %d pending, %d removing; should be %s %d/%d with %d failed",
			c.name, s.Status, s.Progress, s.Failed, s.Pulling, s.Pending, s.Removing, word, cached, desired, failed)
	}
	return ""
}

// unremoved counts the images whose removal has failed and that were last of
// this ImageCache.
func (o *record) unremoved(c *cache) (failed int32) {
	claim := o.claim(c.uid)
	if claim == nil {
		return 0
	}
	for i := range o.status.Images {
		rec := &o.status.Images[i]
		if rec.State == v1alpha2.ImageStateRemoving && fails(rec) && slices.Contains(rec.Claims, claim.ID) {
			failed++
		}
	}
	return failed
}
