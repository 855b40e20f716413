package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// now is the time of all tests: a whole second, as metav1.Time has no less.
var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func node() Node {
	return Node{Name: "node-1", UID: "node-uid", Labels: map[string]string{"pool": "a"}, Method: MethodImageVolume, Listed: defaultListLimit}
}

func everyNode(string, map[string]string) bool { return true }

func pool(name string) func(string, map[string]string) bool {
	return func(_ string, labels map[string]string) bool { return labels["pool"] == name }
}

// images names images that are already normalised.
func images(refs ...string) []Image {
	var list []Image
	for _, ref := range refs {
		list = append(list, Image{Name: ref, Ref: ref, Policy: corev1.PullIfNotPresent})
	}
	return list
}

// cache is an ImageCache of these images on every node.
func cache(name string, refs ...string) *Cache {
	return &Cache{
		Namespace: "default", Name: name, UID: types.UID(name), Generation: 1, Created: ago(time.Hour),
		Identity: IdentityNode, PullDeadline: 5 * time.Minute,
		Lists: []List{{Images: images(refs...), Selects: everyNode}},
	}
}

// with changes a copy of c.
func (c *Cache) with(edit func(*Cache)) *Cache {
	next := *c
	edit(&next)
	return &next
}

func record(recs ...v1alpha2.ImageRecord) *Record {
	return &Record{UID: "record-uid", NodeCacheStatus: v1alpha2.NodeCacheStatus{NodeUID: "node-uid", Images: recs}}
}

// claimed adds claims, numbered from 1, that applied this generation.
func (r *Record) claimed(generation int64, caches ...*Cache) *Record {
	for i, c := range caches {
		r.Claims = append(r.Claims, v1alpha2.Claim{
			ID: int32(i + 1), Namespace: c.Namespace, Name: c.Name, UID: c.UID, Generation: generation,
		})
	}
	return r
}

func cached(ref string) v1alpha2.ImageRecord {
	return v1alpha2.ImageRecord{
		Image: ref, Identity: IdentityNode, State: v1alpha2.ImageStateCached,
		Claims: []int32{1}, Time: metav1.NewTime(ago(time.Hour)),
	}
}

func failed(ref, reason string, attempts int32, age time.Duration) v1alpha2.ImageRecord {
	return v1alpha2.ImageRecord{
		Image: ref, Identity: IdentityNode, State: v1alpha2.ImageStateFailed, Reason: reason,
		Claims: []int32{1}, Attempts: attempts, Time: metav1.NewTime(ago(age)),
	}
}

func deferred(ref string) v1alpha2.ImageRecord {
	return v1alpha2.ImageRecord{
		Image: ref, Identity: IdentityNode, State: v1alpha2.ImageStateDeferred,
		Claims: []int32{1}, Time: metav1.NewTime(ago(time.Minute)),
	}
}

// jobFor is Job 1 of c, whose pod the kubelet took age ago.
func jobFor(c *Cache, age time.Duration, refs ...string) Job {
	return Job{
		Namespace: c.Namespace, Name: c.Name + "-1", UID: "job-uid", NodeUID: "node-uid", Owner: c.UID,
		Sequence: 1, Identity: c.Identity, Images: refs, Deadline: c.PullDeadline,
		Created: ago(age), PodRunning: true,
		Attempt: outcome.Attempt{Images: make([]outcome.Image, len(refs)), Started: ago(age)},
	}
}

// settled gives a Job its outcomes.
func (j Job) settled(results ...outcome.Image) Job {
	j.Attempt.Images, j.Attempt.Settled = results, true
	return j
}

// pulling says that the kubelet has pulled image i for so long.
func (j Job) pulling(i int, since time.Duration) Job {
	j.Attempt.Pulling = &outcome.Pulling{Index: i, Since: ago(since)}
	return j
}

var (
	pulled   = outcome.Image{Kind: outcome.Pulled, Digest: "sha256:1"}
	notTried = outcome.Image{Kind: outcome.NotTried}
	notFound = outcome.Image{Kind: outcome.Failed, Reason: v1alpha2.ReasonImageNotFound, Message: "not found"}
)

func input(r *Record, caches ...*Cache) NodeInput {
	return NodeInput{Now: now, Node: node(), Record: r, Caches: caches}
}

func (in NodeInput) with(edit func(*NodeInput)) NodeInput {
	edit(&in)
	return in
}

// written returns the record a decision writes, nil when it writes none.
func (d NodeDecision) written() *v1alpha2.NodeCacheStatus {
	for _, a := range d.Actions {
		if w, ok := a.(WriteRecord); ok {
			return &w.Status
		}
	}
	return nil
}

// created returns the references of the Job a decision creates.
func (d NodeDecision) created() []string {
	var refs []string
	for _, a := range d.Actions {
		if c, ok := a.(CreateJob); ok {
			for _, w := range c.Spec.Images {
				refs = append(refs, w.Image)
			}
		}
	}
	return refs
}

// kinds tells the actions of a decision in words.
func (d NodeDecision) kinds() []string {
	var words []string
	for _, a := range d.Actions {
		switch a.(type) {
		case DropRecord:
			words = append(words, "drop")
		case WriteRecord:
			words = append(words, "write")
		case DeleteJob:
			words = append(words, "delete")
		case CreateJob:
			words = append(words, "create")
		}
	}
	return words
}

// find returns a record of a status, nil when there is none.
func find(s *v1alpha2.NodeCacheStatus, ref string) *v1alpha2.ImageRecord {
	for i := range s.Images {
		if s.Images[i].Image == ref {
			return &s.Images[i]
		}
	}
	return nil
}
