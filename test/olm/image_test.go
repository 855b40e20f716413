//go:build e2e

package olm

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// A catalog by its image, whose updates are approved by hand, with the operator
// in a namespace that enforces Pod Security baseline. What is removed first is
// the operator, which is the wrong order.
func TestCatalogByImage(t *testing.T) {
	w := newWorld(t)
	w.catalogByImage(w.pushCatalog(oldVersion))
	w.namespaces("baseline")
	w.subscribe("Manual")
	w.step("Subscription, approved by hand, to CSV "+oldVersion+" Succeeded", func() {
		w.approve(oldVersion)
		w.installed(oldVersion)
	})
	w.imageCacheReady(oldVersion)
	w.tutorial()

	began := time.Now()
	w.step("new catalog image, approved by hand, to CSV "+newVersion+" Succeeded", func() {
		w.kubectl("patch", "catalogsource", "kubefledged", "-n", "olm", "--type=merge", "-p", `{"spec":{"image":"`+w.pushCatalog(newVersion)+`"}}`)
		w.approve(newVersion)
		w.installed(newVersion)
	})
	w.step("CSV "+newVersion+" to image cache of "+newVersion, func() { w.ready(newVersion) })
	w.nothingPulledSince(began)

	w.removedInTheWrongOrder()
	w.step("image cache removed", w.removeImageCache)
	w.removeOperator()
	w.removeCatalog()
	w.onlyOLM()
}

// removedInTheWrongOrder deletes what OLM knows of the operator while its
// KubeFledged is there. The image cache works on; deleted without an operator,
// the KubeFledged waits, and another Subscription is the way out.
func (w *world) removedInTheWrongOrder() {
	w.Helper()
	w.step("Subscription and CSV deleted first", func() {
		w.kubectl("delete", "subscriptions.operators.coreos.com,clusterserviceversions", "--all", "-n", operatorNamespace, "--timeout=1m")
		w.poll("the operator is gone", time.Minute, func(ctx context.Context) (bool, string) {
			return gone(ctx, "apps/v1", "Deployment", operatorNamespace, "kubefledged-operator"), "Deployment there"
		})
	})
	w.check(cluster.AwaitController(w.ctx))
	w.kubectl("delete", "imagecache", "imagecache1", "-n", lab.Namespace, "--timeout=1m")
	w.tutorial()
	calls := w.beginAdmission()

	w.kubectl("delete", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--wait=false")
	time.Sleep(quietTime)
	calls.end(w)
	if held := w.kubectl("get", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "-o", "jsonpath={.metadata.deletionTimestamp} {.metadata.finalizers}"); !strings.Contains(held, "charts.helm.kubefledged.io/uninstall") {
		w.Errorf("the KubeFledged does not wait for an operator: %s", held)
	}
	w.subscribe("Automatic")
	w.step("subscribed again, KubeFledged that waited gone", func() {
		w.installed(newVersion)
		w.kubectl("wait", "--for=delete", "kubefledgeds/kubefledged", "-n", lab.Namespace, "--timeout=2m")
	})
}

// pushCatalog pushes the catalog of that version and returns its image by
// digest, as nodes know it.
func (w *world) pushCatalog(version string) string {
	w.Helper()
	output, err := runMake(w.ctx, "catalog-push", "CATALOG_DIR="+catalogDir(version),
		"CATALOG_IMG="+cluster.Registry.Address+"/kubefledged/kubefledged-operator-catalog:v"+version)
	w.check(err)
	digest, err := digestIn(output, "kubefledged-operator-catalog")
	w.check(err)
	return repositories + "/kubefledged-operator-catalog@" + digest
}
