package operator

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// life is that of a KubeFledged from its install to its end, with everything that
// the operator's rights are for.
type life struct {
	t       *testing.T
	traffic *traffic
	kf      *v1alpha2.KubeFledged
	// given are the rights that the roles of the chart give on.
	given map[right]bool
}

// live runs an operator with the configuration until everything was done, or
// until something was forbidden.
func (l *life) live(rc *rest.Config) {
	l.t.Helper()
	o := options(l.kf.Namespace)
	o.LeaderElect = true
	defer start(l.t, l.traffic.config(rc), o)()
	for _, step := range []struct {
		what  string
		begin func()
		done  func() bool
	}{
		{"installed", func() {}, settled(l.kf)},
		{"restored", l.damage, l.whole},
		{"upgraded", l.change, l.upgraded},
		{"restored again", l.damage, l.whole},
		{"uninstalled", func() { _ = admin.Delete(context.Background(), l.kf) }, l.gone},
	} {
		step.begin()
		if !l.until(step.what, step.done) {
			return
		}
		l.noteGiven()
	}
}

func (l *life) until(what string, done func() bool) bool {
	l.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if l.traffic.refusal() != "" {
			return false
		}
		if done() {
			return true
		}
	}
	_ = admin.Get(context.Background(), client.ObjectKeyFromObject(l.kf), l.kf)
	l.t.Fatalf("it is not %s: %s", what, describe(l.kf))
	return false
}

// damage deletes one object, edits a key of a list of another, which takes another
// kind of patch to restore, and takes a label of every other.
func (l *life) damage() {
	for _, object := range deployedObjects(l.t, l.kf) {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+v1alpha2.LabelInstance+`":null}}}`))
		var err error
		switch object.GetKind() {
		case "Deployment":
			err = admin.Delete(l.t.Context(), object)
		case "Service":
			patch = client.RawPatch(types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/ports/0/port","value":9999}]`))
			fallthrough
		default:
			err = admin.Patch(l.t.Context(), object, patch)
		}
		if err != nil {
			l.t.Fatalf("%s: %v", release.KeyOf(object), err)
		}
	}
}

func (l *life) whole() bool {
	for _, want := range deployedObjects(l.t, l.kf) {
		if now, err := live(l.t, want); err != nil || len(release.Differences(want, now)) > 0 {
			return false
		}
	}
	return settled(l.kf)()
}

// change takes objects away and brings others.
func (l *life) change() {
	edit(l.t, l.kf, func(s *v1alpha2.KubeFledgedSpec) {
		*s = v1alpha2.KubeFledgedSpec{
			Webhook: &v1alpha2.WebhookSpec{CertManager: &v1alpha2.CertManagerSpec{Enabled: ptr.To(true)}},
		}
	})
}

func (l *life) upgraded() bool { return settled(l.kf)() && l.kf.Status.Release.Revision == 2 }

func (l *life) gone() bool {
	return apierrors.IsNotFound(admin.Get(context.Background(), client.ObjectKeyFromObject(l.kf), &v1alpha2.KubeFledged{}))
}

// newLife prepares for a life in a namespace where the operator has no rights
// yet, with the kinds of other operators that a chart can make.
func newLife(t *testing.T) *life {
	t.Helper()
	namespace, err := cp.Namespace("life")
	if err != nil {
		t.Fatal(err)
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kubefledged-operator.kubefledged.io"}}
	if err := client.IgnoreNotFound(admin.Delete(t.Context(), lease)); err != nil {
		t.Fatal(err)
	}
	rollOut(t, namespace)
	cache := use(t, namespace) // later nobody answers for the webhook
	spec := everything()
	spec.Metrics.ServiceMonitor = &v1alpha2.ServiceMonitorSpec{Enabled: ptr.To(true)}
	spec.Metrics.PrometheusRule = &v1alpha2.PrometheusRuleSpec{Enabled: ptr.To(true)}
	l := &life{t: t, traffic: &traffic{}, given: map[right]bool{}, kf: add(t, namespace, spec)}
	t.Cleanup(func() { clearAway(t, l.kf); discard(t, cache) })
	return l
}

// clearAway takes away what is left of a life that ended early.
func clearAway(t *testing.T, kf *v1alpha2.KubeFledged) {
	t.Helper()
	ctx := context.Background()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	if err := client.IgnoreNotFound(admin.Patch(ctx, kf.DeepCopy(), patch)); err != nil {
		t.Error(err)
	}
	if err := client.IgnoreNotFound(admin.Delete(ctx, kf)); err != nil {
		t.Error(err)
	}
	removal := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kf.Namespace + "-node"}}
	if err := client.IgnoreNotFound(admin.Delete(ctx, removal)); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"rbac.authorization.k8s.io/v1 ClusterRole", "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
		"scheduling.k8s.io/v1 PriorityClass", "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration"} {
		object := &release.Object{}
		object.SetAPIVersion(strings.Fields(kind)[0])
		object.SetKind(strings.Fields(kind)[1])
		if err := admin.DeleteAllOf(ctx, object, client.MatchingLabels{v1alpha2.LabelInstalledBy: v1alpha2.LabelInstalledByValue}); err != nil {
			t.Error(err)
		}
	}
	finishNamespaces(t)
}

// foreignKinds are those of other operators that the chart makes objects of.
var foreignKinds = map[string]string{
	"servicemonitors.monitoring.coreos.com": "ServiceMonitor", "prometheusrules.monitoring.coreos.com": "PrometheusRule",
	"certificates.cert-manager.io": "Certificate", "issuers.cert-manager.io": "Issuer",
}

// addForeignKinds has the API server know them for the time of a test.
func addForeignKinds(t *testing.T) {
	t.Helper()
	for name, kind := range foreignKinds {
		plural, group, _ := strings.Cut(name, ".")
		crd := &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"api-approved.kubernetes.io": "unapproved, for a test"}},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: group, Scope: apiextensionsv1.NamespaceScoped,
				Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Singular: strings.ToLower(kind), Kind: kind, ListKind: kind + "List"},
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true,
					Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
						Type: "object", XPreserveUnknownFields: ptr.To(true)}}}},
			},
		}
		if err := definitions(t).Create(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeDefinition(t, crd) })
		within(t, 20*time.Second, name+" is served", func() (bool, string) {
			err := definitions(t).Get(t.Context(), client.ObjectKeyFromObject(crd), crd)
			for _, c := range crd.Status.Conditions {
				if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
					return true, ""
				}
			}
			return false, fmt.Sprint(err)
		})
	}
}

func removeDefinition(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if err := definitions(t).Delete(context.Background(), crd); err != nil {
		t.Error(err)
	}
	within(t, 20*time.Second, crd.Name+" goes", func() (bool, string) {
		err := definitions(t).Get(context.Background(), client.ObjectKeyFromObject(crd), crd)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// definitions is an administrator's client for CRDs.
func definitions(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(cp.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
