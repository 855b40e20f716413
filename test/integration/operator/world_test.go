package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

const testCA = "somebody's CA"

// helmOf returns Helm for the release of a KubeFledged, with an administrator's rights.
func helmOf(t *testing.T, kf *v1alpha2.KubeFledged, ref metav1.OwnerReference) *release.Helm {
	t.Helper()
	getter, err := release.NewGetter(cp.Config, admin.RESTMapper())
	if err != nil {
		t.Fatal(err)
	}
	clientset, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		t.Fatal(err)
	}
	return release.NewHelm(getter, clientset, release.Owner{Release: kf.Name, Namespace: kf.Namespace, KubeFledged: ref}, logr.Discard())
}

func ownerOf(kf *v1alpha2.KubeFledged) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: v1alpha2.GroupVersion.String(), Kind: v1alpha2.KindKubeFledged, Name: kf.Name, UID: kf.UID}
}

// history reads the records of the release.
func history(t *testing.T, kf *v1alpha2.KubeFledged) release.History {
	t.Helper()
	h, err := helmOf(t, kf, ownerOf(kf)).History(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// insist has the API server change the Services of a namespace whatever is
// written to them, as admission webhooks do.
func insist(t *testing.T, namespace string) {
	t.Helper()
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "insist-" + namespace},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			FailurePolicy:      ptr.To(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"services"}},
				}}},
			},
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: `[JSONPatch{op: "add", path: "/metadata/labels/app", value: "theirs"}]`},
			}},
		},
	}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: policy.Name},
	}
	if err := admin.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = admin.Delete(context.Background(), binding)
		_ = admin.Delete(context.Background(), policy)
	})
	within(t, 30*time.Second, "the policy is in force", func() (bool, string) {
		probe := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "probe-", Labels: map[string]string{"app": "ours"}},
			Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		err := admin.Create(t.Context(), probe, client.DryRunAll)
		return probe.Labels["app"] == "theirs", fmt.Sprint(err)
	})
}

// errKilled is what a client that was killed gets for an answer.
var errKilled = errors.New("killed")

// mortal is a way to the API server that ends after a number of writes: then
// nothing gets through any more, as from a process that was killed. It counts.
type mortal struct {
	writes atomic.Int64
	// lives is the number of writes that get through; negative for all.
	lives int64
	dead  chan struct{}
}

func newMortal(lives int64) *mortal { return &mortal{lives: lives, dead: make(chan struct{})} }

// config returns the operator's configuration by this way.
func (m *mortal) config() *rest.Config {
	rc := rest.CopyConfig(user)
	rc.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &path{mortal: m, next: next}
	})
	return rc
}

// path is a connection of a mortal.
type path struct {
	*mortal
	next http.RoundTripper
}

// RoundTrip passes a request on while the mortal lives.
func (p *path) RoundTrip(request *http.Request) (*http.Response, error) {
	if p.isDead() {
		return nil, errKilled
	}
	if request.Method != http.MethodGet {
		if n := p.writes.Add(1); p.lives >= 0 && n > p.lives {
			if n == p.lives+1 {
				close(p.dead)
			}
			return nil, errKilled
		}
	}
	return p.next.RoundTrip(request)
}

func (m *mortal) isDead() bool {
	select {
	case <-m.dead:
		return true
	default:
		return false
	}
}
