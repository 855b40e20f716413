package validation_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

// Whatever somebody writes into an ImageCache ends in errors that name fields
// or in a spec that keeps its promises, and never in a panic.
func FuzzImageCache(f *testing.F) {
	f.Add("nginx", "docker.io/library/nginx:latest", "disktype", "ssd", "team", "In", int64(time.Minute), uint8(2))
	f.Add("$(reboot)", "", "a b", "\x00", "../secret", "NotIn", int64(-1), uint8(255))
	f.Add("UPPER", "a@sha256:0", "kubernetes.io/hostname", "", "", "Gt", int64(0), uint8(0))
	f.Add("a:1", "a:2", "x/y/z", "1", "UPPER", "bogus", int64(1), uint8(64))
	f.Fuzz(func(t *testing.T, first, second, key, value, secret, operator string, interval int64, n uint8) {
		ic := hostileCache(first, second, key, value, secret, operator, interval, n)
		errs := validation.ImageCache(ic)
		for _, err := range errs {
			if err.Field == "" || err.Error() == "" {
				t.Errorf("an error that names no field: %v", err)
			}
		}
		for _, warning := range validation.Warnings(ic) {
			if warning == "" || len(warning) > 2048 {
				t.Errorf("a warning of %d bytes", len(warning))
			}
		}
		if len(errs) > 0 {
			return
		}
		var refs []string
		for _, image := range ic.Spec.CacheSpec[0].Images {
			ref, _, err := reference.Normalise(string(image))
			if err != nil || slices.Contains(refs, ref) {
				t.Errorf("accepted, but %q is %q (%v) beside %q", image, ref, err, refs)
			}
			refs = append(refs, ref)
		}
	})
}

func hostileCache(first, second, key, value, secret, operator string, interval int64, n uint8) *v1alpha2.ImageCache {
	list := v1alpha2.CacheSpecImages{
		Images:       []v1alpha2.Image{v1alpha2.Image(first), v1alpha2.Image(second)},
		NodeSelector: map[string]string{key: value},
		NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOperator(operator), Values: []string{value}}},
				MatchFields:      []corev1.NodeSelectorRequirement{{Key: value, Operator: corev1.NodeSelectorOperator(operator), Values: []string{key}}},
			}, {}},
		}},
	}
	if n%3 == 0 {
		list.NodeAffinity = nil
	}
	duration := &metav1.Duration{Duration: time.Duration(interval)}
	seconds := interval
	ic := &v1alpha2.ImageCache{Spec: v1alpha2.ImageCacheSpec{
		CacheSpec:        make([]v1alpha2.CacheSpecImages, int(n)%70),
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: secret}, {}},
		ImagePullPolicy:  corev1.PullPolicy(operator), DeletionPolicy: v1alpha2.DeletionPolicy(value),
		PullDeadline: duration, RefreshInterval: duration,
		Tolerations: []corev1.Toleration{{Key: key, Operator: corev1.TolerationOperator(operator), Value: value,
			Effect: corev1.TaintEffect(secret), TolerationSeconds: &seconds}},
	}}
	if n%2 == 0 {
		// Mostly empty, so that the images decide.
		ic.Spec = v1alpha2.ImageCacheSpec{}
		list.NodeSelector = nil
	}
	ic.Spec.CacheSpec = append([]v1alpha2.CacheSpecImages{list}, ic.Spec.CacheSpec...)
	return ic
}
