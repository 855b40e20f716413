//go:build e2e

package e2e

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

var (
	onPlain   = map[string]string{corev1.LabelHostname: plainNode}
	onBackend = map[string]string{"tier": "backend"}
)

// Edits that overtake each other while images are being pulled: images, lists,
// selectors and affinities come, go and change places, and the nodes end with
// what the last edit says, each blob fetched once at most.
func TestEditWhileProcessing(t *testing.T) {
	w := newWorld(t, "edit")
	w.watchJobs()
	a, b, c, d := w.push("a", "1KB"), w.push("b", "1KB"), w.push("c", "1KB"), w.push("d", "1KB")
	slow := w.push("slow", "10MB")
	w.rules(lab.Rule{Repository: w.namespace + "/slow", BytesPerSecond: 2_000_000})
	cache := w.cache("edit", []string{a, slow})
	w.edit(cache, toLists(list(nil, a, slow), list(onBackend, b)))
	w.awaitFetching("edit/slow")

	w.edit(cache, toLists(list(onBackend, b), list(nil, c, a)))
	w.edit(cache, toLists(list(onPlain, b), list(nil, c, a)))
	elsewhere := list(nil, a)
	elsewhere.NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "tier", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"backend"}},
		}}},
	}}
	w.edit(cache, toLists(list(nil, c), elsewhere, list(onPlain, b, d)))
	t.Logf("succeeded %s after the last edit", w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 60*time.Second))

	w.exactly(plainNode, 0, a, b, c, d)
	w.exactly(backendNode, 0, c)
	w.status(cache, v1alpha2.ImageCacheActionStatusSucceeded, v1alpha2.ImageCacheReasonUpdate, v1alpha2.MessageImagesPulled)
	if s := cache.Status; s.Progress != "5/5" || s.Removing != 0 {
		t.Errorf("status %s, removing %d", describe(&s), s.Removing)
	}
	w.fetchedOnce(plainNode)
	w.fetchedOnce(backendNode)
	if full() {
		w.editAtRandom(cache, []string{a, b, c, d})
	}
}

// editAtRandom edits thirty times, and follows the last edit only.
func (w *world) editAtRandom(cache *v1alpha2.ImageCache, images []string) {
	w.Helper()
	random := rand.New(rand.NewPCG(20, 26))
	var want map[string][]string
	for range 30 {
		want = map[string][]string{}
		var lists []v1alpha2.CacheSpecImages
		for range 1 + random.IntN(3) {
			place := [](map[string]string){nil, onPlain, onBackend}[random.IntN(3)]
			random.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
			some := images[:1+random.IntN(len(images))]
			lists = append(lists, list(place, some...))
			for node, selector := range map[string]map[string]string{plainNode: onPlain, backendNode: onBackend} {
				if place == nil || place[corev1.LabelHostname] == selector[corev1.LabelHostname] && place["tier"] == selector["tier"] {
					want[node] = append(want[node], some...)
				}
			}
		}
		w.edit(cache, toLists(lists...))
		time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond) // the moment of the next edit, not a wait
	}
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 60*time.Second)
	for _, node := range []string{plainNode, backendNode} {
		w.exactly(node, 0, slices.Compact(slices.Sorted(slices.Values(want[node])))...)
	}
}

// An edit of nothing but the secrets tries at once what was denied.
func TestSecretOnlyEdit(t *testing.T) {
	w := newWorld(t, "secret-edit")
	w.secret(w.namespace, password)
	image := w.push("private", "1KB")
	w.rules(lab.Rule{Repository: w.namespace, User: user, Password: password})
	cache := w.cache("denied", []string{image})
	w.unauthorized(cache, image)
	w.edit(cache, func(spec *v1alpha2.ImageCacheSpec) {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
	})
	t.Logf("granted %s after the edit", w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 15*time.Second))
	w.exactly(plainNode, 0, image)
	w.exactly(backendNode, 0, image)
	w.status(cache, v1alpha2.ImageCacheActionStatusSucceeded, v1alpha2.ImageCacheReasonUpdate, v1alpha2.MessageImagesPulled)
}
