package validation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

type (
	cache  = v1alpha2.ImageCache
	mutate = func(*v1alpha2.ImageCacheSpec)
)

func valid() *cache {
	return &cache{Spec: v1alpha2.ImageCacheSpec{CacheSpec: []v1alpha2.CacheSpecImages{
		{Images: []v1alpha2.Image{"quay.io/bitnami/nginx:1.21.1", "quay.io/bitnami/tomcat:10.0.8"}},
		{
			Images:       []v1alpha2.Image{"quay.io/bitnami/redis:6.2.5", "quay.io/bitnami/mariadb:10.5.11"},
			NodeSelector: map[string]string{"tier": "backend"},
		},
	}}}
}

func TestImageCache(t *testing.T) {
	for name, test := range map[string]struct {
		change mutate
		want   []string // the beginning of each error, in order
	}{
		"the tutorial's manifest": {func(*v1alpha2.ImageCacheSpec) {}, nil},
		"no list": {
			func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec = nil },
			[]string{"spec.cacheSpec: Required value"},
		},
		"an empty list of lists, which the original accepts": {
			func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec = []v1alpha2.CacheSpecImages{} }, nil,
		},
		"no images": {
			func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec[1].Images = nil },
			[]string{"spec.cacheSpec[1].images: Required value: No images specified within image list"},
		},
		"a bad reference": {
			func(s *v1alpha2.ImageCacheSpec) {
				s.CacheSpec[1].Images = append(s.CacheSpec[1].Images, "ok", "$(touch /pwned)")
			},
			[]string{`spec.cacheSpec[1].images[3]: Invalid value: "$(touch /pwned)": the character '$' is not allowed`},
		},
		"a long reference": {
			func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec[0].Images[0] = v1alpha2.Image(strings.Repeat("a", 513)) },
			[]string{"spec.cacheSpec[0].images[0]: Too long: may not be more than 512 bytes"},
		},
		"an exact duplicate": {
			listing("nginx:1", "redis:1", "nginx:1"),
			[]string{`spec.cacheSpec[0].images[2]: Duplicate value: "nginx:1": Duplicate image names within image list: nginx:1`},
		},
		"one image written in two ways": {
			listing("nginx", "docker.io/library/nginx:latest"),
			[]string{`spec.cacheSpec[0].images[1]: Duplicate value: "docker.io/library/nginx:latest": Duplicate image names within image list: ` +
				`docker.io/library/nginx:latest (the same image as spec.cacheSpec[0].images[0]: nginx)`},
		},
		"an image in two lists": {
			func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec[1].Images = s.CacheSpec[0].Images }, nil,
		},
		"65 lists": {
			func(s *v1alpha2.ImageCacheSpec) {
				for len(s.CacheSpec) < 65 {
					s.CacheSpec = append(s.CacheSpec, s.CacheSpec[0])
				}
			},
			[]string{"spec.cacheSpec: Too many: 65: must have at most 64 items"},
		},
		"2,049 images": {listing(many(2049)...), []string{"spec.cacheSpec[0].images: Too many: 2049: must have at most 2048 items"}},
		"2,048 images": {listing(many(2048)...), nil},
		"policies": {
			func(s *v1alpha2.ImageCacheSpec) { s.ImagePullPolicy, s.DeletionPolicy = "Never", "Keep" },
			[]string{`spec.imagePullPolicy: Unsupported value: "Never": supported values: "Always", "IfNotPresent"`,
				`spec.deletionPolicy: Unsupported value: "Keep": supported values: "Retain", "Purge"`},
		},
		"durations": {
			func(s *v1alpha2.ImageCacheSpec) {
				s.PullDeadline, s.RefreshInterval = duration(-time.Minute), duration(5*time.Second)
			},
			[]string{`spec.pullDeadline: Invalid value: "-1m0s": must be at least 1s`,
				`spec.refreshInterval: Invalid value: "5s": must be 0s (off) or at least 10s`},
		},
		"a zero deadline": {
			func(s *v1alpha2.ImageCacheSpec) { s.PullDeadline = duration(0) },
			[]string{`spec.pullDeadline: Invalid value: "0s": must be at least 1s`},
		},
		"refresh turned off": {func(s *v1alpha2.ImageCacheSpec) { s.RefreshInterval = duration(0) }, nil},
		"secrets": {
			func(s *v1alpha2.ImageCacheSpec) {
				s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "ok"}, {}, {Name: "No_Name"}}
			},
			[]string{"spec.imagePullSecrets[1].name: Required value", `spec.imagePullSecrets[2].name: Invalid value: "No_Name"`},
		},
		"33 secrets": {
			func(s *v1alpha2.ImageCacheSpec) {
				for i := range 33 {
					s.ImagePullSecrets = append(s.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint("s", i)})
				}
			},
			[]string{"spec.imagePullSecrets: Too many: 33: must have at most 32 items"},
		},
	} {
		t.Run(name, func(t *testing.T) { expect(t, test.change, test.want) })
	}
}

