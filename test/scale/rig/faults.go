package rig

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/scale/report"
)

// ten returns the odd image as the third of ten new ones.
func ten(odd string) []v1alpha2.Image {
	all := make([]v1alpha2.Image, 10)
	for i := range all {
		all[i] = v1alpha2.Image(fmt.Sprintf("registry.example/beside/%s-%d:1", odd, i))
	}
	all[2] = v1alpha2.Image("registry.example/" + odd + "/image:1")
	return all
}

// missing measures ten images of which no registry has one, on a few nodes:
// when all nine others are there and the failure is told everywhere.
func (r *Rig) missing(ctx context.Context, result *report.Result) error {
	images := ten("missing")
	name := fmt.Sprintf("%d nodes, one of ten images is missing", fewNodes)
	err := r.some(ctx, result, name, "missing", images, func(ic *v1alpha2.ImageCache) bool {
		return ic.Status.Cached == 9*fewNodes && ic.Status.Failed == fewNodes
	})
	if err != nil {
		return err
	}
	if result.Held.BesideMissing, err = r.held(ctx, images); err != nil {
		return err
	}
	return r.drop(ctx, "missing")
}

// slow measures ten images of which one takes longer than the controller has
// the others wait.
func (r *Rig) slow(ctx context.Context, result *report.Result) error {
	images := ten("slow")
	name := fmt.Sprintf("%d nodes, one of ten images is slow", fewNodes)
	err := r.some(ctx, result, name, "slow", images, func(ic *v1alpha2.ImageCache) bool { return ic.Status.Cached == 10*fewNodes })
	if err != nil {
		return err
	}
	if result.Held.BesideSlow, err = r.held(ctx, images); err != nil {
		return err
	}
	return r.drop(ctx, "slow")
}

// some measures an ImageCache for a few nodes, until done.
func (r *Rig) some(
	ctx context.Context, result *report.Result, name, cache string, images []v1alpha2.Image, done func(*v1alpha2.ImageCache) bool,
) error {
	return r.one(ctx, result, name, func(ctx context.Context) error {
		if err := r.cluster.API.Create(ctx, cacheOf(cache, images, few)); err != nil {
			return err
		}
		if err := r.await(ctx, cache, done); err != nil {
			return err
		}
		return r.settle(ctx)
	})
}

// drop deletes an ImageCache, which leaves its images where they are.
func (r *Rig) drop(ctx context.Context, name string) error {
	ic := &v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := client.IgnoreNotFound(r.cluster.API.Delete(ctx, ic)); err != nil {
		return err
	}
	return r.settle(ctx)
}

// replaced measures machines that are replaced by new ones of the same names,
// all at once: what was recorded of the old ones means nothing.
func (r *Rig) replaced(ctx context.Context, result *report.Result) error {
	err := r.one(ctx, result, fmt.Sprintf("%d nodes are replaced", fewNodes), func(ctx context.Context) error {
		err := parallel(ctx, 16, 0, fewNodes, func(ctx context.Context, i int) error {
			nodes := r.typed.CoreV1().Nodes()
			if err := nodes.Delete(ctx, nodeName(i), metav1.DeleteOptions{}); err != nil {
				return err
			}
			_, err := nodes.Create(ctx, newNode(i), metav1.CreateOptions{})
			return err
		})
		if err != nil {
			return err
		}
		if err := r.wait(ctx, 2*time.Second, r.recordedAnew); err != nil {
			return err
		}
		if err := r.await(ctx, first, succeeded); err != nil {
			return err
		}
		return r.settle(ctx)
	})
	if err != nil {
		return err
	}
	result.Held.AfterReplaced, err = r.held(ctx, r.wanted)
	return err
}

// recordedAnew tells that each replaced node has a record of its own.
func (r *Rig) recordedAnew(ctx context.Context) (bool, error) {
	records, err := r.records(ctx)
	if err != nil {
		return false, err
	}
	for i := range fewNodes {
		node, err := r.typed.CoreV1().Nodes().Get(ctx, nodeName(i), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if records[node.Name] != node.UID {
			return false, nil
		}
	}
	return true, nil
}
