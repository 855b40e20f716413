//go:build e2e

package operator

import (
	"context"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// quietTime is how long nothing may be pulled after an upgrade.
const quietTime = 10 * time.Second

// Upgrading and changing a value with an ImageCache in use leaves the nodes
// alone: nobody asks the registry for a blob or a manifest.
func TestUpgrade(t *testing.T) {
	w := newWorld(t)
	w.make("deploy-using-operator", oldTag)
	w.ready()
	w.tutorial()

	began := time.Now()
	w.make("deploy", newTag)
	w.poll("the controller is of the new release", readyLimit, func(context.Context) (bool, string) {
		images := w.containers(lab.ControllerName)
		return strings.Contains(images, ":"+newTag), images
	})
	w.ready()
	t.Logf("upgraded after %.1fs; the records are %v", time.Since(began).Seconds(), w.statuses())
	w.Cleanup(func() { w.value("100") })
	w.value("78")
	t.Logf("value changed after %.1fs", w.ready().Seconds())
	w.check(cluster.AwaitController(w.ctx))
	time.Sleep(quietTime)

	ever, err := cluster.Registry.Log(w.ctx, "bitnami/", time.Time{})
	w.check(err)
	requests, err := cluster.Registry.Log(w.ctx, "bitnami/", began)
	w.check(err)
	t.Logf("%d requests for the images until then, %d since", len(ever)-len(requests), len(requests))
	if len(requests) > 0 || len(ever) == 0 {
		w.Errorf("the registry was asked %d times: %+v", len(requests), requests)
	}
	w.holds(true)
	w.succeeds(v1alpha2.ImageCacheReasonCreate)
	w.refuses()
}

// Without a webhook server nothing can be created, but what is there can still
// be purged, refreshed and deleted. The operator is taken away too, as it would
// bring the webhook server back.
func TestWebhookAway(t *testing.T) {
	w := newWorld(t)
	w.make("deploy-using-operator", oldTag)
	w.ready()
	w.tutorial()
	w.scale("2", "kubefledged-operator", operatorNamespace, "0")
	w.scale("2", "kubefledged-webhook-server", lab.Namespace, "0")
	w.poll("the webhook's endpoints are gone", time.Minute, func(ctx context.Context) (bool, string) {
		var found discoveryv1.EndpointSliceList
		err := cluster.API.List(ctx, &found, client.InNamespace(lab.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: "kubefledged-webhook-server"})
		left := 0
		for i := range found.Items {
			left += len(found.Items[i].Endpoints)
		}
		return err == nil && left == 0, "endpoints"
	})
	said := w.refused(`{apiVersion: kubefledged.io/v1alpha2, kind: ImageCache, metadata: {name: more, namespace: kube-fledged},
  spec: {cacheSpec: [{images: [nginx:1]}]}}`)
	if !strings.Contains(said, "failed calling webhook") {
		w.Errorf("a webhook answers: %s", said)
	}

	w.kubectl("annotate", "imagecaches", "imagecache1", "-n", "kube-fledged", "kubefledged.io/purge-imagecache=")
	t.Logf("purged after %.1fs", w.succeeds(v1alpha2.ImageCacheReasonPurge).Seconds())
	w.holds(false)
	w.kubectl("annotate", "imagecaches", "imagecache1", "-n", "kube-fledged", "kubefledged.io/refresh-imagecache=")
	t.Logf("refreshed after %.1fs", w.succeeds(v1alpha2.ImageCacheReasonRefresh).Seconds())
	w.holds(true)
	began := time.Now()
	w.kubectl("delete", "imagecaches", "imagecache1", "-n", "kube-fledged", "--timeout=30s")
	t.Logf("deleted after %.1fs", time.Since(began).Seconds())
}

// scale sets the replicas of a Deployment until the scenario ends.
func (w *world) scale(back, name, namespace, replicas string) {
	w.Helper()
	w.kubectl("scale", "deployment", name, "-n", namespace, "--replicas="+replicas)
	w.Cleanup(func() {
		if _, err := cluster.Kubectl(w.background(), "scale", "deployment", name, "-n", namespace, "--replicas="+back); err != nil {
			w.Error(err)
		}
	})
	w.kubectl("wait", "--for=jsonpath={.spec.replicas}="+replicas, "deployment", name, "-n", namespace)
	w.kubectl("wait", "--for=delete", "pods", "-l", "kubefledged="+name, "-n", namespace, "--timeout=90s")
}
