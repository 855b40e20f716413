package operator

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// rulesShipped returns the rules of config/operator-rbac by the files they are in.
func rulesShipped() (clusterRole, role, election []rbacv1.PolicyRule, err error) {
	for file, rules := range map[string]*[]rbacv1.PolicyRule{"cluster_role.yaml": &clusterRole, "role.yaml": &role, "leader_election.yaml": &election} {
		var r rbacv1.ClusterRole
		if err := shipped(file, &r); err != nil {
			return nil, nil, nil, err
		}
		*rules = r.Rules
	}
	return clusterRole, role, election, nil
}

// An operator for all namespaces has the rules of its Roles in all of them, which
// is what the Operator Lifecycle Manager makes of them, and reads Secrets only
// where the KubeFledged is nonetheless.
func TestEveryNamespaceIsWatched(t *testing.T) {
	clusterRole, role, election, err := rulesShipped()
	if err != nil {
		t.Fatal(err)
	}
	rules := append(append(clusterRole, role...), election...)
	everywhere, err := cp.User("operator-of-all-namespaces", rules)
	if err != nil {
		t.Fatal(err)
	}
	var tr traffic
	o := options()
	o.LeaderElect = true
	start(t, tr.config(everywhere), o)
	for range 2 {
		namespace, err := cp.Namespace("any")
		if err != nil {
			t.Fatal(err)
		}
		rollOut(t, namespace)
		kf := add(t, namespace, everything())
		awaitReady(t, kf)
		takeDeployment(t, kf)
		edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { s.ControllerReplicaCount = ptr.To[int32](3) })
		awaitStatus(t, kf, "revision 2", func(kf *v1alpha2.KubeFledged) bool { return kf.Status.Release.Revision == 2 })
		awaitReady(t, kf)
		remove(t, kf)
		for _, used := range tr.all() {
			if used.resource == "secrets" && used.namespace != kf.Namespace {
				t.Errorf("%s in %q, while the KubeFledged is in %s", used, used.namespace, kf.Namespace)
			}
		}
		tr.forget()
	}
	if refused := tr.refusal(); refused != "" {
		t.Errorf("forbidden: %s", refused)
	}
}

// takeDeployment deletes a Deployment and waits until it is back.
func takeDeployment(t *testing.T, kf *v1alpha2.KubeFledged) {
	t.Helper()
	before := get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{})
	if err := admin.Delete(t.Context(), before.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	within(t, repairLimit, "the Deployment is back", func() (bool, string) {
		var now appsv1.Deployment
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(before), &now)
		return err == nil && now.UID != before.UID, describe(kf)
	})
	awaitReady(t, kf)
}

// An operator for some namespaces has its Role in each of them, one of which may
// be its own.
func TestSomeNamespacesAreWatched(t *testing.T) {
	one := namespaceFor(t)
	grant(t, operatorNamespace)
	start(t, user, options(one, operatorNamespace))
	rollOut(t, one)
	rollOut(t, operatorNamespace)
	kf := add(t, one, v1alpha2.KubeFledgedSpec{})
	awaitReady(t, kf)
	time.Sleep(1100 * time.Millisecond) // times of creation are in seconds
	other := add(t, operatorNamespace, v1alpha2.KubeFledgedSpec{})
	awaitDegraded(t, other, v1alpha2.ReasonNotTheFirst, kf.Namespace+"/"+kf.Name)
	remove(t, kf)
	awaitReady(t, other)
	takeDeployment(t, other)
	remove(t, other)
}

// Where an owner reference that blocks its owner's deletion needs a right over the
// owner's finalizers, the operator sets none: this user may create what the
// operator creates, and with a reference that blocks is refused.
func TestBlockingReferencesAreRefusedHere(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	asOperator, err := client.New(user, client.Options{Scheme: admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range deployedObjects(t, kf) {
		blocking := &release.Object{}
		blocking.SetGroupVersionKind(object.GroupVersionKind())
		blocking.SetNamespace(object.GetNamespace())
		blocking.SetName(object.GetName())
		blocking.SetOwnerReferences([]metav1.OwnerReference{blockingOf(object.GetOwnerReferences()[0])})
		err := asOperator.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(blocking), client.FieldOwner("test"), client.ForceOwnership, client.DryRunAll)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "blockOwnerDeletion") {
			t.Errorf("%s: %v", release.KeyOf(object), err)
		}
	}
}

func blockingOf(ref metav1.OwnerReference) metav1.OwnerReference {
	ref.BlockOwnerDeletion = ptr.To(true)
	return ref
}

// An operator that may not watch a namespace that it is to watch would not hear of
// what is deleted or edited in the others either, and says so.
func TestRoleIsMissing(t *testing.T) {
	one, other := namespaceFor(t), "default"
	stop := start(t, user, options(one, other))
	rollOut(t, one)
	kf := add(t, one, v1alpha2.KubeFledgedSpec{})
	awaitDegraded(t, kf, v1alpha2.ReasonReconcileFailed, "forbidden", `in the namespace "`+other+`"`)
	stop()
	start(t, user, options(one))
	awaitReady(t, kf)
	remove(t, kf)
}
