package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestValues(t *testing.T) {
	related := Images{Controller: "registry.test:5000/a/kubefledged-controller:v2", CRIClient: "mirror.test/helper@" + digest}
	overridden := map[string]any{
		"kubefledgedControllerRepository": "registry.test:5000/a/kubefledged-controller", "kubefledgedControllerTag": "v2",
		"kubefledgedCRIClientRepository": "mirror.test/helper", "kubefledgedCRIClientDigest": digest,
	}
	for name, test := range map[string]struct {
		spec   v1alpha2.KubeFledgedSpec
		images Images
		want   map[string]any
	}{
		"nothing":           {want: map[string]any{"image": map[string]any{}}},
		"operator's images": {images: related, want: map[string]any{"image": overridden}},
		"user's repository": {
			spec:   v1alpha2.KubeFledgedSpec{Image: &v1alpha2.ImageSpec{KubefledgedControllerRepository: "mine.test/c"}},
			images: Images{Controller: related.Controller},
			want:   map[string]any{"image": map[string]any{"kubefledgedControllerRepository": "mine.test/c"}},
		},
		"user's tag of one": {
			spec:   v1alpha2.KubeFledgedSpec{Image: &v1alpha2.ImageSpec{KubefledgedControllerTag: "v1"}},
			images: Images{Controller: related.Controller},
			want:   map[string]any{"image": map[string]any{"kubefledgedControllerTag": "v1"}},
		},
		"user's tag of all": {
			spec:   v1alpha2.KubeFledgedSpec{Image: &v1alpha2.ImageSpec{Tag: "v1"}},
			images: Images{Controller: related.Controller},
			want:   map[string]any{"image": map[string]any{"tag": "v1", "kubefledgedControllerRepository": "registry.test:5000/a/kubefledged-controller"}},
		},
		"false and zero": {
			spec: v1alpha2.KubeFledgedSpec{ControllerReplicaCount: ptr.To[int32](0), Webhook: &v1alpha2.WebhookSpec{Enabled: ptr.To(false)}},
			want: map[string]any{"controllerReplicaCount": 0.0, "webhook": map[string]any{"enabled": false}, "image": map[string]any{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Values(&test.spec, test.images)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := Values(&v1alpha2.KubeFledgedSpec{}, Images{Controller: "not an image"}); err == nil {
		t.Error("a bad image of the operator is taken")
	}
}
