//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

const (
	user     = "robot"
	password = "correct-horse"
)

// A right and a wrong secret for one private image do not disturb each other,
// whichever comes first; a missing secret is told apart.
func TestSecrets(t *testing.T) {
	w := newWorld(t, "secrets")
	other := w.namespace + "-other"
	w.makeNamespace(other)
	w.secret(w.namespace, password)
	w.secret(other, "wrong")
	wrongFirst, rightFirst := w.push("private-a", "1MB"), w.push("private-b", "1MB")
	w.rules(lab.Rule{Repository: w.namespace, User: user, Password: password})

	wrong := w.cache("wrong-first", []string{wrongFirst}, withSecret("registry"), inNamespace(other))
	w.unauthorized(wrong, wrongFirst)
	right := w.cache("right-second", []string{wrongFirst}, withSecret("registry"))
	w.granted(right, wrongFirst)

	right = w.cache("right-first", []string{rightFirst}, withSecret("registry"))
	w.granted(right, rightFirst)
	wrongToo := w.cache("wrong-second", []string{rightFirst}, withSecret("registry"), inNamespace(other))
	w.unauthorized(wrongToo, rightFirst)
	w.unauthorized(wrong, wrongFirst)
	w.granted(right, rightFirst)

	none := w.cache("no-secret", []string{rightFirst}, withSecret("absent"), inNamespace(other))
	for _, node := range []string{plainNode, backendNode} {
		failure := w.awaitFailure(none, rightFirst, node, v1alpha2.ReasonPullSecretMissing, 40*time.Second)
		t.Logf("%s: %s", node, failure.Message)
	}
}

// secret makes the pull secret "registry" of a namespace.
func (w *world) secret(namespace, password string) {
	w.Helper()
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "registry"},
		Type:       corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{
			corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths":{"quay.io":{"username":%q,"password":%q}}}`, user, password),
		},
	})
}

func (w *world) unauthorized(cache *v1alpha2.ImageCache, image string) {
	w.Helper()
	for _, node := range []string{plainNode, backendNode} {
		w.awaitFailure(cache, image, node, v1alpha2.ReasonUnauthorized, 40*time.Second)
	}
	if s := cache.Status; s.Cached != 0 || s.Failed != 2 {
		w.Errorf("%s: %s", cache.Name, describe(&s))
	}
}

func (w *world) granted(cache *v1alpha2.ImageCache, image string) {
	w.Helper()
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)
	for _, node := range []string{plainNode, backendNode} {
		w.holds(node, image)
	}
}
