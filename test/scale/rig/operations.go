package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/scale/accounts"
	"github.com/kubefledged/kubefledged-operator/test/scale/kubelets"
	"github.com/kubefledged/kubefledged-operator/test/scale/report"
)

// quiet is how long nothing must be written for an operation to be over with
// all that follows from it.
const quiet = 3 * time.Second

// settle waits until our Jobs and pods are gone and the controller writes
// nothing any more. What a kubelet tells of its images comes later.
func (r *Rig) settle(ctx context.Context) error {
	err := r.wait(ctx, time.Second, func(ctx context.Context) (bool, error) {
		pods, err := r.typed.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: 1, LabelSelector: ours})
		if err != nil || len(pods.Items) > 0 {
			return false, err
		}
		jobs, err := r.typed.BatchV1().Jobs(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: 1, LabelSelector: ours})
		return err == nil && len(jobs.Items) == 0, err
	})
	if err != nil {
		return err
	}
	for {
		wrote, err := r.writesWithin(ctx, quiet)
		if err != nil || !wrote {
			return err
		}
	}
}

// writesWithin tells whether the controller writes anything in that time: the
// status may be as wanted while records have still to be written.
func (r *Rig) writesWithin(ctx context.Context, d time.Duration) (bool, error) {
	from, err := r.log.Size()
	if err != nil {
		return false, err
	}
	if err := r.pause(ctx, d); err != nil {
		return false, err
	}
	to, err := r.log.Size()
	if err != nil {
		return false, err
	}
	requests, err := r.log.Between(from, to)
	return accounts.Sum(accounts.Count(requests).Own) > 0, err
}

const ours = v1alpha2.LabelApp + "=" + v1alpha2.LabelAppValue

func (r *Rig) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-clock.After(d):
		return nil
	}
}

// byHand creates the hand-made Jobs all at once, waits until they are complete,
// and deletes them.
func (r *Rig) byHand(ctx context.Context, f *report.Floor) error {
	jobs := r.typed.BatchV1().Jobs(namespace)
	began := clock.Now()
	err := parallel(ctx, 10, 0, handmade, func(ctx context.Context, i int) error {
		_, err := jobs.Create(ctx, newHandmade(i, i%r.Nodes), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	err = r.wait(ctx, 250*time.Millisecond, func(ctx context.Context) (bool, error) {
		list, err := jobs.List(ctx, metav1.ListOptions{LabelSelector: "by=hand"})
		if err != nil {
			return false, err
		}
		complete := 0
		for i := range list.Items {
			if list.Items[i].Status.Succeeded == 1 && list.Items[i].Status.CompletionTime != nil {
				complete++
			}
		}
		return complete == handmade, nil
	})
	if err != nil {
		return err
	}
	f.Jobs, f.Pairs, f.Seconds = handmade, handmade*handmadeImages, clock.Since(began).Seconds()
	err = jobs.DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)},
		metav1.ListOptions{LabelSelector: "by=hand"})
	if err != nil {
		return err
	}
	return r.wait(ctx, time.Second, func(ctx context.Context) (bool, error) {
		pods, err := r.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err == nil && len(pods.Items) == 0, err
	})
}

// apply creates an ImageCache and waits until all of it is cached; progress
// gets what the status says on the way.
func (r *Rig) apply(ctx context.Context, cache *v1alpha2.ImageCache, progress *[]report.Point) error {
	began := clock.Now()
	if err := r.cluster.API.Create(ctx, cache); err != nil {
		return err
	}
	return r.await(ctx, cache.Name, func(ic *v1alpha2.ImageCache) bool {
		if progress != nil {
			*progress = append(*progress, report.Point{Seconds: clock.Since(began).Seconds(), Pairs: int(ic.Status.Cached)})
		}
		return succeeded(ic)
	})
}

// succeeded tells that the status speaks of the spec as it is, and is good.
func succeeded(ic *v1alpha2.ImageCache) bool {
	return ic.Status.ObservedGeneration == ic.Generation && ic.Status.Status == v1alpha2.ImageCacheActionStatusSucceeded
}

func (r *Rig) await(ctx context.Context, name string, done func(*v1alpha2.ImageCache) bool) error {
	return r.wait(ctx, 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		var ic v1alpha2.ImageCache
		err := r.cluster.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &ic)
		return err == nil && done(&ic), err
	})
}

// ask sets the annotation of a user's request and waits until it is served.
func (r *Rig) ask(ctx context.Context, name, annotation string) error {
	r.operation++
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, annotation, strconv.Itoa(r.operation))
	ic := newCache(name, nil)
	if err := r.cluster.API.Patch(ctx, ic, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return err
	}
	return r.await(ctx, name, func(ic *v1alpha2.ImageCache) bool {
		last := ic.Status.LastOperation
		return last != nil && last.ID == acceptedID(ic) && last.CompletionTime != nil && succeeded(ic)
	})
}

