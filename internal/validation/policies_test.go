package validation

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func TestPolicyWarning(t *testing.T) {
	for name, test := range map[string]struct {
		own, other mutate
		want       string // what the warning ends with; empty: none
	}{
		"the same policy":                   {listing("nginx:1"), listing("nginx:1"), ""},
		"other images":                      {listing("nginx:1"), both(listing("nginx:2"), pulling(corev1.PullAlways)), ""},
		"always there":                      {listing("nginx:1"), both(listing("nginx:1"), pulling(corev1.PullAlways)), ": docker.io/library/nginx:1 (Always in other)"},
		"always here, written in two ways":  {both(listing("docker.io/library/nginx:1"), pulling(corev1.PullAlways)), listing("nginx:1"), ": docker.io/library/nginx:1 (IfNotPresent in other)"},
		"a mutable tag that is kept there":  {listing("nginx"), both(listing("nginx"), pulling(corev1.PullIfNotPresent)), ": docker.io/library/nginx:latest (IfNotPresent in other)"},
		"a mutable tag, always by two ways": {listing("nginx"), both(listing("nginx"), pulling(corev1.PullAlways)), ""},
		"other secrets, pulled on their own": {listing("nginx:1"), both(both(listing("nginx:1"), pulling(corev1.PullAlways)), func(s *v1alpha2.ImageCacheSpec) {
			s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "s"}}
		}), ""},
		"many": {listing(many(9)...), both(listing(many(9)...), pulling(corev1.PullAlways)), " and 6 more"},
	} {
		t.Run(name, func(t *testing.T) {
			own, other := valid(), valid()
			own.Name, other.Name = "own", "other"
			test.own(&own.Spec)
			test.other(&other.Spec)
			// The lists that both have of the tutorial are alike.
			own.Spec.CacheSpec, other.Spec.CacheSpec = own.Spec.CacheSpec[:1], other.Spec.CacheSpec[:1]
			got := PolicyWarning(PulledBy(own), []Pulled{PulledBy(other)})
			if (got == "") != (test.want == "") || !strings.HasSuffix(got, test.want) {
				t.Errorf("got %q, want it to end in %q", got, test.want)
			}
			if self := PolicyWarning(PulledBy(own), []Pulled{{Cache: "own", Always: PulledBy(own).IfNotPresent}}); self != "" {
				t.Errorf("warned of its own former self: %s", self)
			}
		})
	}
}

func pulling(policy corev1.PullPolicy) mutate {
	return func(s *v1alpha2.ImageCacheSpec) { s.ImagePullPolicy = policy }
}
