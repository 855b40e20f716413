package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

const (
	appSize  = "100MB"
	appCache = "app"
	// cachedNode gets the app's image from an ImageCache, bareNode has none.
	cachedNode, bareNode = "worker1", "worker3"
	slowRate             = 25_000_000
	rounds               = 3
	startLimit           = time.Minute
)

// appImages are as many as there are starts without the image on the node: an
// image that a pod has used is not gone from the node for a while. The first
// ones serve the starts with it.
func appImages() []string {
	var all []string
	for i := range 2 * rounds {
		all = append(all, fmt.Sprintf("quay.io/demo/app-%d:1", i))
	}
	return all
}

// measureStarts compares how long a pod takes to run with and without its
// image on the node. The same pod, on like nodes of one cluster.
func (d *demo) measureStarts(ctx context.Context) error {
	if err := d.cacheApp(ctx); err != nil {
		return err
	}
	d.screen.say("%s holds images of 100 MB, %s does not", cachedNode, bareNode)
	all := appImages()
	cached, err := d.median(ctx, "cached", cachedNode, all[:rounds], 0)
	if err != nil {
		return err
	}
	fast, err := d.median(ctx, "not cached, registry at full speed", bareNode, all[:rounds], 0)
	if err != nil {
		return err
	}
	slow, err := d.median(ctx, "not cached, registry at 25 MB/s", bareNode, all[rounds:], slowRate)
	if err != nil {
		return err
	}
	d.screen.block("\n" + startTable(cached, fast, slow))
	return nil
}

func startTable(cached, fast, slow time.Duration) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "IMAGE OF 100 MB\tREGISTRY\tPOD RUNS AFTER\tRATIO\t\n")
	for _, row := range []struct {
		image, registry string
		took            time.Duration
	}{
		{"cached by KubeFledged", "not asked", cached},
		{"not on the node", "same machine, full speed", fast},
		{"not on the node", "25 MB/s", slow},
	} {
		fmt.Fprintf(table, "%s\t%s\t%.2f s\t%.1f x\t\n", row.image, row.registry, row.took.Seconds(), row.took.Seconds()/cached.Seconds())
	}
	_ = table.Flush() // to memory
	return text.String() + fmt.Sprintf("from create to running, median of %d\n", rounds)
}

// cacheApp has the app's images cached on their node.
func (d *demo) cacheApp(ctx context.Context) error {
	list := v1alpha2.CacheSpecImages{NodeSelector: map[string]string{corev1.LabelHostname: cachedNode}}
	for _, image := range appImages()[:rounds] {
		list.Images = append(list.Images, v1alpha2.Image(image))
	}
	cache := &v1alpha2.ImageCache{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: appCache},
		Spec:       v1alpha2.ImageCacheSpec{CacheSpec: []v1alpha2.CacheSpecImages{list}},
	}
	if err := d.cluster.API.Create(ctx, cache); err != nil {
		return err
	}
	return d.follow(ctx, appCache, v1alpha2.ImageCacheReasonCreate)
}

// median starts one pod of each image and returns the median of the times.
func (d *demo) median(ctx context.Context, what, node string, references []string, rate int64) (time.Duration, error) {
	if err := d.cluster.Registry.SetRules(ctx, lab.Rule{Repository: "demo/*", BytesPerSecond: rate}); err != nil {
		return 0, err
	}
	var all []time.Duration
	for _, reference := range references {
		took, err := d.startPod(ctx, node, reference)
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	d.screen.say("%-36s %5.2f s  %5.2f s  %5.2f s", what, all[0].Seconds(), all[1].Seconds(), all[2].Seconds())
	return all[len(all)/2], d.cluster.Registry.SetRules(ctx)
}

// startPod returns the time from the create to the news that the container
// runs, and deletes the pod.
func (d *demo) startPod(ctx context.Context, node, reference string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	pod := appPod(node, reference)
	pods, err := d.cluster.API.Watch(ctx, &corev1.PodList{}, client.InNamespace(pod.Namespace), client.MatchingLabels(pod.Labels))
	if err != nil {
		return 0, err
	}
	defer pods.Stop()
	began := time.Now()
	if err := d.cluster.API.Create(ctx, pod); err != nil {
		return 0, err
	}
	took, err := awaitRunning(ctx, pods, pod.UID, began)
	if err != nil {
		return 0, fmt.Errorf("pod %s on %s: %w", pod.Name, node, err)
	}
	return took, d.cluster.API.Delete(ctx, pod, client.GracePeriodSeconds(0))
}

func awaitRunning(ctx context.Context, pods watch.Interface, uid types.UID, began time.Time) (time.Duration, error) {
	for {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("does not run: %w", ctx.Err())
		case event, open := <-pods.ResultChan():
			if !open {
				return 0, fmt.Errorf("the watch ended after %s", time.Since(began))
			}
			if pod, ok := event.Object.(*corev1.Pod); ok && pod.UID == uid && running(pod) {
				return time.Since(began), nil
			}
		}
	}
}

// appPod is an ordinary pod, under Pod Security restricted.
func appPod(node, reference string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "app-", Namespace: lab.Namespace, Labels: map[string]string{"demo": "app"}},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{corev1.LabelHostname: node},
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "app", Image: reference,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}
