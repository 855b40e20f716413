package webhook

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/webhook"
)

// TestProbesAndMetrics asks where kubelets and Prometheus ask.
func TestProbesAndMetrics(t *testing.T) {
	probes, probeAddress := listen(t)
	metrics, metricsAddress := listen(t)
	if err := errors.Join(probes.Close(), metrics.Close()); err != nil {
		t.Fatal(err)
	}
	namespace := newNamespace(t)
	listener, address := listen(t)
	start(t, namespace, listener, func(o *webhook.Options) { o.ProbeAddress, o.MetricsAddress = probeAddress, metricsAddress })
	eventually(t, "alive and not ready while there is no configuration", func() error {
		return errors.Join(expect("http://"+probeAddress+"/healthz", http.StatusOK), expect("http://"+probeAddress+"/readyz", http.StatusInternalServerError))
	})
	install(t, address)
	eventually(t, "ready", func() error { return expect("http://"+probeAddress+"/readyz", http.StatusOK) })
	waitUntilAsked(t, namespace)
	for _, want := range []string{
		`kubefledged_webhook_requests_total{operation="CREATE",verdict="refused"}`,
		`kubefledged_webhook_request_duration_seconds_count`,
		`kubefledged_webhook_certificate_expiration_timestamp_seconds{certificate="serving"}`,
		`kubefledged_webhook_certificate_expiration_timestamp_seconds{certificate="ca"}`,
	} {
		if err := expect("http://"+metricsAddress+"/metrics", http.StatusOK, want); err != nil {
			t.Error(err)
		}
	}
}

func expect(url string, code int, texts ...string) error {
	response, err := (&http.Client{Timeout: 2 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != code {
		return fmt.Errorf("%s: HTTP %d, want %d: %s: %w", url, response.StatusCode, code, body, err)
	}
	for _, text := range texts {
		if !strings.Contains(string(body), text) {
			return fmt.Errorf("%s does not say %s", url, text)
		}
	}
	return nil
}

// TestWithoutTheRightToReadImageCaches: that costs one warning and nothing else.
func TestWithoutTheRightToReadImageCaches(t *testing.T) {
	rules := slices.DeleteFunc(shippedRules(), func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.APIGroups, v1alpha2.GroupVersion.Group)
	})
	poor, err := cp.User("poor-webhook-server", rules)
	if err != nil {
		t.Fatal(err)
	}
	namespace := newNamespace(t)
	listener, address := listen(t)
	install(t, address)
	startAs(t, poor, namespace, listener)
	waitUntilReady(t, address)
	waitUntilAsked(t, namespace)
}
