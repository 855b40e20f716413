package others

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

func cacheOf(name string, images ...v1alpha2.Image) *v1alpha2.ImageCache {
	ic := fixture.ImageCache(name)
	ic.Spec.CacheSpec = []v1alpha2.CacheSpecImages{{Images: images}}
	return ic
}

func reduced(t *testing.T, ic *v1alpha2.ImageCache) v1alpha2.ImageCache {
	t.Helper()
	object, err := reduce(ic)
	if err != nil {
		t.Fatal(err)
	}
	return *object.(*v1alpha2.ImageCache)
}

func TestReducedSaysTheSame(t *testing.T) {
	ic := cacheOf("a", "nginx", "nginx:1", "docker.io/library/nginx:1", "not valid")
	ic.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "s"}}
	ic.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	small := reduced(t, ic)
	want := validation.Pulled{Cache: "a", Secrets: "s", Always: []string{"docker.io/library/nginx:latest"}, IfNotPresent: []string{"docker.io/library/nginx:1"}}
	if diff := cmp.Diff([]validation.Pulled{want}, pulled([]v1alpha2.ImageCache{small})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if small.Name != "a" || small.Namespace != ic.Namespace || small.ResourceVersion != ic.ResourceVersion || small.ManagedFields != nil {
		t.Errorf("kept %+v", small.ObjectMeta)
	}
}

func TestWhatGoesWantsNothing(t *testing.T) {
	ic := cacheOf("a", "nginx")
	ic.DeletionTimestamp = &metav1.Time{Time: fixture.Created}
	if got := pulled([]v1alpha2.ImageCache{reduced(t, ic)}); len(got[0].Always) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestNoAnswerTakesLong(t *testing.T) {
	var many []v1alpha2.ImageCache
	one := reduced(t, cacheOf("a"))
	one.Spec.CacheSpec[1].Images = make([]v1alpha2.Image, validation.MaxImages)
	for range 100 {
		many = append(many, one)
	}
	if got := pulled(many); len(got)*validation.MaxImages > mostImages || len(got) == 0 {
		t.Errorf("%d caches are compared", len(got))
	}
}

func TestNothingIsKnownBeforeTheStart(t *testing.T) {
	if got := (&Caches{}).Of("ns"); got != nil {
		t.Errorf("got %v", got)
	}
}
