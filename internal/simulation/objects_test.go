package simulation

import (
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
}

type cache struct {
	meta
	generation int64
	spec       spec
	status     v1alpha2.ImageCacheStatus
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
	node     string
	nodeUID  types.UID
	owner    types.UID
	sequence int64
	identity string
	images   []string
	always   []bool
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
	job     *job
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
		Deleting: o.deleting, Suspend: o.spec.suspend, Identity: identityOf(o.namespace, o.spec.secrets),
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

// wants tells whether the cache wants image with identity on n. It is the
// simulation's own word, so that the planner is not measured by itself.
func (o *cache) wants(n *node, image, identity string) bool {
	if o.deleting || identityOf(o.namespace, o.spec.secrets) != identity {
		return false
	}
	for _, l := range o.spec.lists {
		if matches(n.labels, l.selector) && contains(l.images, image) {
			return true
		}
	}
	return false
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}
