package validation

import (
	"strings"
	"testing"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func TestImageCacheUpdate(t *testing.T) {
	bad := listing("ok:1", "UPPER/case", "nginx", "docker.io/library/nginx:latest")
	for name, test := range map[string]struct {
		old, updated mutate
		want         []string // the beginning of each error, in order
	}{
		"nothing is wrong":           {listing("a:1"), listing("a:1", "b:1"), nil},
		"nothing has changed":        {bad, bad, nil},
		"an edit elsewhere":          {bad, both(bad, func(s *v1alpha2.ImageCacheSpec) { s.Suspend = true }), nil},
		"another image before it":    {bad, listing("new:1", "ok:1", "UPPER/case", "nginx", "docker.io/library/nginx:latest"), nil},
		"a list before it":           {bad, both(bad, func(s *v1alpha2.ImageCacheSpec) { s.CacheSpec = append(valid().Spec.CacheSpec[1:], s.CacheSpec...) }), nil},
		"a part of it repaired":      {bad, listing("ok:1", "UPPER/case", "nginx"), nil},
		"another mistake beside it":  {bad, listing("ok:1", "UPPER/case", "UPPER/other"), []string{`spec.cacheSpec[0].images[2]: Invalid value: "UPPER/other"`}},
		"the same mistake again":     {bad, listing("UPPER/case", "UPPER/case"), []string{`spec.cacheSpec[0].images[1]: Invalid value: "UPPER/case"`}},
		"an old mistake, worse":      {listing(many(2049)...), listing(many(2050)...), []string{"spec.cacheSpec[0].images: Too many: 2050"}},
		"an old selector, a new one": {selector(map[string]string{"a b": ""}), selector(map[string]string{"a b": "", "c d": ""}), []string{`spec.cacheSpec[0].nodeSelector: Invalid value: "c d"`}},
		"an operator that changes": {
			affinity(requirement("tier", "In")), affinity(requirement("tier", "NotIn"), requirement("tier", "Like")),
			[]string{"spec.cacheSpec[0].nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1].matchExpressions[0].operator: Unsupported"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			old, updated := valid(), valid()
			test.old(&old.Spec)
			test.updated(&updated.Spec)
			errs := ImageCacheUpdate(old, updated)
			if len(errs) != len(test.want) {
				t.Fatalf("got %d errors, want %d: %v", len(errs), len(test.want), errs)
			}
			for i, err := range errs {
				if !strings.HasPrefix(err.Error(), test.want[i]) {
					t.Errorf("error %d:\n got %s\nwant %s", i, err, test.want[i])
				}
			}
		})
	}
}

func both(first, second mutate) mutate {
	return func(s *v1alpha2.ImageCacheSpec) { first(s); second(s) }
}
