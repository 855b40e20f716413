// Package operator tests the operator against a real API server, under the
// roles it ships with and with its real chart. There are no other controllers:
// Deployments get their status from the tests, and namespaces their end.
package operator

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/controllers/kubefledged"
	"github.com/kubefledged/kubefledged-operator/internal/fixture/controlplane"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

const (
	operatorNamespace = "kubefledged-operator"
	name              = "kubefledged"
	controllerImage   = "registry.test/kubefledged-controller:1"
)

var (
	cp *controlplane.ControlPlane
	// admin may do everything.
	admin client.Client
	// user is the operator's configuration: it may do what config/operator-rbac grants.
	user *rest.Config
)

func TestMain(m *testing.M) { os.Exit(controlplane.Main(prepared{m}, &cp)) }

// prepared runs the tests once the operator's user exists.
type prepared struct{ m *testing.M }

func (p prepared) Run() int {
	ctrl.SetLogger(klog.NewKlogr())
	if err := p.prepare(); err != nil {
		klog.ErrorS(err, "cannot prepare the tests")
		return 1
	}
	return p.m.Run()
}

func (p prepared) prepare() error {
	var err error
	if admin, err = client.New(cp.Config, client.Options{Scheme: kubefledged.Scheme()}); err != nil {
		return err
	}
	var role rbacv1.ClusterRole
	if err := shipped("cluster_role.yaml", &role); err != nil {
		return err
	}
	if user, err = cp.User("operator", role.Rules); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	return admin.Create(context.Background(), namespace)
}

// shipped reads the first object of a file of config/operator-rbac.
func shipped(file string, into any) error {
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "operator-rbac", file))
	if err != nil {
		return err
	}
	first, _, _ := bytes.Cut(content, []byte("\n---\n"))
	return yaml.UnmarshalStrict(first, into)
}

// namespaceFor makes a namespace with the Role that the operator has there.
func namespaceFor(t *testing.T) string {
	t.Helper()
	namespace, err := cp.Namespace("kf")
	if err != nil {
		t.Fatal(err)
	}
	grant(t, namespace)
	return namespace
}

// grant gives the operator its Role in a namespace.
func grant(t *testing.T, namespace string) {
	t.Helper()
	var role rbacv1.Role
	if err := shipped("role.yaml", &role); err != nil {
		t.Fatal(err)
	}
	role.Namespace = namespace
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name, Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "operator"}},
	}
	for _, object := range []client.Object{&role, binding} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// options are those of an operator without probes and metrics.
func options(namespaces ...string) kubefledged.Options {
	return kubefledged.Options{
		Images:    release.Images{Controller: controllerImage, CRIClient: "registry.test/kubefledged-cri-client:1"},
		Namespace: operatorNamespace, WatchNamespaces: namespaces, MetricsAddress: "0", ProbeAddress: "0",
	}
}

