package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
)

const host = "server.ns.svc"

// world is an API server with a clock, and what was written to it.
type world struct {
	client client.WithWatch
	now    time.Time
	writes []string
	// refuse is asked before each write.
	refuse func(verb string) error
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), refuse: func(string) error { return nil }}
	write := func(verb string, object client.Object, do func() error) error {
		if err := w.refuse(verb); err != nil {
			return err
		}
		w.writes = append(w.writes, fmt.Sprintf("%s %s", verb, object.GetName()))
		return do()
	}
	w.client = fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return write("create", object, func() error { return c.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return write("update", object, func() error { return c.Update(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return write("patch", object, func() error { return c.Patch(ctx, object, patch, options...) })
		},
	}).Build()
	return w
}

func (w *world) keeper() *Keeper {
	return &Keeper{
		Client: w.client, Secret: types.NamespacedName{Namespace: "ns", Name: "cert"}, Configuration: "webhook",
		Names:   certificate.Names{Authority: "ours", Serving: []string{host}},
		Periods: certificate.DefaultPeriods(), Holder: &Holder{}, Now: func() time.Time { return w.now },
	}
}

func configuration() *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "webhook", UID: "u"},
		Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "a.b.c"}, {Name: "d.e.f"}},
	}
}

// settle reconciles until there is nothing left to do at once.
func settle(t *testing.T, k *Keeper) time.Duration {
	t.Helper()
	for range 10 {
		result, err := k.Reconcile(t.Context(), reconcile.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter > raceAgain {
			return result.RequeueAfter
		}
	}
	t.Fatal("there is always something to do")
	return 0
}

func (w *world) state(t *testing.T) (certificate.Set, []byte) {
	t.Helper()
	var secret corev1.Secret
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "cert"}, &secret); err != nil {
		t.Fatal(err)
	}
	var c admissionregistrationv1.ValidatingWebhookConfiguration
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: "webhook"}, &c); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Webhooks[0].ClientConfig.CABundle, c.Webhooks[1].ClientConfig.CABundle) {
		t.Error("the webhooks of the configuration trust different authorities")
	}
	return certificate.Parse(secret.Data), c.Webhooks[0].ClientConfig.CABundle
}

// served returns the certificate that is served.
func served(k *Keeper) string { return string(k.Holder.Get().Leaf.Raw) }

func TestTheFirstStart(t *testing.T) {
	w := newWorld(t, configuration())
	k := w.keeper()
	if pause := settle(t, k); pause != lookAgain {
		t.Errorf("looks again after %s", pause)
	}
	set, bundle := w.state(t)
	if !set.Usable(k.Names, w.now) || !bytes.Equal(bundle, set.Bundle()) || !certificate.TrustedBy(bundle, k.Holder.Get(), k.Names, w.now) {
		t.Error("what is served is not trusted")
	}
	w.writes = nil
	settle(t, k)
	settle(t, w.keeper()) // another replica
	if len(w.writes) > 0 {
		t.Errorf("wrote without a reason: %q", w.writes)
	}
}

func TestARotationInSteps(t *testing.T) {
	w := newWorld(t, configuration())
	k := w.keeper()
	settle(t, k)
	for w.now.Before(time.Date(2026, 9, 3, 0, 0, 0, 0, time.UTC)) { // 245 days
		w.now = w.now.Add(24 * time.Hour)
		settle(t, k)
	}
	before := served(k)
	w.now = w.now.Add(7 * 24 * time.Hour)
	w.writes = nil
	if pause := settle(t, k); pause != time.Minute {
		t.Errorf("announced, and looks again after %s", pause)
	}
	if got := strings.Join(w.writes, ", "); got != "update cert, patch webhook" {
		t.Errorf("announced by %s", got)
	}
	if served(k) != before {
		t.Error("another certificate is served before it is trusted everywhere")
	}
	w.now = w.now.Add(time.Minute)
	settle(t, k)
	if served(k) == before {
		t.Error("the new authority's certificate is not served")
	}
	if set, bundle := w.state(t); len(set.Authorities) != 2 || !certificate.Holds(bundle, set.Authorities[1]) {
		t.Error("the former authority is not trusted any more")
	}
	w.now = w.now.Add(time.Hour)
	settle(t, k)
	if set, bundle := w.state(t); len(set.Authorities) != 1 || !bytes.Equal(bundle, set.Bundle()) {
		t.Error("the former authority is still trusted")
	}
}