func TestNodeSelectors(t *testing.T) {
	const terms = "spec.cacheSpec[0].nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	for name, test := range map[string]struct {
		change mutate
		want   []string
	}{
		"good labels": {selector(map[string]string{"kubernetes.io/os": "linux", "empty": ""}), nil},
		"bad labels": {
			selector(map[string]string{"a b": "ok", "tier": "back end"}),
			[]string{`spec.cacheSpec[0].nodeSelector: Invalid value: "a b"`, `spec.cacheSpec[0].nodeSelector[tier]: Invalid value: "back end"`},
		},
		"only preferences":        {func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec[0].NodeAffinity = &corev1.NodeAffinity{} }, nil},
		"no terms":                {affinity(), []string{terms + ": Required value"}},
		"an operator with values": {affinity(requirement("tier", "In", "a", "b"), requirement("n", "Gt", "3")), nil},
		"In without values": {
			affinity(requirement("tier", "In")),
			[]string{terms + "[0].matchExpressions[0].values: Invalid value"},
		},
		"Exists with values": {
			affinity(requirement("tier", "Exists"), requirement("tier", "Exists", "a")),
			[]string{terms + "[1].matchExpressions[0].values: Invalid value"},
		},
		"Gt with a word": {
			affinity(requirement("n", "Gt", "many")),
			[]string{terms + "[0].matchExpressions[0].values[0]: Invalid value"},
		},
		"an unknown operator": {
			affinity(requirement("tier", "Like", "a")),
			[]string{terms + `[0].matchExpressions[0].operator: Unsupported value: "Like"`},
		},
		"a bad key": {
			affinity(requirement("a b", "Exists")),
			[]string{terms + `[0].matchExpressions[0].key: Invalid value: "a b"`},
		},
		"a node's name": {fields(requirement("metadata.name", "In", "node1")), nil},
		"another field": {
			fields(requirement("spec.unschedulable", "In", "false")),
			[]string{terms + `[0].matchFields[0].key: Unsupported value: "spec.unschedulable"`},
		},
		"a field with two values": {
			fields(requirement("metadata.name", "In", "a", "b")),
			[]string{terms + "[0].matchFields[0].values: Invalid value"},
		},
	} {
		t.Run(name, func(t *testing.T) { expect(t, test.change, test.want) })
	}
}

func TestTolerations(t *testing.T) {
	for name, test := range map[string]struct {
		toleration corev1.Toleration
		want       []string
	}{
		"everything":            {corev1.Toleration{Operator: "Exists"}, nil},
		"a value":               {corev1.Toleration{Key: "gpu", Value: "a100", Effect: "NoSchedule"}, nil},
		"some time":             {corev1.Toleration{Key: "gpu", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: ptr.To[int64](9)}, nil},
		"more than":             {corev1.Toleration{Key: "gpu", Operator: "Gt", Value: "-4"}, nil},
		"no key":                {corev1.Toleration{Value: "a"}, []string{"spec.tolerations[0].operator: Invalid value"}},
		"a bad key":             {corev1.Toleration{Key: "a b", Operator: "Exists"}, []string{`spec.tolerations[0].key: Invalid value: "a b"`}},
		"a bad value":           {corev1.Toleration{Key: "a", Value: "b c"}, []string{`spec.tolerations[0].value: Invalid value: "b c"`}},
		"Exists with a value":   {corev1.Toleration{Key: "a", Operator: "Exists", Value: "b"}, []string{"spec.tolerations[0].value: Invalid value"}},
		"Lt with a word":        {corev1.Toleration{Key: "a", Operator: "Lt", Value: "b"}, []string{"spec.tolerations[0].value: Invalid value"}},
		"an unknown operator":   {corev1.Toleration{Key: "a", Operator: "Like"}, []string{`spec.tolerations[0].operator: Unsupported value: "Like"`}},
		"an unknown effect":     {corev1.Toleration{Key: "a", Effect: "NoNo"}, []string{`spec.tolerations[0].effect: Unsupported value: "NoNo"`}},
		"time without eviction": {corev1.Toleration{Key: "a", TolerationSeconds: ptr.To[int64](9)}, []string{"spec.tolerations[0].effect: Invalid value"}},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, func(s *v1alpha2.ImageCacheSpec) { s.Tolerations = []corev1.Toleration{test.toleration} }, test.want)
		})
	}
}

