//go:build e2e

package operator

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// Deleting the namespace first strands nothing: the operator lets the
// KubeFledged go, and the garbage collector takes what is in no namespace.
func TestNamespaceDeletedFirst(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "`kubectl delete namespace kube-fledged`, nothing before it", "it goes, and nothing of ours outside of it stays")
	w.nothing()
	w.make("deploy-using-operator")
	w.caches()
	began := time.Now()
	w.kubectl("delete", "namespace", lab.Namespace, "--timeout=2m")
	w.saw("gone after %.1f s", time.Since(began).Seconds())
	w.strandedNothing()
}

// With the operator gone as well, the namespace hangs until the documented
// command frees it. Nobody is left to delete the NodeCaches.
func TestNamespaceDeletedWithoutOperator(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "the operator's namespace deleted, then kube-fledged's", "it hangs with the finalizer's name until the documented command; then as above")
	w.nothing()
	w.make("deploy-using-operator")
	w.caches()
	w.kubectl("delete", "namespace", operatorNamespace, "--timeout=1m")
	w.kubectl("delete", "namespace", lab.Namespace, "--wait=false")
	w.poll("the namespace waits for the finalizer", time.Minute, func(ctx context.Context) (bool, string) {
		var namespace corev1.Namespace
		if err := w.cluster.API.Get(ctx, client.ObjectKey{Name: lab.Namespace}, &namespace); err != nil {
			return false, err.Error()
		}
		i := slices.IndexFunc(namespace.Status.Conditions, func(c corev1.NamespaceCondition) bool {
			return c.Type == corev1.NamespaceFinalizersRemaining && c.Status == corev1.ConditionTrue
		})
		if i < 0 {
			return false, "no such condition"
		}
		said := namespace.Status.Conditions[i].Message
		return strings.Contains(said, "charts.helm.kubefledged.io/uninstall"), said
	})
	began := time.Now()
	w.kubectl("patch", "-n", "kube-fledged", "kubefledged/kubefledged", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	w.poll("the namespace goes", time.Minute, func(ctx context.Context) (bool, string) {
		err := w.cluster.API.Get(ctx, client.ObjectKey{Name: lab.Namespace}, &corev1.Namespace{})
		return apierrors.IsNotFound(err), "there"
	})
	w.saw("gone %.1f s after the documented command", time.Since(began).Seconds())
	w.strandedNothing("NodeCache ")
}

// strandedNothing checks that nothing is left but the CRDs, the operator and
// such kinds, and after removing those nothing at all.
func (w *world) strandedNothing(kinds ...string) {
	w.Helper()
	kinds = append(kinds, "CustomResourceDefinition ", "APIService ")
	took := w.onlyLeft(w.cluster.empty, func(object string) bool {
		return strings.Contains(object, operatorNamespace) || slices.ContainsFunc(kinds, func(kind string) bool {
			return strings.HasPrefix(object, kind)
		})
	})
	w.saw("0 objects stranded %.1f s later", took.Seconds())
	w.removes()
}
