//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// The tutorial's images: nginx and tomcat for every node, the others for tier=backend.
const (
	nginx   = "quay.io/bitnami/nginx:1.21.1"
	tomcat  = "quay.io/bitnami/tomcat:10.0.8"
	redis   = "quay.io/bitnami/redis:6.2.5"
	mariadb = "quay.io/bitnami/mariadb:10.5.11"
)

// The tutorial word for word: its manifests and commands do what it says, and
// the container runtimes and the status agree.
func TestTutorial(t *testing.T) {
	w := newWorld(t, "tutorial")
	log := w.watchJobs()
	for _, image := range []string{nginx, tomcat, redis, mariadb} {
		_, err := cluster.PushImage(w.ctx, image, "5MB")
		w.check(err)
	}
	cache := w.sample("kubefledged_v1alpha2_imagecache.yaml")
	w.Cleanup(func() { w.delete(cache) })

	w.kubectl("create", "-f", samplePath("kubefledged_v1alpha2_imagecache.yaml"))
	w.shows(cache, v1alpha2.ImageCacheReasonCreate, v1alpha2.MessagePullingImages, v1alpha2.MessageImagesPulled)
	w.has([]string{nginx, tomcat}, []string{nginx, tomcat, redis, mariadb})
	if s := cache.Status; s.Progress != "6/6" || s.Failed != 0 || s.Nodes.Complete != 2 || s.StartTime == nil || s.CompletionTime == nil {
		t.Errorf("status %+v", s)
	}
	w.columns(cache)

	w.kubectl("apply", "-f", samplePath("kubefledged_v1alpha2_imagecache_modified.yaml"))
	w.shows(cache, v1alpha2.ImageCacheReasonUpdate, v1alpha2.MessageUpdatingCache, v1alpha2.MessageImagesPulled)
	w.has([]string{nginx}, []string{nginx, redis, mariadb})

	w.kubectl("annotate", "imagecaches", "imagecache1", "-n", "kube-fledged", "kubefledged.io/purge-imagecache=")
	w.shows(cache, v1alpha2.ImageCacheReasonPurge, v1alpha2.MessagePurgingCache, v1alpha2.MessageImagesDeleted)
	w.has(nil, nil)

	w.kubectl("annotate", "imagecaches", "imagecache1", "-n", "kube-fledged", "kubefledged.io/refresh-imagecache=")
	w.shows(cache, v1alpha2.ImageCacheReasonRefresh, v1alpha2.MessageRefreshingCache, v1alpha2.MessageImagesPulled)
	w.has([]string{nginx}, []string{nginx, redis, mariadb})
	for _, image := range []string{nginx, tomcat} {
		w.counted(log, 1, removes, plainNode, image)
	}
}

func samplePath(name string) string { return filepath.Join(cluster.Root, "config", "samples", name) }

// sample reads a manifest as users apply it.
func (w *world) sample(name string) *v1alpha2.ImageCache {
	w.Helper()
	content, err := os.ReadFile(samplePath(name))
	w.check(err)
	var cache v1alpha2.ImageCache
	w.check(yaml.UnmarshalStrict(content, &cache))
	return &cache
}

// kubectl runs a command of the tutorial.
func (w *world) kubectl(args ...string) string {
	w.Helper()
	output, err := cluster.Kubectl(w.ctx, args...)
	w.check(err)
	w.Logf("kubectl %s: %s", strings.Join(args, " "), output)
	return output
}

// shows waits until the status is first Processing and then Succeeded, with
// the original's words.
func (w *world) shows(cache *v1alpha2.ImageCache, reason, during, after string) {
	w.Helper()
	w.await(cache, "Processing, "+reason, 10*time.Second, func(s *v1alpha2.ImageCacheStatus) bool {
		return s.Status == v1alpha2.ImageCacheActionStatusProcessing && s.Reason == reason && s.Message == during
	})
	took := w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second)
	w.Logf("%s: %s after %s", reason, cache.Status.Status, took)
	w.status(cache, v1alpha2.ImageCacheActionStatusSucceeded, reason, after)
}

// has checks which of the tutorial's images the nodes' runtimes list.
func (w *world) has(plain, backend []string) {
	w.Helper()
	for node, images := range map[string][]string{plainNode: plain, backendNode: backend} {
		gone := []string{}
		for _, image := range []string{nginx, tomcat, redis, mariadb} {
			if !strings.Contains(strings.Join(images, " "), image) {
				gone = append(gone, image)
			}
		}
		w.holds(node, images...)
		w.lacks(node, gone...)
	}
}

// columns checks what kubectl prints.
func (w *world) columns(cache *v1alpha2.ImageCache) {
	w.Helper()
	lines := strings.Split(w.kubectl("get", "ic", cache.Name, "-n", cache.Namespace), "\n")
	if got := strings.Join(strings.Fields(lines[0]), " "); got != "NAME STATUS CACHED FAILED NODES AGE" {
		w.Errorf("columns %q", got)
	}
	row := strings.Fields(lines[1])
	if got := strings.Join(row[:len(row)-1], " "); got != cache.Name+" Succeeded 6/6 0 2" {
		w.Errorf("row %q", lines[1])
	}
}