// start runs an operator and returns a function that stops it; it is stopped at
// the end of the test in any case.
func start(t *testing.T, rc *rest.Config, o kubefledged.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- kubefledged.RunWith(ctx, rest.CopyConfig(rc), o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Logf("the operator ended: %v", err)
			}
		case <-time.After(60 * time.Second):
			t.Error("the operator does not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

// add creates a KubeFledged, which is uninstalled at the end of the test.
func add(t *testing.T, namespace string, spec v1alpha2.KubeFledgedSpec) *v1alpha2.KubeFledged {
	t.Helper()
	kf := &v1alpha2.KubeFledged{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
	if err := admin.Create(t.Context(), kf); err != nil {
		t.Fatal(err)
	}
	return kf
}

// installed runs an operator and has it install a KubeFledged; both are gone
// after the test.
func installed(t *testing.T, spec v1alpha2.KubeFledgedSpec) *v1alpha2.KubeFledged {
	t.Helper()
	namespace := namespaceFor(t)
	start(t, user, options(namespace))
	kf := add(t, namespace, spec)
	t.Cleanup(func() { remove(t, kf) })
	rollOut(t, namespace)
	awaitReady(t, kf)
	return kf
}

// remove deletes a KubeFledged and waits until it is gone.
func remove(t *testing.T, kf *v1alpha2.KubeFledged) {
	t.Helper()
	ctx := context.Background()
	if err := client.IgnoreNotFound(admin.Delete(ctx, kf)); err != nil {
		t.Fatal(err)
	}
	within(t, 30*time.Second, "the KubeFledged goes", func() (bool, string) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(kf), kf)
		return apierrors.IsNotFound(err), describe(kf)
	})
	finishNamespaces(t)
}

// finishNamespaces ends namespaces that are being deleted, as the namespace
// controller would once they are empty.
func finishNamespaces(t *testing.T) {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		t.Fatal(err)
	}
	list, err := clientset.CoreV1().Namespaces().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if namespace := &list.Items[i]; namespace.DeletionTimestamp != nil {
			namespace.Spec.Finalizers = nil
			if _, err := clientset.CoreV1().Namespaces().Finalize(context.Background(), namespace, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
	}
}

// rollOut plays the Deployment controller for the Deployments of a namespace
// until the test ends: their pods are always ready.
func rollOut(t *testing.T, namespace string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			var list appsv1.DeploymentList
			_ = admin.List(ctx, &list, client.InNamespace(namespace))
			for i := range list.Items {
				makeAvailable(ctx, &list.Items[i])
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
}

func makeAvailable(ctx context.Context, d *appsv1.Deployment) {
	want := ptr.Deref(d.Spec.Replicas, 1)
	if d.Status.ObservedGeneration == d.Generation && d.Status.AvailableReplicas == want {
		return
	}
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: want, UpdatedReplicas: want, ReadyReplicas: want, AvailableReplicas: want,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable"}},
	}
	_ = admin.Status().Update(ctx, d) // somebody else was faster: next time
}

// within waits for a condition; the test fails when it does not come about.
func within(t *testing.T, limit time.Duration, what string, condition func() (bool, string)) {
	t.Helper()
	var state string
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if ok, state = condition(); ok {
			return
		}
	}
	t.Fatalf("waited %s in vain: %s; now\n%s", limit, what, state)
}

// awaitStatus waits until the status is about the newest spec and satisfies ok.
func awaitStatus(t *testing.T, kf *v1alpha2.KubeFledged, what string, ok func(*v1alpha2.KubeFledged) bool) {
	t.Helper()
	within(t, 30*time.Second, what, func() (bool, string) {
		if err := admin.Get(context.Background(), client.ObjectKeyFromObject(kf), kf); err != nil {
			return false, err.Error()
		}
		return kf.Status.ObservedGeneration == kf.Generation && ok(kf), describe(kf)
	})
}

func awaitReady(t *testing.T, kf *v1alpha2.KubeFledged) {
	t.Helper()
	awaitStatus(t, kf, "Ready and settled", func(kf *v1alpha2.KubeFledged) bool {
		return is(kf, v1alpha2.ConditionReady, true, "") && is(kf, v1alpha2.ConditionProgressing, false, "") && is(kf, v1alpha2.ConditionDegraded, false, "")
	})
}

// awaitDegraded waits for a reason and words of the message.
func awaitDegraded(t *testing.T, kf *v1alpha2.KubeFledged, reason string, words ...string) {
	t.Helper()
	awaitStatus(t, kf, "Degraded with "+reason+" "+strings.Join(words, ", "), func(kf *v1alpha2.KubeFledged) bool {
		c := meta.FindStatusCondition(kf.Status.Conditions, v1alpha2.ConditionDegraded)
		for _, word := range words {
			if c == nil || !strings.Contains(c.Message, word) {
				return false
			}
		}
		return is(kf, v1alpha2.ConditionDegraded, true, reason)
	})
}

func is(kf *v1alpha2.KubeFledged, kind string, holds bool, reason string) bool {
	c := meta.FindStatusCondition(kf.Status.Conditions, kind)
	return c != nil && (c.Status == metav1.ConditionTrue) == holds && (reason == "" || c.Reason == reason)
}

func describe(kf *v1alpha2.KubeFledged) string {
	text, err := yaml.Marshal(map[string]any{"metadata": kf.ObjectMeta.Finalizers, "generation": kf.Generation, "status": kf.Status})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// edit changes the spec.
func edit(t *testing.T, kf *v1alpha2.KubeFledged, change func(*v1alpha2.KubeFledgedSpec)) {
	t.Helper()
	within(t, 10*time.Second, "the edit", func() (bool, string) {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(kf), kf); err != nil {
			return false, err.Error()
		}
		change(&kf.Spec)
		err := admin.Update(t.Context(), kf)
		return err == nil, fmt.Sprint(err)
	})
}

// get reads an object of the release's namespace.
func get[T client.Object](t *testing.T, namespace, name string, object T) T {
	t.Helper()
	if err := admin.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatal(err)
	}
	return object
}
