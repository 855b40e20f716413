//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// registryFault is one way in which a registry fails.
type registryFault struct {
	name, injected string
	// host is the registry: one for each fault that may slow its registry down.
	host string
	rule lab.Rule
	// reason, and words of the registry or the runtime that must stay.
	reason, words string
	// most is how often the image of 1 MB may come over the network.
	most int64
	// permanent faults are not tried again for minutes, until somebody edits.
	permanent bool
}

var registryFaults = []registryFault{
	{
		name: "unauthorized", injected: "401 to the credentials of the ImageCache", host: "quay.io",
		rule:   lab.Rule{User: user, Password: "another"},
		reason: v1alpha2.ReasonUnauthorized, words: "401 Unauthorized", most: 1, permanent: true,
	},
	{
		name: "missing", injected: "404 for the manifest", host: "quay.io",
		rule:   lab.Rule{Kind: lab.Manifests, Status: http.StatusNotFound},
		reason: v1alpha2.ReasonImageNotFound, words: "not found", most: 1, permanent: true,
	},
	{
		name: "error", injected: "500 for the manifest, four times", host: "ghcr.io",
		rule:   lab.Rule{Kind: lab.Manifests, Status: http.StatusInternalServerError, Times: 4},
		reason: v1alpha2.ReasonRegistryUnavailable, words: "500 Internal Server Error", most: 1,
	},
	{
		name: "truncated", injected: "layers cut off in the middle, every time", host: "docker.io",
		rule:   lab.Rule{Kind: lab.Blobs, TruncateAfterBytes: 500_000},
		reason: v1alpha2.ReasonRegistryUnavailable, words: "EOF", most: 2, // the runtime asks for the rest
	},
	{
		name: "corrupt", injected: "layers with other bytes", host: "registry.access.redhat.com",
		rule:   lab.Rule{Kind: lab.Blobs, CorruptAfterBytes: 4096},
		reason: v1alpha2.ReasonImagePullFailed, words: "unexpected commit digest", most: 4, // once each try
	},
	{
		name: "redirects", injected: "a redirect to itself, for ever", host: "registry.k8s.io",
		rule:   lab.Rule{Kind: lab.Manifests, Redirect: true},
		reason: v1alpha2.ReasonImagePullFailed, words: "redirects", most: 1,
	},
}

// Whatever a registry does: the reason is told in its words, no password is
// shown, the other images of the same ImageCache come, and when the registry is
// well again so does the one that failed, fetched as often as it must.
func TestRegistryFaults(t *testing.T) {
	w := newWorld(t, "registry")
	w.secret(w.namespace, password)
	var rules []lab.Rule
	for _, f := range registryFaults {
		f.rule.Repository = w.namespace + "/" + f.name
		rules = append(rules, f.rule)
	}
	w.rules(rules...)
	caches := map[string]*v1alpha2.ImageCache{}
	for _, f := range registryFaults {
		images := []string{w.pushTo(f.host, f.name, "1MB"), w.push("beside-"+f.name, "1MB")}
		caches[f.name] = w.cache(f.name, images, onNode(plainNode), withSecret("registry"))
	}
	rows := map[string]*fault{}
	for _, f := range registryFaults {
		rows[f.name] = w.registryFails(f, caches[f.name])
	}
	w.registryHeals(caches, rows)
}

// pushTo makes an image that nodes take from that registry.
func (w *world) pushTo(host, name, size string) string {
	w.Helper()
	reference := host + "/" + w.namespace + "/" + name + ":1"
	_, err := cluster.PushImage(w.ctx, reference, size)
	w.check(err)
	return reference
}

// registryFails waits for the failure, and for the image beside it.
func (w *world) registryFails(f registryFault, cache *v1alpha2.ImageCache) *fault {
	w.Helper()
	row := w.fault(f.injected, f.reason+" in the registry's words; the other image comes; this one when the registry is well")
	images := cache.Spec.CacheSpec[0].Images
	failure := w.awaitFailure(cache, string(images[0]), plainNode, f.reason, 60*time.Second)
	row.saw("%s %s after the create: %s", failure.Reason, seconds(time.Since(cache.CreationTimestamp.Time)), failure.Message)
	if !strings.Contains(failure.Message, f.words) {
		w.Errorf("%s: %q is not in %q", f.name, f.words, failure.Message)
	}
	w.hidesPassword(cache)
	w.awaitImages(plainNode, 30*time.Second, string(images[1]))
	w.lacks(plainNode, string(images[0]))
	return row
}

// hidesPassword looks for the password, as it is and as it travels.
func (w *world) hidesPassword(cache *v1alpha2.ImageCache) {
	w.Helper()
	text := fmt.Sprintf("%+v", cache.Status)
	for _, secret := range []string{password, basic(user, password)} {
		if strings.Contains(text, secret) {
			w.Errorf("the status of %s shows the password: %s", cache.Name, text)
		}
	}
}

// registryHeals makes the registry well. What passes by itself is tried again
// soon, the rest after an edit; the longer form waits for it.
func (w *world) registryHeals(caches map[string]*v1alpha2.ImageCache, rows map[string]*fault) {
	w.Helper()
	w.check(cluster.Registry.SetRules(w.ctx, lab.Rule{Repository: w.namespace + "/unauthorized", User: user, Password: password}))
	began, limit := time.Now(), 2*time.Minute
	if full() {
		limit = 8 * time.Minute
	}
	for _, f := range registryFaults {
		if f.permanent && !full() {
			w.touch(caches[f.name])
		}
	}
	for _, f := range slices.Backward(registryFaults) { // the permanent ones last
		cache := caches[f.name]
		w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, limit)
		w.holds(plainNode, string(cache.Spec.CacheSpec[0].Images[0]))
		requests, bytes := w.gets(plainNode, f.name)
		rows[f.name].saw("cached %s after the registry was well; %d requests for a blob at most, %.1f MB of 1 MB", seconds(time.Since(began)), requests, float64(bytes)/1e6)
		if bytes > f.most*1_100_000 {
			w.Errorf("%s: %d bytes for an image of 1 MB", f.name, bytes)
		}
	}
}

