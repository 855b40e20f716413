//go:build e2e

package operator

import (
	"slices"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Deleting the KubeFledged leaves what there was before it, and the user's
// ImageCaches; removing the operator leaves what there was before that.
func TestRemove(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "the KubeFledged deleted, with an ImageCache that purges on deletion",
		"the objects are those from before it, and the ImageCache; its images stay")
	w.nothing()
	w.make("deploy")
	before, err := w.cluster.Objects(w.ctx)
	w.check(err)
	w.kubectl("apply", "--server-side", "-f", w.sample("charts_v1alpha2_kubefledged.yaml"))
	w.ready()
	w.caches()
	w.kubectl("patch", "imagecache", "imagecache1", "-n", lab.Namespace, "--type=merge", "-p", `{"spec":{"deletionPolicy":"Purge"}}`)

	began := time.Now()
	w.kubectl("delete", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--timeout=2m")
	took := time.Since(began)
	mine := "ImageCache " + lab.Namespace + "/imagecache1"
	w.onlyLeft(append(slices.Clone(before), mine))
	w.saw("uninstalled in %.1f s; 0 objects more than before", took.Seconds())
	if now, err := w.cluster.Objects(w.ctx); err != nil || !slices.Contains(now, mine) {
		w.Errorf("the ImageCache is gone (error: %v)", err)
	}
	w.has([]string{nginx, tomcat}, tutorialImages)
	w.kubectl("delete", "imagecache", "imagecache1", "-n", lab.Namespace, "--timeout=30s")
	w.removes()
}
