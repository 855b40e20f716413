// Package others knows the other ImageCaches of a namespace, for warnings: as
// far as it can, and without ever holding up an answer.
package others

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

// mostImages are compared for one answer, which takes a few milliseconds.
const mostImages = 50_000

// tryAgain is the pause after the API server did not answer.
const tryAgain = 30 * time.Second

// Caches watches ImageCaches in a cache of its own: without the right to list
// them, or with an API server that does not answer, only warnings are missing.
type Caches struct {
	cache  cache.Cache
	synced atomic.Bool
}

// New returns Caches that know nothing before they are started.
func New(rc *rest.Config, scheme *runtime.Scheme) (*Caches, error) {
	c, err := cache.New(rc, cache.Options{
		Scheme: scheme,
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha2.ImageCache{}: {Transform: reduce, UnsafeDisableDeepCopy: ptr.To(true)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("set up the ImageCaches: %w", err)
	}
	return &Caches{cache: c}, nil
}

// Start watches until ctx ends.
func (c *Caches) Start(ctx context.Context) error {
	// It fails only when ctx ends; then the cache ends at once, too.
	_ = wait.PollUntilContextCancel(ctx, tryAgain, true, c.addInformer)
	go func() { c.synced.Store(c.cache.WaitForCacheSync(ctx)) }()
	return c.cache.Start(ctx)
}

// addInformer asks the API server what an ImageCache is, which may fail.
func (c *Caches) addInformer(ctx context.Context) (done bool, _ error) {
	_, err := c.cache.GetInformer(ctx, &v1alpha2.ImageCache{}, cache.BlockUntilSynced(false))
	if err != nil {
		log.FromContext(ctx).Info("cannot watch ImageCaches, so there are no warnings about others", "error", err.Error())
	}
	return err == nil, nil
}

// Of returns how the ImageCaches of a namespace pull their images, or nothing
// when that is not known or would take long.
func (c *Caches) Of(namespace string) []validation.Pulled {
	if !c.synced.Load() {
		return nil
	}
	var list v1alpha2.ImageCacheList
	if err := c.cache.List(context.Background(), &list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	return pulled(list.Items)
}

func pulled(caches []v1alpha2.ImageCache) []validation.Pulled {
	var all []validation.Pulled
	images := 0
	for i := range caches {
		one := expand(&caches[i])
		if images += len(one.Always) + len(one.IfNotPresent); images > mostImages {
			break
		}
		all = append(all, one)
	}
	return all
}

// reduce keeps of an ImageCache what Of returns, in two lists of normalized
// references: what is read a hundred times is worked out once.
func reduce(object any) (any, error) {
	ic, ok := object.(*v1alpha2.ImageCache)
	if !ok {
		return object, nil
	}
	reduced := &v1alpha2.ImageCache{TypeMeta: ic.TypeMeta}
	reduced.Namespace, reduced.Name, reduced.UID, reduced.ResourceVersion = ic.Namespace, ic.Name, ic.UID, ic.ResourceVersion
	if ic.DeletionTimestamp != nil {
		return reduced, nil // it wants nothing any more
	}
	p := validation.PulledBy(ic)
	reduced.Spec.ImagePullSecrets = ic.Spec.ImagePullSecrets
	reduced.Spec.CacheSpec = []v1alpha2.CacheSpecImages{{Images: toImages(p.Always)}, {Images: toImages(p.IfNotPresent)}}
	return reduced, nil
}

// expand is the reverse of reduce.
func expand(ic *v1alpha2.ImageCache) validation.Pulled {
	p := validation.Pulled{Cache: ic.Name, Secrets: validation.SecretNames(ic.Spec.ImagePullSecrets)}
	if lists := ic.Spec.CacheSpec; len(lists) == 2 {
		p.Always, p.IfNotPresent = toRefs(lists[0].Images), toRefs(lists[1].Images)
	}
	return p
}

func toImages(refs []string) []v1alpha2.Image {
	images := make([]v1alpha2.Image, len(refs))
	for i, ref := range refs {
		images[i] = v1alpha2.Image(ref)
	}
	return images
}

func toRefs(images []v1alpha2.Image) []string {
	refs := make([]string, len(images))
	for i, image := range images {
		refs[i] = string(image)
	}
	return refs
}
