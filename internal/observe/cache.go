package observe

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Defaults are the controller's settings for what an ImageCache leaves open.
type Defaults struct {
	// PullPolicy of images with a fixed tag.
	PullPolicy corev1.PullPolicy
	// PullDeadline is the longest one image may take.
	PullDeadline time.Duration
	// RefreshInterval is the time between two automatic refreshes; 0 for none.
	RefreshInterval time.Duration
	// ServiceAccount of the pull pods; part of the pull identity.
	ServiceAccount string
}

// Caches converts ImageCaches and remembers the result until what it is made
// from changes: parsing two thousand references for every node would cost more
// than all the rest. What it remembers can be lost at any time.
type Caches struct {
	Defaults Defaults

	mu   sync.Mutex
	memo map[types.UID]converted
}

// converted is an ImageCache and what it was made from.
type converted struct {
	from  decidesCache
	cache *plan.Cache
}

// decidesCache is what decides about an ImageCache's images: a generation
// stands for its spec, which does not change without it.
type decidesCache struct {
	generation int64
	operation  string
	deleting   bool
	holds      bool
}

func cacheDecides(ic metav1.Object) decidesCache {
	return decidesCache{
		generation: ic.GetGeneration(), operation: ic.GetAnnotations()[v1alpha2.AnnotationAccepted],
		deleting: ic.GetDeletionTimestamp() != nil,
		holds:    slices.Contains(ic.GetFinalizers(), v1alpha2.FinalizerPurge),
	}
}

// Of returns what matters of the ImageCaches. The values are shared: they must
// not be changed.
func (c *Caches) Of(items []v1alpha2.ImageCache) []*plan.Cache {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := make(map[types.UID]converted, len(items))
	out := make([]*plan.Cache, 0, len(items))
	for i := range items {
		known := c.convert(&items[i])
		fresh[items[i].UID] = known
		out = append(out, known.cache)
	}
	c.memo = fresh
	return out
}

// One returns what matters of one ImageCache, as Of does.
func (c *Caches) One(ic *v1alpha2.ImageCache) *plan.Cache {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.convert(ic)
	if c.memo == nil {
		c.memo = map[types.UID]converted{}
	}
	c.memo[ic.UID] = known
	return known.cache
}

func (c *Caches) convert(ic *v1alpha2.ImageCache) converted {
	from := cacheDecides(ic)
	if known, ok := c.memo[ic.UID]; ok && known.from == from {
		return known
	}
	secrets := secretNames(ic.Spec.ImagePullSecrets)
	return converted{from, &plan.Cache{
		Namespace: ic.Namespace, Name: ic.Name, UID: ic.UID,
		Generation: ic.Generation, Created: ic.CreationTimestamp.Time,
		Deleting:        from.deleting,
		Purging:         from.deleting && from.holds && ic.Spec.DeletionPolicy == v1alpha2.DeletionPolicyPurge,
		Operation:       Operation(ic),
		RefreshInterval: durationOr(ic.Spec.RefreshInterval, c.Defaults.RefreshInterval),
		Selectors:       selectorsHash(&ic.Spec),
		Suspend:         ic.Spec.Suspend,
		Lists:           c.lists(&ic.Spec),
		Identity:        plan.Identity(ic.Namespace, c.Defaults.ServiceAccount, secrets),
		Secrets:         secrets,
		PullDeadline:    durationOr(ic.Spec.PullDeadline, c.Defaults.PullDeadline),
		Tolerations:     ic.Spec.Tolerations,
	}}
}

// Operation returns the purge or refresh that was accepted last; a zero one
// when there is none. Users can write annotations: one that is damaged, or
// holds no operation of ours, is none. Ids grow from the seconds since 1970, so
// one that leaves no room to grow is not ours.
func Operation(ic metav1.Object) plan.Operation {
	var op plan.Operation
	text := ic.GetAnnotations()[v1alpha2.AnnotationAccepted]
	if text == "" || json.Unmarshal([]byte(text), &op) != nil || op.ID <= 0 || op.ID > 1<<53 {
		return plan.Operation{}
	}
	if op.Kind != plan.OperationPurge && op.Kind != plan.OperationRefresh {
		return plan.Operation{}
	}
	return op
}

func secretNames(refs []corev1.LocalObjectReference) []string {
	var names []string
	for _, ref := range refs {
		if ref.Name != "" {
			names = append(names, ref.Name)
		}
	}
	return names
}

func durationOr(d *metav1.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.Duration
}

func (c *Caches) lists(spec *v1alpha2.ImageCacheSpec) []plan.List {
	lists := make([]plan.List, 0, len(spec.CacheSpec))
	for i := range spec.CacheSpec {
		lists = append(lists, plan.List{
			Images:  c.images(spec, spec.CacheSpec[i].Images),
			Selects: selector(&spec.CacheSpec[i]),
		})
	}
	return lists
}

func (c *Caches) images(spec *v1alpha2.ImageCacheSpec, names []v1alpha2.Image) []plan.Image {
	images := make([]plan.Image, 0, len(names))
	for _, name := range names {
		image := plan.Image{Name: string(name)}
		ref, mutable, err := reference.Normalise(image.Name)
		if err != nil {
			image.Invalid = err.Error()
		} else {
			image.Ref = ref
			image.Policy = spec.PullPolicyFor(mutable, cmp.Or(c.Defaults.PullPolicy, corev1.PullIfNotPresent))
		}
		images = append(images, image)
	}
	return images
}

// selector matches nodes as a pod with the list's nodeSelector and required
// node affinity would. An affinity that cannot be parsed matches no node; the
// error is told by the validation.
func selector(list *v1alpha2.CacheSpecImages) func(string, map[string]string) bool {
	affinity := nodeaffinity.NewRequiredNodeAffinity(list.NodeSelector, &corev1.Affinity{NodeAffinity: list.NodeAffinity})
	return func(name string, labels map[string]string) bool {
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		match, err := affinity.Match(&node)
		return match && err == nil
	}
}
