package controllers

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// stored is a reader of what is in it.
type stored struct {
	client.Reader
	caches []v1alpha2.ImageCache
	nodes  []v1alpha2.NodeCache
}

// List fills a list.
func (s stored) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha2.ImageCacheList:
		list.Items = s.caches
	case *v1alpha2.NodeCacheList:
		list.Items = s.nodes
	default:
		return fmt.Errorf("no %T here", list)
	}
	return nil
}

func TestGauges(t *testing.T) {
	var s stored
	cache := v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}
	cache.Status.PairCounts = v1alpha2.PairCounts{Desired: 15, Cached: 1, Pulling: 2, Pending: 3, Failed: 4, Waiting: 5}
	cache.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionFalse}, {Type: "Degraded", Status: metav1.ConditionTrue}}
	s.caches = []v1alpha2.ImageCache{cache}
	s.nodes = []v1alpha2.NodeCache{{Status: v1alpha2.NodeCacheStatus{Cached: 1, Failed: 2, Waiting: 3}}, {Status: v1alpha2.NodeCacheStatus{Cached: 10, Removing: 4}}}

	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(Gauges(s))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			series := family.GetName()
			for _, label := range metric.GetLabel() {
				series += " " + label.GetValue()
			}
			got[series] = metric.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"kubefledged_imagecache_images b a cached": 1, "kubefledged_imagecache_images b a pulling": 2, "kubefledged_imagecache_images b a pending": 3,
		"kubefledged_imagecache_images b a failed": 4, "kubefledged_imagecache_images b a waiting": 5,
		"kubefledged_imagecache_condition b a Ready": 0, "kubefledged_imagecache_condition b a Degraded": 1,
		"kubefledged_node_images cached": 11, "kubefledged_node_images failed": 2, "kubefledged_node_images waiting": 3, "kubefledged_node_images removing": 4,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
