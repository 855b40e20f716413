//go:build e2e

package operator

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// driftLimit is how long an object may be wrong.
const driftLimit = 10 * time.Second

// What the release made is restored within seconds when somebody deletes or
// edits it.
func TestDrift(t *testing.T) {
	w := newWorld(t)
	w.make("deploy-using-operator", oldTag)
	w.ready()

	var controller appsv1.Deployment
	w.get(lab.Namespace, lab.ControllerName, &controller)
	began := time.Now()
	w.kubectl("delete", "deployment", controller.Name, "-n", lab.Namespace, "--wait=false")
	w.poll("the controller's Deployment is there again", driftLimit, func(ctx context.Context) (bool, string) {
		var now appsv1.Deployment
		if err := cluster.API.Get(ctx, client.ObjectKeyFromObject(&controller), &now); err != nil {
			return false, err.Error()
		}
		return now.UID != controller.UID && now.DeletionTimestamp == nil, string(now.UID)
	})
	t.Logf("deleted Deployment: there again after %.1fs", time.Since(began).Seconds())

	w.edited(`[{"op":"replace","path":"/spec/selector","value":{"app":"nothing"}}]`)
	w.edited(`[{"op":"replace","path":"/spec/ports/0/targetPort","value":9999}]`)
	w.edited(`[{"op":"remove","path":"/spec/ports/1"}]`)
	t.Logf("Ready again after %.1fs", w.ready().Seconds())
	w.refuses()
}

// edited edits the webhook's Service and waits until it is as before.
func (w *world) edited(patch string) {
	w.Helper()
	var service corev1.Service
	w.get(lab.Namespace, "kubefledged-webhook-server", &service)
	began := time.Now()
	w.kubectl("patch", "service", service.Name, "-n", lab.Namespace, "--type=json", "-p", patch)
	w.poll("the webhook's Service is as before "+patch, driftLimit, func(ctx context.Context) (bool, string) {
		var now corev1.Service
		if err := cluster.API.Get(ctx, client.ObjectKeyFromObject(&service), &now); err != nil {
			return false, err.Error()
		}
		return equality.Semantic.DeepEqual(service.Spec, now.Spec), fmt.Sprint(now.Spec.Selector, now.Spec.Ports)
	})
	w.Logf("Service edited with %s: as before after %.1fs", patch, time.Since(began).Seconds())
}
