package controllers

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/metrics"
)

// The labels of namespaces and names say of what, as Prometheus adds a label
// "namespace" of its own: that of the pod.
var (
	imageCacheImages = prometheus.NewDesc("kubefledged_imagecache_images",
		"Images on nodes that an ImageCache asks for, by state: cached, pulling, pending, failed or waiting.", []string{"imagecache_namespace", "imagecache", "state"}, nil)
	imageCacheCondition = prometheus.NewDesc("kubefledged_imagecache_condition",
		"Conditions of ImageCaches: 1 if it is True, else 0.", []string{"imagecache_namespace", "imagecache", "type"}, nil)
	nodeImages = prometheus.NewDesc("kubefledged_node_images",
		"Images on all nodes, each once a node and identity, by state: cached, failed, waiting or removing.", []string{"state"}, nil)
)

// Gauges are what the ImageCaches and NodeCaches say of themselves.
func Gauges(from client.Reader) *metrics.Collector {
	return &metrics.Collector{
		Gauges: []*prometheus.Desc{imageCacheImages, imageCacheCondition, nodeImages}, Reader: from,
		Read: func(ctx context.Context, from client.Reader, emit metrics.Emit) error {
			if err := readImageCaches(ctx, from, emit); err != nil {
				return err
			}
			return readNodeCaches(ctx, from, emit)
		},
	}
}

func readImageCaches(ctx context.Context, from client.Reader, emit metrics.Emit) error {
	var all v1alpha2.ImageCacheList
	if err := from.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range all.Items {
		cache := &all.Items[i]
		metrics.EmitConditions(emit, imageCacheCondition, cache, cache.Status.Conditions)
		pairs := cache.Status.PairCounts
		for state, count := range map[string]int32{
			"cached": pairs.Cached, "pulling": pairs.Pulling, "pending": pairs.Pending, "failed": pairs.Failed, "waiting": pairs.Waiting,
		} {
			emit(imageCacheImages, float64(count), cache.Namespace, cache.Name, state)
		}
	}
	return nil
}

func readNodeCaches(ctx context.Context, from client.Reader, emit metrics.Emit) error {
	var all v1alpha2.NodeCacheList
	if err := from.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	var sum v1alpha2.NodeCacheStatus
	for i := range all.Items {
		status := &all.Items[i].Status
		sum.Cached, sum.Failed = sum.Cached+status.Cached, sum.Failed+status.Failed
		sum.Waiting, sum.Removing = sum.Waiting+status.Waiting, sum.Removing+status.Removing
	}
	for state, count := range map[string]int32{"cached": sum.Cached, "failed": sum.Failed, "waiting": sum.Waiting, "removing": sum.Removing} {
		emit(nodeImages, float64(count), state)
	}
	return nil
}
