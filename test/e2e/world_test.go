//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// world is what one scenario has for itself: a namespace, and the repositories
// that begin with its name.
type world struct {
	*testing.T
	ctx       context.Context
	namespace string
	// began is when the scenario did, by the clock that the registry has too.
	began time.Time
	// undo is what to do at the end, last in first out.
	undo []func()
}

// newWorld makes a namespace under Pod Security restricted. A scenario that
// fails prints what the cluster looks like.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), namespace: "e2e-" + name, began: time.Now()}
	t.Cleanup(w.end)
	w.makeNamespace(w.namespace)
	return w
}

// Cleanup calls undo at the end of the scenario, after a failure has been
// explained: before that, nothing must change.
func (w *world) Cleanup(undo func()) { w.undo = append(w.undo, undo) }

func (w *world) end() {
	w.explain()
	for _, undo := range slices.Backward(w.undo) {
		undo()
	}
}

func (w *world) makeNamespace(name string) {
	w.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	w.create(namespace)
	w.Cleanup(func() { w.delete(namespace) })
}

// explain prints, after a failure, all that helps to understand it.
func (w *world) explain() {
	if !w.Failed() {
		return
	}
	ctx := context.Background()
	for _, args := range [][]string{
		{"get", "imagecaches", "-n", w.namespace, "-o", "yaml"},
		{"get", "nodecaches,nodes"},
		{"get", "jobs,pods", "-A", "-o", "wide"},
		{"get", "events", "-n", w.namespace, "--sort-by=.lastTimestamp"},
		{"logs", "-n", lab.Namespace, "-l", "kubefledged=" + lab.ControllerName, "--tail=40", "--prefix"},
	} {
		output, err := cluster.Kubectl(ctx, args...)
		w.Logf("kubectl %s (error: %v)\n%s", strings.Join(args, " "), err, output)
	}
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(object client.Object) {
	w.Helper()
	w.check(cluster.API.Create(w.ctx, object))
}

// delete is for cleaning up: the test's context has ended by then.
func (w *world) delete(object client.Object) {
	if err := client.IgnoreNotFound(cluster.API.Delete(context.Background(), object)); err != nil {
		w.Errorf("clean up: %v", err)
	}
}

// push makes an image of that size, alone in its repository.
func (w *world) push(name, size string) string {
	w.Helper()
	reference := "quay.io/" + w.namespace + "/" + name + ":1"
	_, err := cluster.PushImage(w.ctx, reference, size)
	w.check(err)
	return reference
}

// missing returns the name of an image that nobody has pushed.
func (w *world) missing(name string) string { return "quay.io/" + w.namespace + "/" + name + ":none" }

// rules sets the registry's rules until the scenario ends.
func (w *world) rules(rules ...lab.Rule) {
	w.Helper()
	w.check(cluster.Registry.SetRules(w.ctx, rules...))
	w.Cleanup(func() {
		if err := cluster.Registry.SetRules(context.Background()); err != nil {
			w.Errorf("clean up: %v", err)
		}
	})
}

// cache makes an ImageCache in the scenario's namespace, deleted at its end.
// Refreshes are off: what happens, happens at once or not at all.
func (w *world) cache(name string, images []string, changes ...func(*v1alpha2.ImageCache)) *v1alpha2.ImageCache {
	w.Helper()
	cache := &v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	cache.Spec.RefreshInterval = &metav1.Duration{}
	cache.Spec.CacheSpec = []v1alpha2.CacheSpecImages{{}}
	for _, image := range images {
		cache.Spec.CacheSpec[0].Images = append(cache.Spec.CacheSpec[0].Images, v1alpha2.Image(image))
	}
	for _, change := range changes {
		change(cache)
	}
	w.create(cache)
	w.Cleanup(func() { w.delete(cache) })
	return cache
}

// onNode restricts an ImageCache to one node.
func onNode(node string) func(*v1alpha2.ImageCache) {
	return withSelector(map[string]string{corev1.LabelHostname: node})
}

func withSelector(labels map[string]string) func(*v1alpha2.ImageCache) {
	return func(cache *v1alpha2.ImageCache) { cache.Spec.CacheSpec[0].NodeSelector = labels }
}

func withSecret(name string) func(*v1alpha2.ImageCache) {
	return func(cache *v1alpha2.ImageCache) {
		cache.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: name}}
	}
}

func inNamespace(name string) func(*v1alpha2.ImageCache) {
	return func(cache *v1alpha2.ImageCache) { cache.Namespace = name }
}

// await waits until the status is as wanted, and returns how long that took.
func (w *world) await(cache *v1alpha2.ImageCache, what string, limit time.Duration, wanted func(*v1alpha2.ImageCacheStatus) bool) time.Duration {
	w.Helper()
	began := time.Now()
	err := lab.Poll(w.ctx, cache.Name+" "+what, limit, func(ctx context.Context) (bool, string) {
		if err := cluster.API.Get(ctx, client.ObjectKeyFromObject(cache), cache); err != nil {
			return false, err.Error()
		}
		return cache.Status.ObservedGeneration == cache.Generation && wanted(&cache.Status), describe(&cache.Status)
	})
	w.check(err)
	return time.Since(began)
}

func (w *world) awaitWord(cache *v1alpha2.ImageCache, word v1alpha2.ImageCacheActionStatus, limit time.Duration) time.Duration {
	w.Helper()
	return w.await(cache, string(word), limit, func(s *v1alpha2.ImageCacheStatus) bool { return s.Status == word })
}

// awaitFailure waits until an image has failed on a node for this reason.
func (w *world) awaitFailure(cache *v1alpha2.ImageCache, image, node, reason string, limit time.Duration) v1alpha2.NodeReasonMessage {
	w.Helper()
	var found v1alpha2.NodeReasonMessage
	w.await(cache, reason, limit, func(s *v1alpha2.ImageCacheStatus) bool {
		i := slices.IndexFunc(s.Failures[image], func(f v1alpha2.NodeReasonMessage) bool {
			return f.Node == node && f.Reason == reason
		})
		if i >= 0 {
			found = s.Failures[image][i]
		}
		return i >= 0
	})
	return found
}

func describe(s *v1alpha2.ImageCacheStatus) string {
	return fmt.Sprintf("%s, cached %s, pulling %d, pending %d, failed %d, waiting %d %v, failures %v",
		s.Status, s.Progress, s.Pulling, s.Pending, s.Failed, s.Waiting, s.Nodes.WaitingReasons, s.Failures)
}

// podWith mounts an image as a pull Job does.
func (w *world) podWith(image string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "reader"},
		Spec: corev1.PodSpec{
			NodeName:      plainNode,
			RestartPolicy: corev1.RestartPolicyNever,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Volumes: []corev1.Volume{{Name: "image", VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: image},
			}}},
			Containers: []corev1.Container{{
				Name: "pause", Image: "registry.k8s.io/pause:3.10.1",
				VolumeMounts: []corev1.VolumeMount{{Name: "image", MountPath: "/image", ReadOnly: true}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}