func TestWarnings(t *testing.T) {
	for name, test := range map[string]struct {
		change mutate
		want   []string
	}{
		"nothing": {func(*v1alpha2.ImageCacheSpec) {}, nil},
		"mutable tags": {
			func(s *v1alpha2.ImageCacheSpec) {
				s.ImagePullPolicy = corev1.PullIfNotPresent
				listing("a", "b:latest", "c:1", "d", "e")(s)
			},
			[]string{"with imagePullPolicy IfNotPresent a node keeps the copy it has, though the tag may have moved on: a, b:latest, d and 1 more"},
		},
		"mutable tags, always pulled": {listing("a", "b:latest"), nil},
		"an image in two lists": {
			func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec[1].Images[1] = "quay.io/bitnami/nginx:1.21.1" },
			[]string{"several lists name the same image; it is cached on the nodes of all of them: quay.io/bitnami/nginx:1.21.1"},
		},
		"preferences": {
			func(s *v1alpha2.ImageCacheSpec) {
				s.CacheSpec[1].NodeAffinity = &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1}}}
			},
			[]string{"spec.cacheSpec[1].nodeAffinity: preferences are ignored"},
		},
		"nearly full":   {listing(many(1844)...), []string{"nearly as long as a list may be (2048 images): spec.cacheSpec[0].images (1844)"}},
		"not yet so":    {listing(many(1843)...), nil},
		"too full":      {listing(many(2049)...), nil},
		"invalid names": {listing("UPPER/case", "UPPER/case"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			ic := valid()
			test.change(&ic.Spec)
			if got, want := strings.Join(Warnings(ic), "\n"), strings.Join(test.want, "\n"); got != want {
				t.Errorf("got warnings:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestWarningsStayShort: the API server drops warnings beyond 4 KiB.
func TestWarningsStayShort(t *testing.T) {
	ic := &cache{}
	ic.Spec.ImagePullPolicy = corev1.PullIfNotPresent
	for range MaxLists {
		ic.Spec.CacheSpec = append(ic.Spec.CacheSpec, v1alpha2.CacheSpecImages{Images: many(MaxImages)})
	}
	if n := len(strings.Join(Warnings(ic), "")); n > 4096 {
		t.Errorf("the warnings have %d bytes", n)
	}
}

func expect(t *testing.T, change mutate, want []string) {
	t.Helper()
	ic := valid()
	change(&ic.Spec)
	errs := ImageCache(ic)
	if len(errs) != len(want) {
		t.Fatalf("got %d errors, want %d: %v", len(errs), len(want), errs)
	}
	for i, err := range errs {
		if !strings.HasPrefix(err.Error(), want[i]) {
			t.Errorf("error %d:\n got %s\nwant %s", i, err, want[i])
		}
	}
}

func listing(images ...v1alpha2.Image) mutate {
	return func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec[0].Images = images }
}

func many(n int) []v1alpha2.Image {
	images := make([]v1alpha2.Image, n)
	for i := range images {
		images[i] = v1alpha2.Image(fmt.Sprintf("registry.example.com/team/app-%d:1", i))
	}
	return images
}

func selector(labels map[string]string) mutate {
	return func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec[0].NodeSelector = labels }
}

// affinity makes one term of each requirement.
func affinity(requirements ...corev1.NodeSelectorRequirement) mutate {
	required := &corev1.NodeSelector{}
	for _, r := range requirements {
		required.NodeSelectorTerms = append(required.NodeSelectorTerms,
			corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{r}})
	}
	return require(required)
}

func fields(r corev1.NodeSelectorRequirement) mutate {
	return require(&corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
		{MatchFields: []corev1.NodeSelectorRequirement{r}},
	}})
}

func require(required *corev1.NodeSelector) mutate {
	return func(s *v1alpha2.ImageCacheSpec) {
		s.CacheSpec[0].NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required}
	}
}

func requirement(key string, operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: operator, Values: values}
}

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func BenchmarkImageCacheOf2048Images(b *testing.B) {
	ic := valid()
	listing(many(MaxImages)...)(&ic.Spec)
	for b.Loop() {
		if errs := ImageCache(ic); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}
