//go:build e2e

package olm

import (
	"testing"
	"time"
)

// quietTime is how long nothing may be pulled after an upgrade.
const quietTime = 10 * time.Second

// The whole life with a catalog that is served at an address: install, upgrade
// with caches in use, remove in the right order.
func TestCatalogByAddress(t *testing.T) {
	w := newWorld(t)
	server := w.serve(oldVersion)
	w.catalogByAddress()
	w.namespaces("restricted")
	w.subscribe("Automatic")
	w.step("Subscription to CSV "+oldVersion+" Succeeded", func() { w.installed(oldVersion) })
	w.imageCacheReady(oldVersion)
	w.tutorial()

	calls := w.beginAdmission()
	began := time.Now()
	w.step("catalog of "+newVersion+" to CSV Succeeded", func() {
		server.publish(newVersion)
		w.installed(newVersion)
	})
	w.step("CSV "+newVersion+" to image cache of "+newVersion, func() { w.ready(newVersion) })
	time.Sleep(quietTime)
	calls.end(w)
	w.nothingPulledSince(began)
	w.holds()

	w.step("image cache removed", w.removeImageCache)
	w.step("operator removed", w.removeOperator)
	w.removeCatalog()
	w.onlyOLM()
}

// nothingPulledSince checks that nobody asked the registry for an image of the
// tutorial, which it was asked for before.
func (w *world) nothingPulledSince(began time.Time) {
	w.Helper()
	ever, err := cluster.Registry.Log(w.ctx, "bitnami/", time.Time{})
	w.check(err)
	since, err := cluster.Registry.Log(w.ctx, "bitnami/", began)
	w.check(err)
	w.Logf("%d images pulled again: the registry was asked %d times for them before, %d since", len(since), len(ever)-len(since), len(since))
	if len(since) > 0 || len(ever) == 0 {
		w.Errorf("the registry was asked %d times: %+v", len(since), since)
	}
}
