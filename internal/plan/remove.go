package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const (
	// removalsPerJob is how many images one Job removes: their results have to
	// fit the termination message of its container.
	removalsPerJob = 150
	// RemovalDeadline is how long a removal of one image may take.
	RemovalDeadline = time.Minute
	// removalPatience is how long a removal waits for new images of its node
	// to be pulled: an update of an image shares most layers with what it
	// replaces, and layers that are gone are pulled again.
	removalPatience = 2 * time.Minute
	// Waits between tries of a removal: a pod that uses an image may end soon,
	// or never; that an image is shared changes rarely.
	sharedAgain  = 24 * time.Hour
	removalFirst = 30 * time.Second
	removalMost  = 30 * time.Minute
)

// noteRemoval writes the outcome of a removal into the records of the image
// that are to be removed, whatever their identity: the runtime knows none.
func (l *ledger) noteRemoval(image string, result outcome.Image, now time.Time) {
	removing := func(rec *v1alpha2.ImageRecord) bool {
		return rec.Image == image && rec.State == v1alpha2.ImageStateRemoving
	}
	if result.Kind == outcome.Removed { // whatever else is noted of it: it is gone
		l.drop(func(rec *v1alpha2.ImageRecord) bool { return rec.Image == image })
		return
	}
	for i := range l.status.Images {
		rec := &l.status.Images[i]
		if !removing(rec) {
			continue
		}
		l.changed = true
		rec.Time = metav1.NewTime(now)
		switch result.Kind {
		case outcome.Kept:
			rec.Attempts, rec.Reason, rec.Message = 0, v1alpha2.ReasonImageShared, result.Message
		case outcome.Failed:
			rec.Attempts++
			rec.Reason, rec.Message = result.Reason, result.Message
		default:
			rec.Attempts++
			rec.Reason, rec.Message = v1alpha2.ReasonImageRemovalFailed, "the removal ended without a report"
		}
	}
}

// removal is one image that is to be removed.
type removal struct {
	image string
	// since is when it was to be removed, or tried last.
	since time.Time
}

// removals returns what is due to be removed from the node, and what stays
// because another name of the same image is or was wanted: it comes along,
// because the image goes when the runtime is asked for all of its names.
func (d *nodePlan) removals() (due, along []removal) {
	seen := map[string]bool{}
	for i := range d.ledger.status.Images {
		rec := &d.ledger.status.Images[i]
		if rec.State != v1alpha2.ImageStateRemoving || seen[rec.Image] {
			continue
		}
		r := removal{rec.Image, rec.Time.Time}
		wait := d.removalAt(rec).Sub(d.in.Now)
		if wait > 0 {
			d.lookAgain(wait)
		}
		switch {
		case wait <= 0:
			due = append(due, r)
		case rec.Reason == v1alpha2.ReasonImageShared:
			along = append(along, r)
		default:
			continue
		}
		seen[rec.Image] = true
	}
	return due, along
}

// removalAt returns when an image that was not removed is tried again.
func (d *nodePlan) removalAt(rec *v1alpha2.ImageRecord) time.Time {
	seed := string(d.in.Node.UID) + rec.Image
	switch {
	case rec.Reason == v1alpha2.ReasonImageShared: // its names may have moved apart
		return rec.Time.Add(jitter(cmp.Or(d.in.Options.VerifyInterval, sharedAgain), seed))
	case rec.Attempts == 0:
		return time.Time{}
	case rec.Reason == v1alpha2.ReasonRemovalDisabled && d.in.Options.RemovalDisabled:
		return d.in.Now.Add(permanentMost)
	case rec.Reason == v1alpha2.ReasonRemovalDisabled && !d.in.Options.RemovalDisabled:
		return time.Time{} // the controller was told otherwise since
	case rec.Reason == v1alpha2.ReasonImagePinned:
		return rec.Time.Add(jitter(permanentMost, seed))
	default:
		return rec.Time.Add(jitter(doubled(removalFirst, removalMost, rec.Attempts), seed))
	}
}