// basic is what HTTP Basic authentication sends.
func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// touch edits an ImageCache without changing what it wants: a sign of its
// author to try again at once.
func (w *world) touch(cache *v1alpha2.ImageCache) {
	w.Helper()
	before := client.MergeFrom(cache.DeepCopy())
	deadline := 5 * time.Minute
	if old := cache.Spec.PullDeadline; old != nil {
		deadline = old.Duration
	}
	cache.Spec.PullDeadline = &metav1.Duration{Duration: deadline + time.Second}
	w.check(cluster.API.Patch(w.ctx, cache, before))
}

// A registry that throttles is left alone by all nodes for a while, though only
// one has heard so; other registries are not.
func TestThrottledRegistry(t *testing.T) {
	w := newWorld(t, "throttled")
	row := w.fault("429 with Retry-After from one registry, to one node", "RegistryThrottled; no node asks that registry for a while; another registry's images come; then all do")
	w.rules(lab.Rule{Repository: w.namespace + "/throttled", Kind: lab.Manifests, Status: http.StatusTooManyRequests, RetryAfter: 10})
	throttled := w.pushTo("gcr.io", "throttled", "1MB")
	first := w.cache("first", []string{throttled}, onNode(plainNode))
	failure := w.awaitFailure(first, throttled, plainNode, v1alpha2.ReasonRegistryThrottled, 30*time.Second)
	row.saw("%s: %s", failure.Reason, failure.Message)
	told := time.Now()

	same, beside := w.pushTo("gcr.io", "same", "1MB"), w.push("beside", "1MB")
	second := w.cache("second", []string{same, beside}, onNode(backendNode))
	w.awaitImages(backendNode, 15*time.Second, beside)
	w.lacks(backendNode, same)
	w.check(cluster.Registry.SetRules(w.ctx))
	began := time.Now()
	for _, cache := range []*v1alpha2.ImageCache{first, second} {
		w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 2*time.Minute)
	}
	waited := w.firstAsked("same").Sub(told)
	row.saw("the other node asked that registry %s after the failure was told", seconds(waited))
	row.saw("all cached %s after the registry was well; %d answers were 429", seconds(time.Since(began)), w.answers("throttled", http.StatusTooManyRequests))
	if waited < 5*time.Second {
		t.Errorf("the other node asked the throttled registry after %s", waited)
	}
	w.holds(plainNode, throttled)
	w.fetchedOnce(plainNode)
	w.fetchedOnce(backendNode)
}

// firstAsked is when a node first asked for anything of an image.
func (w *world) firstAsked(name string) time.Time {
	w.Helper()
	requests, err := cluster.Registry.Log(w.ctx, w.namespace+"/"+name+"/", w.began)
	w.check(err)
	first := time.Now()
	for _, request := range requests {
		if request.Time.Before(first) {
			first = request.Time
		}
	}
	return first
}

// answers counts the answers of that status about an image.
func (w *world) answers(name string, status int) (count int) {
	w.Helper()
	requests, err := cluster.Registry.Log(w.ctx, w.namespace+"/"+name+"/", w.began)
	w.check(err)
	for _, request := range requests {
		if request.Status == status {
			count++
		}
	}
	return count
}

// A registry that stops sending holds up one image until its deadline, and
// nothing else where the kubelet pulls in parallel.
func TestStalledPull(t *testing.T) {
	if !full() {
		t.Skip("a minute long")
	}
	w := newWorld(t, "stalled")
	row := w.fault("a layer that stops after 2 MB, pullDeadline 15 s", "PullDeadlineExceeded; the others come; when the registry sends on, the runtime does not begin anew")
	const node = "patient"
	w.addNodeWith(node, lab.NodeOptions{Kubelet: map[string]any{"serializeImagePulls": false, "maxParallelImagePulls": 5}})
	w.rules(lab.Rule{Repository: w.namespace + "/stalled", Kind: lab.Blobs, StallAfterBytes: 2_000_000})
	stalled, others := w.push("stalled", "10MB"), []string{w.push("a", "1MB"), w.push("b", "1MB")}
	cache := w.cache("stalled", append([]string{stalled}, others...), onNode(node), func(cache *v1alpha2.ImageCache) {
		cache.Spec.PullDeadline = &metav1.Duration{Duration: 15 * time.Second}
	})
	began := time.Now()
	w.awaitImages(node, 30*time.Second, others...)
	row.saw("the others were there after %s", seconds(time.Since(began)))
	failure := w.awaitFailure(cache, stalled, node, v1alpha2.ReasonPullDeadlineExceeded, time.Minute)
	row.saw("%s after %s: %s", failure.Reason, seconds(time.Since(began)), failure.Message)
	w.await(cache, "the others", 30*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == 2 && s.Failed == 1 })
	w.lacks(node, stalled)
	w.check(cluster.Registry.SetRules(w.ctx))
	w.touch(cache)
	began = time.Now()
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, time.Minute)
	most, bytes := w.gets(node, "stalled")
	row.saw("cached %s after the registry sent on and an edit; its layer of 10 MB was asked for %d times, %.1f MB in all", seconds(time.Since(began)), most, float64(bytes)/1e6)
	w.holds(node, stalled)
	if most > 2 {
		t.Errorf("asked %d times for one blob", most)
	}
}
