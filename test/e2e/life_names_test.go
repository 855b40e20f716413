//go:build e2e

package e2e

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Image names that would mean something to a shell are refused by the API
// server, which names the field, and nothing in the cluster runs them.
func TestShellInImageNames(t *testing.T) {
	w := newWorld(t, "shell")
	log := w.watchJobs()
	evil := []string{
		"$(touch /pwned)", "`touch /pwned`", "quay.io/a/b:1;touch /pwned", "quay.io/a/b:1&&touch${IFS}/pwned", "quay.io/a/b:1|touch /pwned",
		"quay.io/a/b:1\ntouch /pwned", "quay.io/a/b:1 touch /pwned", "\"; touch /pwned; \"", "'; touch /pwned; '", "quay.io/a/$(touch /pwned):1",
		"quay.io/a/b:$(touch /pwned)", "quay.io/a/b@$(touch /pwned)", "--help", "-v /:/host", "quay.io/a/b:1\x00", "$(KUBERNETES_SERVICE_HOST)/a:1",
	}
	good := w.push("good", "1KB")
	accepted := w.cache("accepted", []string{good})
	for _, image := range evil {
		cache := &v1alpha2.ImageCache{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "evil-"}}
		cache.Spec.CacheSpec = []v1alpha2.CacheSpecImages{list(nil, good, image)}
		err := cluster.API.Create(w.ctx, cache)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.cacheSpec[0].images[1]") {
			t.Errorf("%q: error %v, want one that names the field", image, err)
		}
		edited := accepted.DeepCopy()
		edited.Spec.CacheSpec = cache.Spec.CacheSpec
		if err := cluster.API.Patch(w.ctx, edited, client.MergeFrom(accepted)); !apierrors.IsInvalid(err) {
			t.Errorf("%q in an edit: error %v", image, err)
		}
	}
	for _, image := range evil {
		for _, operation := range []string{pulls, verifies, removes} {
			w.counted(log, 0, operation, "", image)
		}
	}
	for _, node := range []string{plainNode, backendNode} {
		if output, err := cluster.Exec(w.ctx, node, "ls", "/pwned"); err == nil {
			t.Errorf("%s has %s", node, output)
		}
	}
}
