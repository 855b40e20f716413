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

// Without a webhook server nothing can be created, but what is there can still
// be purged, refreshed and deleted. The operator is taken away too, as it would
// bring the webhook server back.
func TestWebhookAway(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "the webhook server and the operator scaled to 0", "no ImageCache can be created; purge, refresh and delete finish")
	w.make("deploy-using-operator")
	w.ready()
	w.caches()
	w.scale("2", "kubefledged-operator", operatorNamespace, "0")
	w.scale("2", "kubefledged-webhook-server", lab.Namespace, "0")
	w.poll("the webhook's endpoints are gone", time.Minute, func(ctx context.Context) (bool, string) {
		var found discoveryv1.EndpointSliceList
		err := w.cluster.API.List(ctx, &found, client.InNamespace(lab.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: "kubefledged-webhook-server"})
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
	w.saw("purged after %.1f s", w.succeeds(v1alpha2.ImageCacheReasonPurge).Seconds())
	w.has(nil, nil)
	w.kubectl("annotate", "imagecaches", "imagecache1", "-n", "kube-fledged", "kubefledged.io/refresh-imagecache=")
	w.saw("refreshed after %.1f s", w.succeeds(v1alpha2.ImageCacheReasonRefresh).Seconds())
	w.has([]string{nginx, tomcat}, tutorialImages)
	began := time.Now()
	w.kubectl("delete", "imagecaches", "imagecache1", "-n", "kube-fledged", "--timeout=30s")
	w.saw("deleted after %.1f s", time.Since(began).Seconds())
}

// scale sets the replicas of a Deployment until the scenario ends.
func (w *world) scale(back, name, namespace, replicas string) {
	w.Helper()
	w.kubectl("scale", "deployment", name, "-n", namespace, "--replicas="+replicas)
	w.Cleanup(func() {
		if _, err := w.cluster.Kubectl(w.background(), "scale", "deployment", name, "-n", namespace, "--replicas="+back); err != nil {
			w.Error(err)
		}
	})
	w.kubectl("wait", "--for=jsonpath={.spec.replicas}="+replicas, "deployment", name, "-n", namespace)
	w.kubectl("wait", "--for=delete", "pods", "-l", "kubefledged="+name, "-n", namespace, "--timeout=90s")
}