// A spoiled Secret breaks no trust: what is served is the start of a rotation.
func TestASpoiledSecret(t *testing.T) {
	w := newWorld(t, configuration())
	k := w.keeper()
	settle(t, k)
	before, certBefore := served(k), k.Holder.Get()
	former, _ := w.state(t)
	var secret corev1.Secret
	if err := w.client.Get(t.Context(), k.Secret, &secret); err != nil {
		t.Fatal(err)
	}
	secret.Data = map[string][]byte{"tls.crt": []byte("?"), "somebody's": []byte("else")}
	if err := w.client.Update(t.Context(), &secret); err != nil {
		t.Fatal(err)
	}
	settle(t, k)
	set, bundle := w.state(t)
	if served(k) != before || !certificate.TrustedBy(bundle, certBefore, k.Names, w.now) || len(set.Authorities) != 2 || !set.Authorities[1].Equal(former.Authorities[0]) {
		t.Error("the certificate that is served is not trusted any more")
	}
	if err := w.client.Get(t.Context(), k.Secret, &secret); err != nil || string(secret.Data["somebody's"]) != "else" {
		t.Errorf("what is not ours is gone: %v", err)
	}
	w.now = w.now.Add(time.Minute)
	settle(t, k)
	if served(k) == before {
		t.Error("the rotation does not go on")
	}
}

// Somebody restarted without our memory and made everything anew: we go on with
// what API servers trust until they trust that.
func TestANewSetOfSomebodyElse(t *testing.T) {
	w := newWorld(t, configuration())
	k := w.keeper()
	settle(t, k)
	before := served(k)
	anew, err := certificate.Apply(certificate.Restart, certificate.Input{Names: k.Names, Periods: k.Periods, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	data, err := anew.Data()
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "cert"}, Data: data}
	if err := w.client.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.refuse = func(verb string) error { return fmt.Errorf("no %s now", verb) }
	if _, err := k.Reconcile(t.Context(), reconcile.Request{}); err == nil || served(k) != before {
		t.Errorf("serves what nobody trusts yet: %v", err)
	}
	w.refuse = func(string) error { return nil }
	settle(t, k) // writes the caBundle
	settle(t, k) // hears of it
	if served(k) != string(anew.Serving.Leaf.Raw) {
		t.Error("does not serve the new certificate")
	}
}

// Another replica was faster: not an error, and nothing is half done.
func TestRaces(t *testing.T) {
	resource := schema.GroupResource{Resource: "r"}
	for verb, err := range map[string]error{
		"create": apierrors.NewAlreadyExists(resource, "cert"),
		"patch":  apierrors.NewConflict(resource, "webhook", nil),
	} {
		w := newWorld(t, configuration())
		k := w.keeper()
		w.refuse = func(v string) error {
			if v == verb {
				return err
			}
			return nil
		}
		result, got := k.Reconcile(t.Context(), reconcile.Request{})
		if got != nil || result.RequeueAfter != raceAgain {
			t.Errorf("%s: got %v, %v", verb, result, got)
		}
		w.refuse = func(string) error { return nil }
		settle(t, k)
		if set, bundle := w.state(t); !bytes.Equal(bundle, set.Bundle()) {
			t.Errorf("%s: the caBundle is another one", verb)
		}
	}
}

func TestErrorsSayWhatWasAttempted(t *testing.T) {
	for verb, want := range map[string]string{
		"create": "write Secret ns/cert: ", "patch": "write the caBundle of ValidatingWebhookConfiguration webhook: ",
	} {
		w := newWorld(t, configuration())
		w.refuse = func(v string) error {
			if v == verb {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "r"}, "n", nil)
			}
			return nil
		}
		if _, err := w.keeper().Reconcile(t.Context(), reconcile.Request{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", verb, err)
		}
	}
}

// Uninstalled: the Secret has gone with the configuration, and stays away.
func TestWithoutAConfiguration(t *testing.T) {
	w := newWorld(t)
	k := w.keeper()
	settle(t, k)
	if len(w.writes) > 0 || k.Holder.Get() != nil {
		t.Errorf("wrote %q", w.writes)
	}
	k.Configuration = "" // somebody else sees to the trust
	settle(t, k)
	if !slices.Equal(w.writes, []string{"create cert"}) || k.Holder.Get() == nil {
		t.Errorf("wrote %q", w.writes)
	}
}

// Only the caBundle is sent: other fields belong to the chart, and some may be
// newer than this program.
func TestThePatchIsSmall(t *testing.T) {
	w := newWorld(t, configuration())
	var sent map[string]any
	w.client = interceptor.NewClient(w.client, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			content, err := patch.Data(object)
			if err != nil || patch.Type() != types.StrategicMergePatchType {
				t.Errorf("a patch of type %s: %v", patch.Type(), err)
			}
			if err := json.Unmarshal(content, &sent); err != nil {
				t.Error(err)
			}
			return c.Patch(ctx, object, patch, options...)
		},
	})
	settle(t, w.keeper())
	for _, webhook := range sent["webhooks"].([]any) {
		fields := webhook.(map[string]any)
		if config := fields["clientConfig"].(map[string]any); len(fields) != 2 || len(config) != 1 || config["caBundle"] == "" {
			t.Errorf("sent %v", fields)
		}
	}
	if version := sent["metadata"].(map[string]any)["resourceVersion"]; version == "" || version == nil {
		t.Error("the patch would overwrite what another replica just wrote")
	}
}
