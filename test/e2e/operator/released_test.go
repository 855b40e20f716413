//go:build e2e

package operator

import (
	"context"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubefledged/kubefledged-operator/internal/release"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// released returns what the release's manifest lists, as Helm has recorded it.
func (w *world) released() []*unstructured.Unstructured {
	w.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", w.cluster.kubeconfig)
	w.check(err)
	getter, err := release.NewGetter(config, w.cluster.API.RESTMapper())
	w.check(err)
	clientset, err := kubernetes.NewForConfig(config)
	w.check(err)
	helm := release.NewHelm(getter, clientset, release.Owner{Release: "kubefledged", Namespace: lab.Namespace}, logr.Discard())
	history, err := helm.History(context.WithoutCancel(w.ctx))
	w.check(err)
	objects, err := release.Parse(history.Deployed().Manifest)
	w.check(err)
	if len(objects) < 10 {
		w.Fatalf("the release has %d objects only: %s", len(objects), strings.TrimSpace(history.Deployed().Manifest))
	}
	return objects
}
