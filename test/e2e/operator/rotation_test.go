//go:build e2e

package operator

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

const (
	webhookName   = "kubefledged-webhook-server"
	webhookSecret = "kubefledged-webhook-server-cert"
	// heardOf is for all API servers and replicas to have heard of a change, for
	// which the webhook server itself takes a minute.
	heardOf = 3 * time.Second
)

// Authorities and certificates come and go under 50 validations a second, with
// two replicas behind the Service, and no call fails.
func TestRotation(t *testing.T) {
	w := newWorld(t, busy, "authorities and certificates of two webhook servers replaced again and again under 50 validations a second",
		"no validation fails")
	w.make("deploy-using-operator")
	w.ready()
	lasts := 20 * time.Second
	if full() {
		lasts = time.Minute
	}
	asking := w.loaded(50)
	authorities, certificates := 0, 0
	for began := time.Now(); time.Since(began) < lasts; authorities++ {
		w.rotate(certificate.Announce)
		w.rotate(certificate.Renew)
		w.rotate(certificate.Retire)
		w.rotate(certificate.Renew) // of the same authority
		certificates += 2
	}
	w.saw("%d authorities and %d certificates replaced", authorities, certificates)
	if full() {
		w.saw("Secret deleted: new authority in use %.1f s later", w.deletesSecret().Seconds())
	}
	w.lull(asking)
	w.serves()
}

// rotate takes one step of a rotation, as a replica with short periods would: the
// servers learn of it as they learn of each other's.
func (w *world) rotate(action certificate.Action) {
	w.Helper()
	var set certificate.Set
	w.poll(string(action), 10*time.Second, func(ctx context.Context) (bool, string) {
		var secret corev1.Secret
		w.get(lab.Namespace, webhookSecret, &secret)
		old := certificate.Parse(secret.Data)
		var err error
		set, err = certificate.Apply(action, certificate.Input{Set: old, Periods: certificate.DefaultPeriods(), Now: time.Now(), Names: certificate.Names{
			Authority: old.Authorities[0].Subject.CommonName, Serving: old.Serving.Leaf.DNSNames,
		}})
		w.check(err)
		data, err := set.Data()
		w.check(err)
		maps.Copy(secret.Data, data)
		err = w.cluster.API.Update(ctx, &secret)
		if err != nil && !apierrors.IsConflict(err) {
			w.Fatal(err)
		}
		return err == nil, "conflicts"
	})
	w.poll("the servers have the API server trust it", 10*time.Second, func(context.Context) (bool, string) {
		return bytes.Equal(w.bundle(), set.Bundle()), "another caBundle"
	})
	time.Sleep(heardOf)
}

func (w *world) bundle() []byte {
	w.Helper()
	var configuration admissionregistrationv1.ValidatingWebhookConfiguration
	w.get("", webhookName, &configuration)
	return configuration.Webhooks[0].ClientConfig.CABundle
}

// deletesSecret deletes the Secret, which is the documented way to new keys, and
// waits until the servers have them in use.
func (w *world) deletesSecret() time.Duration {
	w.Helper()
	var secret corev1.Secret
	w.get(lab.Namespace, webhookSecret, &secret)
	old := certificate.Parse(secret.Data)
	w.check(w.cluster.API.Delete(w.ctx, &secret))
	return w.poll("a certificate of a new authority", 2*time.Minute, func(ctx context.Context) (bool, string) {
		var secret corev1.Secret
		if err := w.cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: webhookSecret}, &secret); err != nil {
			return false, err.Error()
		}
		now := certificate.Parse(secret.Data)
		if now.Serving == nil || len(now.Authorities) == 0 || now.Authorities[0].Equal(old.Authorities[0]) {
			return false, "no new authority"
		}
		return now.Serving.Leaf.CheckSignatureFrom(now.Authorities[0]) == nil, "the former authority's certificate"
	})
}

// serves checks that each replica serves the certificate that the Secret holds,
// by its own metric of when that ends.
func (w *world) serves() {
	w.Helper()
	var secret corev1.Secret
	w.get(lab.Namespace, webhookSecret, &secret)
	want := certificate.Parse(secret.Data).Serving.Leaf.NotAfter.Unix()
	var pods corev1.PodList
	w.check(w.cluster.API.List(w.ctx, &pods, client.InNamespace(lab.Namespace), client.MatchingLabels{"kubefledged": webhookName}))
	if len(pods.Items) != 2 {
		w.Errorf("%d webhook servers, want 2", len(pods.Items))
	}
	for i := range pods.Items {
		path := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy/metrics", lab.Namespace, pods.Items[i].Name, metricsPort(&pods.Items[i]))
		metrics := w.kubectl("get", "--raw", path)
		found := servingEnds.FindStringSubmatch(metrics)
		if found == nil {
			w.Fatalf("no metric of the certificate in\n%s", metrics)
		}
		ends, err := strconv.ParseFloat(found[1], 64)
		w.check(err)
		if int64(ends) != want {
			w.Errorf("%s serves a certificate until %.0f, want %d", pods.Items[i].Name, ends, want)
		}
	}
	w.saw("each of %d servers serves the newest certificate", len(pods.Items))
}

func metricsPort(pod *corev1.Pod) int32 {
	for _, port := range pod.Spec.Containers[0].Ports {
		if port.Name == "metrics" {
			return port.ContainerPort
		}
	}
	return 0
}

var servingEnds = regexp.MustCompile(`(?m)^kubefledged_webhook_certificate_expiration_timestamp_seconds\{.*"serving".*\} (\S+)$`)
