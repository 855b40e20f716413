//go:build e2e

package operator

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// quietTime is how long nothing may be pulled after an upgrade.
const quietTime = 10 * time.Second

const (
	upgradeDone     = "the previous release upgraded to this one, definitions first, with an ImageCache in use and 20 validations a second"
	upgradeExpected = "no record, status or UID is lost; no request to the registry; no validation fails"
)

// Upgrading from the previous release with an ImageCache in use loses nothing,
// leaves the nodes alone and is not noticed by those who create ImageCaches.
func TestUpgrade(t *testing.T) {
	w := newWorld(t, busy, upgradeDone+", by the operator", upgradeExpected)
	w.nothing()
	previous := w.previous("deploy-using-operator")
	w.ready()
	w.upgrades(previous, "deploy", func() { w.ready() })
	if full() {
		w.Cleanup(func() { w.value("100") })
		w.value("78")
		w.saw("a value changed: Ready after %.1f s", w.ready().Seconds())
		w.check(w.cluster.AwaitController(w.ctx))
	}
}

// The same with plain Helm.
func TestHelmUpgrade(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, upgradeDone+", by the chart", upgradeExpected)
	w.nothing()
	previous := w.previous("deploy-using-helm")
	w.upgrades(previous, "deploy-using-helm", func() {})
	w.kubectl("delete", "imagecaches", "--all", "-A", "--timeout=1m")
	w.removes()
}

// previous installs the release before this one.
func (w *world) previous(target string) lab.Release {
	w.Helper()
	release, err := w.cluster.PreviousRelease(w.ctx)
	w.check(err)
	w.saw("from %s", release)
	w.check(w.cluster.pushRelease(w.ctx, release.Dir, release.Version, "VERSION="+release.Version, "COMMIT="+release.Commit))
	w.makeIn(release.Dir, target, release.Version)
	return release
}

// upgrades upgrades to this checkout with an ImageCache in use, and checks what
// became of that.
func (w *world) upgrades(from lab.Release, target string, settle func()) {
	w.Helper()
	if images := w.containers(lab.ControllerName); !strings.Contains(images, ":"+from.Version) {
		w.Fatalf("the controller is not of %s: %s", from.Version, images)
	}
	w.forget()
	w.caches()
	before := w.kept()
	began := time.Now()
	asking := w.loaded(20)
	w.make("install")
	w.unchanged(before, "definitions upgraded, programs not yet")
	programs := time.Now()
	w.make(target)
	for _, name := range []string{lab.ControllerName, "kubefledged-webhook-server"} {
		w.poll(name+" is of this release", readyLimit, func(context.Context) (bool, string) {
			images := w.containers(name)
			return strings.Contains(images, ":"+currentTag), images
		})
	}
	settle()
	w.check(w.cluster.AwaitController(w.ctx))
	w.saw("programs upgraded in %.1f s", time.Since(programs).Seconds())
	time.Sleep(quietTime)
	w.lull(asking)
	w.unchanged(before, "upgraded")
	w.asksNothing(began)
	w.has([]string{nginx, tomcat}, tutorialImages)
	w.refuses()
}

// asksNothing checks that nobody asked the registry for a manifest or a blob of
// the tutorial's images since then.
func (w *world) asksNothing(since time.Time) {
	w.Helper()
	ever, err := w.cluster.Registry.Log(w.ctx, "bitnami/", time.Time{})
	w.check(err)
	requests, err := w.cluster.Registry.Log(w.ctx, "bitnami/", since)
	w.check(err)
	w.saw("%d requests for the images before, %d since", len(ever)-len(requests), len(requests))
	if len(requests) > 0 || len(ever) == 0 {
		w.Errorf("the registry was asked %d times: %+v", len(requests), requests)
	}
}

// kept is what an upgrade must not lose: by kind and name the UID and what the
// status says.
func (w *world) kept() map[string]map[string]any {
	w.Helper()
	found := map[string]map[string]any{}
	for _, kind := range []string{"ImageCache", "NodeCache"} {
		var list unstructured.UnstructuredList
		list.SetAPIVersion("kubefledged.io/v1alpha2")
		list.SetKind(kind + "List")
		w.check(w.cluster.API.List(w.ctx, &list, client.InNamespace("")))
		for i := range list.Items {
			object := &list.Items[i]
			found[kind+" "+object.GetName()] = map[string]any{"uid": string(object.GetUID()), "status": object.Object["status"]}
		}
	}
	if len(found) != 3 {
		w.Fatalf("want an ImageCache and two NodeCaches: %v", found)
	}
	return found
}

// unchanged checks that all of it is still there, whatever was added to it.
func (w *world) unchanged(before map[string]map[string]any, when string) {
	w.Helper()
	now, values := w.kept(), 0
	for name, kept := range before {
		lost := losses(name, kept, now[name], &values)
		if len(lost) > 0 {
			w.Errorf("%s: lost %s", when, strings.Join(lost, "; "))
		}
	}
	w.saw("%s: all %d values of %d records are as before", when, values, len(before))
}

// losses tells what of the first value is not in the second one.
func losses(path string, want, got any, values *int) (lost []string) {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		for key, value := range want {
			lost = append(lost, losses(path+"."+key, value, got[key], values)...)
		}
	case []any:
		got, _ := got.([]any)
		if len(got) != len(want) {
			return []string{fmt.Sprintf("%s has %d items, had %d", path, len(got), len(want))}
		}
		for i := range want {
			lost = append(lost, losses(fmt.Sprintf("%s[%d]", path, i), want[i], got[i], values)...)
		}
	default:
		*values++
		if !reflect.DeepEqual(want, got) {
			lost = append(lost, fmt.Sprintf("%s is %v, was %v", path, got, want))
		}
	}
	return lost
}
