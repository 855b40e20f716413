//go:build e2e

package operator

import (
	"slices"
	"testing"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Deleting the KubeFledged leaves what there was before it, and the user's
// ImageCaches; removing the operator leaves what there was before that.
func TestRemove(t *testing.T) {
	w := newWorld(t)
	w.nothing()
	w.make("deploy", oldTag)
	before, err := cluster.Objects(w.ctx)
	w.check(err)
	w.kubectl("apply", "--server-side", "-f", samplePath("charts_v1alpha2_kubefledged.yaml"))
	w.ready()
	w.tutorial()
	w.kubectl("patch", "imagecache", "imagecache1", "-n", lab.Namespace, "--type=merge", "-p", `{"spec":{"deletionPolicy":"Purge"}}`)

	w.kubectl("delete", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--timeout=2m")
	mine := "ImageCache " + lab.Namespace + "/imagecache1"
	w.onlyLeft(append(slices.Clone(before), mine))
	if now, err := cluster.Objects(w.ctx); err != nil || !slices.Contains(now, mine) {
		w.Errorf("the ImageCache is gone (error: %v)", err)
	}
	w.holds(true)
	w.kubectl("delete", "imagecache", "imagecache1", "-n", lab.Namespace, "--timeout=30s")

	w.make("remove-kubefledged-and-operator", oldTag)
	w.onlyLeft(empty)
}

// The chart alone, followed by the tutorial, and what its page says about
// removing it.
func TestHelm(t *testing.T) {
	w := newWorld(t)
	w.nothing()
	w.make("deploy-using-helm", oldTag)
	w.runs(3)
	w.tutorial()
	w.refuses()
	w.kubectl("delete", "imagecaches", "--all", "-A", "--timeout=1m")
	w.make("remove-kubefledged-and-operator", oldTag)
	w.onlyLeft(empty)
}

// The manifests alone, followed by the tutorial.
func TestManifests(t *testing.T) {
	w := newWorld(t)
	w.nothing()
	w.make("deploy-using-yaml", oldTag)
	w.runs(3)
	w.tutorial()
	w.refuses()
	w.make("remove-kubefledged-and-operator", oldTag)
	w.onlyLeft(empty)
}
