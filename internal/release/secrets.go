package release

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ownedSecrets are the Secrets of one namespace. Those that Helm stores through
// it belong to the KubeFledged, which tells them from those that somebody else's
// Helm has stored, and lets the garbage collector delete them with it.
type ownedSecrets struct {
	typedcorev1.SecretInterface
	owner metav1.OwnerReference
}

// Create stores a new record.
func (s *ownedSecrets) Create(ctx context.Context, secret *corev1.Secret, o metav1.CreateOptions) (*corev1.Secret, error) {
	secret.OwnerReferences = []metav1.OwnerReference{s.owner}
	return s.SecretInterface.Create(ctx, secret, o)
}

// Update stores a record again. Helm sends one without owners.
func (s *ownedSecrets) Update(ctx context.Context, secret *corev1.Secret, o metav1.UpdateOptions) (*corev1.Secret, error) {
	secret.OwnerReferences = []metav1.OwnerReference{s.owner}
	return s.SecretInterface.Update(ctx, secret, o)
}

// ofRelease lists the Secrets of a release.
func (s *ownedSecrets) ofRelease(ctx context.Context, name string) ([]corev1.Secret, error) {
	selector := labels.SelectorFromSet(labels.Set{"owner": "helm", "name": name})
	list, err := s.List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// owns tells whether a KubeFledged of the owner's name stored a Secret. The UID
// does not count: one that was restored from a backup has a new one.
func (s *ownedSecrets) owns(secret *corev1.Secret) bool {
	for _, ref := range secret.OwnerReferences {
		if ref.Kind == s.owner.Kind && ref.APIVersion == s.owner.APIVersion && ref.Name == s.owner.Name {
			return true
		}
	}
	return false
}

// Adopt makes every record of the release the KubeFledged's.
func (h *Helm) Adopt(ctx context.Context) error {
	secrets, err := h.secrets.ofRelease(ctx, h.name)
	if err != nil {
		return fmt.Errorf("read the release's records: %w", err)
	}
	for i := range secrets {
		if _, err := h.secrets.Update(ctx, &secrets[i], metav1.UpdateOptions{FieldManager: FieldManager}); err != nil {
			return fmt.Errorf("adopt the record %s: %w", secrets[i].Name, err)
		}
	}
	return nil
}

// Discard deletes a record by the name of its Secret.
func (h *Helm) Discard(ctx context.Context, secret string) error {
	return client.IgnoreNotFound(h.secrets.Delete(ctx, secret, metav1.DeleteOptions{}))
}