// nextRemoval creates a removal Job when something is due, unless new images
// are still to be pulled: they may share layers with what goes. It returns
// whether the node is taken by a removal, or about to be.
func (d *nodePlan) nextRemoval(newcomers bool) bool {
	if Blocked(&d.in.Node, &Cache{}) != "" {
		return false
	}
	due, along := d.removals()
	if len(due) == 0 || d.cannotRemove(due) {
		return false
	}
	oldest := slices.MinFunc(due, func(a, b removal) int { return a.since.Compare(b.since) })
	if left := oldest.since.Add(removalPatience).Sub(d.in.Now); newcomers && left > 0 {
		return false
	}
	switch {
	case d.slowJob != nil:
		d.notef("a removal waits for Job %d", d.slowJob.Sequence)
		return false
	case d.deserted(): // else they end first, and no other begins
		d.createRemoval(slices.Concat(due, along))
	}
	return true
}

// cannotRemove notes why nothing can be removed from the node, if so.
func (d *nodePlan) cannotRemove(due []removal) bool {
	failure := outcome.Image{Kind: outcome.Failed}
	switch {
	case d.in.Options.RemovalDisabled:
		failure.Reason, failure.Message = v1alpha2.ReasonRemovalDisabled, "the controller runs with --removal=false; the image stays on the node"
	case d.in.Node.Socket == "":
		failure.Reason = v1alpha2.ReasonImageRemovalFailed
		failure.Message = "the socket of the node's container runtime is not known: set --cri-socket-path or annotate the Node with " + v1alpha2.AnnotationCRISocket
	default:
		return false
	}
	for _, r := range due {
		d.ledger.noteRemoval(r.image, failure, d.in.Now)
	}
	return true
}

func (d *nodePlan) createRemoval(batch []removal) {
	spec := JobSpec{
		Kind: JobRemove, NodeCacheUID: d.in.Record.UID, Sequence: d.nextNumber(),
		Node: &d.in.Node, Identity: IdentityNode, Deadline: RemovalDeadline,
		Keep: kept(d.wants, &d.ledger.status),
	}
	for _, r := range batch[:min(len(batch), removalsPerJob)] {
		spec.Images = append(spec.Images, Want{Key: Key{r.image, IdentityNode}, Name: r.image})
		d.notef("Job %d: remove %s", spec.Sequence, r.image)
	}
	d.creating = true
	d.act(CreateJob{spec})
}

// kept returns the references that no removal may touch: what is wanted on the
// node, and what a record holds.
func kept(wants []Want, status *v1alpha2.NodeCacheStatus) []string {
	names := map[string]bool{}
	for i := range wants {
		names[wants[i].Image] = true
	}
	for i := range status.Images {
		if status.Images[i].State != v1alpha2.ImageStateRemoving {
			names[status.Images[i].Image] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// StillUnwanted tells whether a removal that was decided on what the informers
// had is still right by what the API server says now: caches must come from a
// quorum read. The claims are followed anew, so an ImageCache that an informer
// had missed keeps its images.
func StillUnwanted(node *Node, record v1alpha2.NodeCacheStatus, caches []*Cache, spec *JobSpec, options Options, now time.Time) bool {
	d := newNodePlan(NodeInput{Now: now, Node: *node, Record: &Record{NodeCacheStatus: record}, Caches: caches, Options: options})
	d.followClaims()
	for i := range spec.Images {
		image := spec.Images[i].Image
		removing := slices.ContainsFunc(d.ledger.status.Images, func(rec v1alpha2.ImageRecord) bool {
			return rec.Image == image && rec.State == v1alpha2.ImageStateRemoving
		})
		if !removing || leavesBehind(node, caches, image) {
			return false
		}
	}
	return slices.Equal(spec.Keep, kept(d.wants, &d.ledger.status))
}

// leavesBehind tells whether an ImageCache that is being deleted without a
// purge has the image on this node: it is to stay there.
func leavesBehind(node *Node, caches []*Cache, image string) bool {
	return slices.ContainsFunc(caches, func(c *Cache) bool {
		return c.Deleting && !c.Purged() && slices.ContainsFunc(c.Lists, func(l List) bool {
			return l.Selects(node.Name, node.Labels) &&
				slices.ContainsFunc(l.Images, func(i Image) bool { return i.Ref == image })
		})
	})
}