// acceptedID is the number of the request accepted last, -1 while one waits.
func acceptedID(ic *v1alpha2.ImageCache) int64 {
	for _, asked := range []string{v1alpha2.AnnotationPurge, v1alpha2.AnnotationRefresh} {
		if _, waits := ic.Annotations[asked]; waits {
			return -1
		}
	}
	var accepted struct{ ID int64 }
	if json.Unmarshal([]byte(ic.Annotations[v1alpha2.AnnotationAccepted]), &accepted) != nil {
		return -1
	}
	return accepted.ID
}

// replaceFirst replaces the first image by another one and waits for it.
func (r *Rig) replaceFirst(ctx context.Context, name string, with v1alpha2.Image) error {
	patch := fmt.Sprintf(`[{"op":"replace","path":"/spec/cacheSpec/0/images/0","value":%q}]`, with)
	ic := newCache(name, nil)
	if err := r.cluster.API.Patch(ctx, ic, client.RawPatch("application/json-patch+json", []byte(patch))); err != nil {
		return err
	}
	return r.await(ctx, name, succeeded)
}

// refreshEvery sets the interval of automatic refreshes.
func (r *Rig) refreshEvery(ctx context.Context, name string, interval time.Duration) error {
	patch := fmt.Sprintf(`{"spec":{"refreshInterval":%q}}`, interval)
	ic := newCache(name, nil)
	if err := r.cluster.API.Patch(ctx, ic, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return err
	}
	return r.await(ctx, name, succeeded)
}

// join adds nodes at a steady pace and waits until the ImageCache is complete
// on them too. It returns the node of each Job that was seen.
func (r *Rig) join(ctx context.Context, name string, from, to int, every time.Duration) (map[string]string, error) {
	seen := map[string]string{}
	watch, err := r.cluster.API.Watch(ctx, &batchv1.JobList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		for e := range watch.ResultChan() {
			if job, ok := e.Object.(*batchv1.Job); ok {
				seen[job.Name] = job.Annotations[v1alpha2.AnnotationNode]
			}
		}
	}()
	for i := from; i < to; i++ {
		if _, err := r.typed.CoreV1().Nodes().Create(ctx, newNode(i), metav1.CreateOptions{}); err != nil {
			return nil, err
		}
		if err := r.pause(ctx, every); err != nil {
			return nil, err
		}
	}
	err = r.await(ctx, name, func(ic *v1alpha2.ImageCache) bool {
		return succeeded(ic) && int(ic.Status.Desired) >= to*r.Images
	})
	watch.Stop()
	<-listened
	return seen, err
}

// leave deletes nodes and waits until nothing is left of them.
func (r *Rig) leave(ctx context.Context, from, to int) error {
	for i := from; i < to; i++ {
		if err := r.typed.CoreV1().Nodes().Delete(ctx, nodeName(i), metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return r.wait(ctx, time.Second, func(ctx context.Context) (bool, error) {
		records, err := r.records(ctx)
		return err == nil && len(records) <= from, err
	})
}

// restart kills the controller, starts another one, and waits until that leads
// and has had time to do whatever it would do.
func (r *Rig) restart(ctx context.Context, look time.Duration) error {
	if err := r.controller.kill(); err != nil {
		return err
	}
	if err := r.startController(ctx); err != nil {
		return err
	}
	return r.pause(ctx, look)
}

// full tells whether the nodes' lists of images are as long as they get.
func (r *Rig) full(ctx context.Context) (bool, error) {
	node, err := r.typed.CoreV1().Nodes().Get(ctx, nodeName(0), metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	return len(node.Status.Images) >= r.Listed, nil
}

// reported waits until every node has told of its images.
func (r *Rig) reported(ctx context.Context) error {
	return r.wait(ctx, 2*time.Second, func(ctx context.Context) (bool, error) {
		state, err := kubelets.StateAt(ctx, r.socket())
		return err == nil && state.Reporting == 0, err
	})
}

// held counts the pairs of node and image that there are, by what the kubelets
// have: no part of the product is asked.
func (r *Rig) held(ctx context.Context, images []v1alpha2.Image) (int, error) {
	state, err := kubelets.StateAt(ctx, r.socket())
	pairs := 0
	for _, image := range images {
		pairs += state.Images[string(image)]
	}
	return pairs, err
}

// records returns the uids of the nodes that there are records of, by name.
func (r *Rig) records(ctx context.Context) (map[string]types.UID, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(v1alpha2.GroupVersion.WithKind("NodeCacheList"))
	if err := r.cluster.API.List(ctx, list); err != nil {
		return nil, err
	}
	uids := map[string]types.UID{}
	for i := range list.Items {
		uids[list.Items[i].Name] = ""
		for _, owner := range list.Items[i].OwnerReferences {
			uids[list.Items[i].Name] = owner.UID
		}
	}
	return uids, nil
}
