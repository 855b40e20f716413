package keeper

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
)

// fieldOwner is whom managedFields name.
const fieldOwner = client.FieldOwner("kubefledged-webhook-server")

// readConfiguration returns nil when the configuration does not exist, or goes.
func (k *Keeper) readConfiguration(ctx context.Context) (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	if k.Configuration == "" {
		return nil, nil
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	err := k.Client.Get(ctx, types.NamespacedName{Name: k.Configuration}, configuration)
	if apierrors.IsNotFound(err) || err == nil && configuration.DeletionTimestamp != nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ValidatingWebhookConfiguration %s: %w", k.Configuration, err)
	}
	return configuration, nil
}

// readSecret returns a Secret without a resourceVersion when there is none.
func (k *Keeper) readSecret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := client.IgnoreNotFound(k.Client.Get(ctx, k.Secret, secret))
	if err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", k.Secret, err)
	}
	return secret, nil
}

func (k *Keeper) writeSecret(ctx context.Context, secret *corev1.Secret, set *certificate.Set, owner *admissionregistrationv1.ValidatingWebhookConfiguration) error {
	data, err := set.Data()
	if err != nil {
		return fmt.Errorf("encode the certificates: %w", err)
	}
	if secret.ResourceVersion == "" {
		err = k.Client.Create(ctx, k.newSecret(data, owner), fieldOwner)
	} else {
		secret = secret.DeepCopy()
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		maps.Copy(secret.Data, data)
		err = k.Client.Update(ctx, secret, fieldOwner)
	}
	if err != nil {
		return fmt.Errorf("write Secret %s: %w", k.Secret, err)
	}
	return nil
}

// newSecret belongs to the configuration, so that uninstalling leaves no Secret
// behind. The reference does not block, which would need more rights.
func (k *Keeper) newSecret(data map[string][]byte, owner *admissionregistrationv1.ValidatingWebhookConfiguration) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: k.Secret.Namespace, Name: k.Secret.Name,
			Labels: map[string]string{v1alpha2.LabelApp: v1alpha2.LabelAppValue},
		},
		Type: corev1.SecretTypeTLS,
		Data: data,
	}
	if owner != nil {
		secret.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingWebhookConfiguration",
			Name: owner.Name, UID: owner.UID,
		}}
	}
	return secret
}

// patchBundle has API servers trust the authorities, if they do not yet. Only
// this field is sent: the rest of the configuration is the chart's.
func (k *Keeper) patchBundle(ctx context.Context, configuration *admissionregistrationv1.ValidatingWebhookConfiguration, bundle []byte) error {
	if configuration == nil {
		return nil
	}
	patched := configuration.DeepCopy()
	changed := false
	for i := range patched.Webhooks {
		config := &patched.Webhooks[i].ClientConfig
		changed = changed || !bytes.Equal(config.CABundle, bundle)
		config.CABundle = bundle
	}
	if !changed {
		return nil
	}
	patch := client.StrategicMergeFrom(configuration, client.MergeFromWithOptimisticLock{})
	if err := k.Client.Patch(ctx, patched, patch, fieldOwner); err != nil {
		return fmt.Errorf("write the caBundle of ValidatingWebhookConfiguration %s: %w", k.Configuration, err)
	}
	log.FromContext(ctx).Info("wrote the caBundle", "validatingWebhookConfiguration", k.Configuration)
	return nil
}

// bundles returns what API servers trust. Without a configuration that is what
// the Secret says, which its owner copies.
func bundles(configuration *admissionregistrationv1.ValidatingWebhookConfiguration, set certificate.Set) [][]byte {
	if configuration == nil {
		return [][]byte{set.Bundle()}
	}
	all := make([][]byte, 0, len(configuration.Webhooks))
	for _, webhook := range configuration.Webhooks {
		all = append(all, webhook.ClientConfig.CABundle)
	}
	return all
}

// trust remembers since when the newest authority has been in the caBundle. A
// process that starts anew waits anew.
type trust struct {
	authority string
	at        time.Time
}

func (t *trust) since(set certificate.Set, bundles [][]byte, now time.Time) time.Time {
	if len(set.Authorities) == 0 {
		return time.Time{}
	}
	newest := set.Authorities[0]
	for _, bundle := range bundles {
		if !certificate.Holds(bundle, newest) {
			*t = trust{}
			return time.Time{}
		}
	}
	if t.authority != string(newest.Raw) {
		*t = trust{authority: string(newest.Raw), at: now}
	}
	return t.at
}
