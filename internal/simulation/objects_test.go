package simulation

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// kind of an object of the fake API server.
type kind int

const (
	nodes kind = iota
	caches
	records
	jobs
	pods
	kinds
)

var kindNames = [kinds]string{"Node", "ImageCache", "NodeCache", "Job", "Pod"}

// meta is what all objects have. Objects are never changed once they are
// stored: whoever changes one stores a copy.
type meta struct {
	kind            kind
	namespace, name string
	uid             types.UID
	version         int64
	created         time.Time
	// deleting is set while something still holds the object.
	deleting bool
}

func (m *meta) head() *meta { return m }
func (m *meta) key() string { return m.namespace + "/" + m.name }

type object interface {
	head() *meta
	key() string
	clone() object
}

type node struct {
	meta
	labels   map[string]string
	taints   []corev1.Taint
	ready    bool
	cordoned bool
	// pressure is the node's DiskPressure condition.
	pressure bool
	bootID   string
	// reported and listed are what the node last told of its images: late, and
	// cut short.
	reported map[string]plan.Reported
	listed   int
}

// sameButImages tells whether only what the node tells of its images differs.
func (o *node) sameButImages(other *node) bool {
	return o.uid == other.uid && o.ready == other.ready && o.cordoned == other.cordoned && o.pressure == other.pressure &&
		slices.Equal(o.taints, other.taints) && sameMap(o.labels, other.labels)
}

type cache struct {
	meta
	generation int64
	spec       spec
	status     v1alpha2.ImageCacheStatus
	// purge and refresh are the annotations of a user who asks for that.
	purge, refresh *string
	// operation is the annotation with the request that was accepted last.
	operation plan.Operation
	// finalizer holds the object until its images are removed; foreign is
	// somebody else's.
	finalizer, foreign bool
	deletedAt          time.Time
	// plan is the same as the planner takes it.
	plan *plan.Cache
}

// spec of an ImageCache.
type spec struct {
	lists       []list
	secrets     []string
	always      bool
	suspend     bool
	deadline    time.Duration
	tolerations []corev1.Toleration
	// interval of the automatic refresh; 0 for none.
	interval time.Duration
	// purges is deletionPolicy Purge.
	purges bool
}

type list struct {
	images   []string
	selector map[string]string
}

type record struct {
	meta
	status v1alpha2.NodeCacheStatus
}

type job struct {
	meta
	work    plan.JobKind
	node    string
	nodeUID types.UID
	// owner is an ImageCache, or the NodeCache for a removal.
	owner    types.UID
	sequence int64
	identity string
	images   []string
	always   []bool
	// selectors are those of the owner when the Job was made.
	selectors string
	// record is the uid of the NodeCache that counts the Job.
	record types.UID
	// keep are the names that a removal must not touch.
	keep []string
	// together is true when one container stands for all images.
	together bool
	deadline time.Duration
	// finished is set with failed or without: the Job's conditions.
	finished, failed bool
}

type phase int

const (
	pending phase = iota
	running
	ended
)

type pod struct {
	meta
	job *job
	// orphan is true when the Job was gone before its pod was made.
	orphan  bool
	phase   phase
	started time.Time
	// shown is what the statuses of the containers tell; blank until the last
	// pull of the pod has ended.
	shown   []outcome.Image
	refused *outcome.Refusal
}

func (o *node) clone() object   { c := *o; return &c }
func (o *cache) clone() object  { c := *o; return &c }
func (o *record) clone() object { c := *o; return &c }
func (o *job) clone() object    { c := *o; return &c }
func (o *pod) clone() object    { c := *o; return &c }

// identityOf returns what a cache pulls with. In the real thing a hash.
func identityOf(namespace string, secrets []string) string {
	if len(secrets) == 0 {
		return plan.IdentityNode
	}
	return namespace + ":" + strings.Join(secrets, "+")
}

func matches(labels, selector map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// planned returns the cache as the planner takes it.
func (o *cache) planned() *plan.Cache {
	c := &plan.Cache{
		Namespace: o.namespace, Name: o.name, UID: o.uid, Generation: o.generation, Created: o.created,
		Deleting: o.deleting, Purging: o.deleting && o.spec.purges,
		Operation: o.operation, RefreshInterval: o.spec.interval, Selectors: o.spec.selectors(),
		Suspend: o.spec.suspend, Identity: identityOf(o.namespace, o.spec.secrets),
		Secrets: o.spec.secrets, PullDeadline: o.spec.deadline, Tolerations: o.spec.tolerations,
	}
	policy := corev1.PullIfNotPresent
	if o.spec.always {
		policy = corev1.PullAlways
	}
	for _, l := range o.spec.lists {
		planned := plan.List{Selects: func(_ string, labels map[string]string) bool { return matches(labels, l.selector) }}
		for _, image := range l.images {
			planned.Images = append(planned.Images, plan.Image{Name: image, Ref: image, Policy: policy})
		}
		c.Lists = append(c.Lists, planned)
	}
	return c
}

// selectors stands for a hash of the node selectors of all lists.
func (s *spec) selectors() string {
	var text strings.Builder
	for _, l := range s.lists {
		for _, k := range sortedKeys(l.selector) {
			text.WriteString(k + "=" + l.selector[k] + " ")
		}
		text.WriteByte(';')
	}
	return text.String()
}

// purged tells whether a purge holds: until a later refresh or edit.
func (o *cache) purged() bool {
	return o.operation.Kind == plan.OperationPurge && o.operation.Generation == o.generation
}

// selects tells whether any list is for the node, whatever becomes of it.
func (o *cache) selects(n *node) bool {
	for _, l := range o.spec.lists {
		if matches(n.labels, l.selector) {
			return true
		}
	}
	return false
}

// lists tells whether any list has the image, whichever nodes it is for.
func (o *cache) lists(image string) bool {
	for _, l := range o.spec.lists {
		if contains(l.images, image) {
			return true
		}
	}
	return false
}

// wantsAny tells whether the cache wants image on n. It is the simulation's own
// word, so that the planner is not measured by itself.
func (o *cache) wantsAny(n *node, image string) bool {
	return !o.deleting && !o.purged() && o.listsFor(n, image)
}

// listsFor tells whether a list for n has the image, whatever becomes of it.
func (o *cache) listsFor(n *node, image string) bool {
	for _, l := range o.spec.lists {
		if matches(n.labels, l.selector) && contains(l.images, image) {
			return true
		}
	}
	return false
}

// wants is wantsAny for one pull identity.
func (o *cache) wants(n *node, image, identity string) bool {
	return identityOf(o.namespace, o.spec.secrets) == identity && o.wantsAny(n, image)
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}
