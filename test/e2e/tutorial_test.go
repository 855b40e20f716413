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

// The tutorial's manifest, unchanged, does what the tutorial says.
func TestTutorial(t *testing.T) {
	w := newWorld(t, "tutorial")
	everywhere := []string{"quay.io/bitnami/nginx:1.21.1", "quay.io/bitnami/tomcat:10.0.8"}
	backend := []string{"quay.io/bitnami/redis:6.2.5", "quay.io/bitnami/mariadb:10.5.11"}
	for _, image := range append(everywhere, backend...) {
		_, err := cluster.PushImage(w.ctx, image, "5MB")
		w.check(err)
	}
	cache := w.sample("kubefledged_v1alpha2_imagecache.yaml")
	w.create(cache)
	w.Cleanup(func() { w.delete(cache) })
	t.Logf("succeeded after %s", w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 30*time.Second))

	w.holds(plainNode, everywhere...)
	w.lacks(plainNode, backend...)
	w.holds(backendNode, append(everywhere, backend...)...)
	s := cache.Status
	if s.Reason != "ImageCacheCreate" || s.Message != "All requested images pulled succesfully to respective nodes" {
		t.Errorf("reason %q, message %q: the original has other words", s.Reason, s.Message)
	}
	if s.Progress != "6/6" || s.Failed != 0 || s.Nodes.Complete != 2 || s.StartTime == nil || s.CompletionTime == nil {
		t.Errorf("status %+v", s)
	}
	w.columns(cache)
}

// sample reads a manifest as users apply it.
func (w *world) sample(name string) *v1alpha2.ImageCache {
	w.Helper()
	content, err := os.ReadFile(filepath.Join(cluster.Root, "config", "samples", name))
	w.check(err)
	var cache v1alpha2.ImageCache
	w.check(yaml.UnmarshalStrict(content, &cache))
	return &cache
}

// columns checks what kubectl prints.
func (w *world) columns(cache *v1alpha2.ImageCache) {
	w.Helper()
	output, err := cluster.Kubectl(w.ctx, "get", "ic", cache.Name, "-n", cache.Namespace)
	w.check(err)
	lines := strings.Split(output, "\n")
	if got := strings.Join(strings.Fields(lines[0]), " "); got != "NAME STATUS CACHED FAILED NODES AGE" {
		w.Errorf("columns %q", got)
	}
	row := strings.Fields(lines[1])
	if got := strings.Join(row[:len(row)-1], " "); got != cache.Name+" Succeeded 6/6 0 2" {
		w.Errorf("row %q", lines[1])
	}
}
