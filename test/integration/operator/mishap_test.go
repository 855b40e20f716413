package operator

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// refusedSpec renders and is refused by the API server, which alone knows the
// operators of an affinity.
func refusedSpec(s *v1alpha2.KubeFledgedSpec) {
	s.ControllerReplicaCount = ptr.To[int32](3)
	s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: "Resembles", Values: []string{"b"}}}}},
	}}}
}

// An upgrade that the API server refuses is taken back: what ran goes on, and
// the condition has the API server's words.
func TestRefusedUpgradeIsTakenBack(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	before := get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{})
	edit(t, kf, refusedSpec)
	awaitDegraded(t, kf, v1alpha2.ReasonUpgradeFailed, "Deployment", "Resembles", "goes on")
	awaitStatus(t, kf, "rolled back", func(kf *v1alpha2.KubeFledged) bool {
		return kf.Status.Release.Revision == 3 && kf.Status.Release.Status == "deployed" && is(kf, v1alpha2.ConditionReady, false, v1alpha2.ReasonUpgradeFailed)
	})
	after := get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{})
	if after.UID != before.UID || *after.Spec.Replicas != *before.Spec.Replicas {
		t.Errorf("the Deployment was replaced or stays changed: %d replicas", *after.Spec.Replicas)
	}
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { *s = v1alpha2.KubeFledgedSpec{} })
	awaitReady(t, kf)
}

func TestRefusedInstallSaysWhy(t *testing.T) {
	namespace := namespaceFor(t)
	start(t, user, options(namespace))
	rollOut(t, namespace)
	var spec v1alpha2.KubeFledgedSpec
	refusedSpec(&spec)
	kf := add(t, namespace, spec)
	t.Cleanup(func() { remove(t, kf) })
	awaitDegraded(t, kf, v1alpha2.ReasonInstallFailed, "Deployment", "Resembles")
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { *s = v1alpha2.KubeFledgedSpec{} })
	awaitReady(t, kf)
}

// What the chart cannot be rendered with changes nothing.
func TestValuesThatDoNotRender(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) {
		s.Metrics = &v1alpha2.MetricsSpec{ServiceMonitor: &v1alpha2.ServiceMonitorSpec{Enabled: ptr.To(true)}}
	})
	awaitDegraded(t, kf, v1alpha2.ReasonInvalidSpec, "ServiceMonitor", "goes on")
	// It is kept whole meanwhile.
	if err := admin.Delete(t.Context(), get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{})); err != nil {
		t.Fatal(err)
	}
	within(t, repairLimit, "the Deployment is back", func() (bool, string) {
		err := admin.Get(t.Context(), client.ObjectKey{Namespace: kf.Namespace, Name: "kubefledged-controller"}, &appsv1.Deployment{})
		return err == nil, describe(kf)
	})
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { s.Metrics = nil })
	awaitReady(t, kf)
	if kf.Status.Release.Revision != 1 {
		t.Errorf("revision %d, nothing was to be upgraded", kf.Status.Release.Revision)
	}
}

func TestNameThatNoReleaseCanHave(t *testing.T) {
	namespace := namespaceFor(t)
	start(t, user, options(namespace))
	kf := &v1alpha2.KubeFledged{}
	kf.Namespace, kf.Name = namespace, strings.Repeat("long.", 50)+"end"
	if err := admin.Create(t.Context(), kf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, kf) })
	awaitDegraded(t, kf, v1alpha2.ReasonInvalidSpec, "53 characters")
}

func TestTheAPIServerNamesTheField(t *testing.T) {
	namespace := namespaceFor(t)
	for field, spec := range map[string]string{
		"spec.args.controllerImagePullDeadlineDuration": `{"args":{"controllerImagePullDeadlineDuration":"5 minutes"}}`,
		"spec.resources.limits.memory":                  `{"resources":{"limits":{"memory":"lots"}}}`,
		"spec.image.kubefledgedControllerRepository":    `{"image":{"kubefledgedControllerRepository":"UPPER/x:1"}}`,
		"spec.image.pullPolicy":                         `{"image":{"pullPolicy":"Sometimes"}}`,
		"spec.args.controllerPullsPerNode":              `{"args":{"controllerPullsPerNode":11}}`,
		"spec.kontroller":                               `{"kontroller":{}}`,
	} {
		manifest := `{"apiVersion":"charts.helm.kubefledged.io/v1alpha2","kind":"KubeFledged","metadata":{"name":"bad","namespace":"` + namespace + `"},"spec":` + spec + `}`
		command, err := cp.Kubectl(t.Context(), "create", "-f", "-")
		if err != nil {
			t.Fatal(err)
		}
		command.Stdin = strings.NewReader(manifest)
		if output, err := command.CombinedOutput(); err == nil || !strings.Contains(string(output), field) {
			t.Errorf("%s: %v, %s", field, err, output)
		}
	}
}

// A record that cannot be read, or that says something about another release,
// does not stop what runs, and is made anew.
func TestCorruptRecord(t *testing.T) {
	for what, spoil := range map[string]func([]byte) []byte{
		"text":             func([]byte) []byte { return []byte("garbage") },
		"nothing":          func([]byte) []byte { return nil },
		"cut short":        func(record []byte) []byte { return record[:len(record)/2] },
		"of another":       func(record []byte) []byte { return rewritten(t, record, `"name":"kubefledged"`, `"name":"nginx"`) },
		"of another place": func(record []byte) []byte { return rewritten(t, record, `"namespace":"`, `"namespace":"not-`) },
	} {
		t.Run(what, func(t *testing.T) {
			kf := installed(t, v1alpha2.KubeFledgedSpec{})
			controller := get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{})
			secret := get(t, kf.Namespace, "sh.helm.release.v1.kubefledged.v1", &corev1.Secret{})
			secret.Data["release"] = spoil(secret.Data["release"])
			if err := admin.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { s.ControllerReplicaCount = ptr.To[int32](2) })
			awaitStatus(t, kf, "the edit", func(kf *v1alpha2.KubeFledged) bool {
				return len(kf.Status.Components) > 0 && kf.Status.Components[0].Replicas == 2
			})
			awaitReady(t, kf)
			if now := get(t, kf.Namespace, controller.Name, &appsv1.Deployment{}); now.UID != controller.UID {
				t.Error("the Deployment was replaced")
			}
		})
	}
}

// rewritten is a record of Helm's, base64 of gzip of JSON, with another word in it.
func rewritten(t *testing.T, record []byte, from, to string) []byte {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(string(record))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil || !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%v: a record without %s", err, from)
	}
	var result bytes.Buffer
	writer := gzip.NewWriter(&result)
	if _, err := writer.Write(bytes.ReplaceAll(text, []byte(from), []byte(to))); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(result.Bytes()))
}

// disown makes the records somebody else's.
func disown(t *testing.T, kf *v1alpha2.KubeFledged) {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"ownerReferences":null}}`))
	var secrets corev1.SecretList
	if err := admin.List(t.Context(), &secrets, client.InNamespace(kf.Namespace), client.MatchingLabels{"owner": "helm"}); err != nil {
		t.Fatal(err)
	}
	for i := range secrets.Items {
		if err := admin.Patch(t.Context(), &secrets.Items[i], patch); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReleaseOfSomebodyElse(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	disown(t, kf)
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { s.ControllerReplicaCount = ptr.To[int32](2) })
	awaitDegraded(t, kf, v1alpha2.ReasonForeignRelease, v1alpha2.AnnotationAdopt)
	if d := get(t, kf.Namespace, "kubefledged-controller", &appsv1.Deployment{}); *d.Spec.Replicas != 1 {
		t.Error("somebody else's release was changed")
	}
	allow := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+v1alpha2.AnnotationAdopt+`":"true"}}}`))
	if err := admin.Patch(t.Context(), kf, allow); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, kf)
	if kf.Status.Components[0].Replicas != 2 {
		t.Errorf("adopted and not upgraded: %s", describe(kf))
	}
}

// Objects of the same names that are no release's are left alone, too.
func TestObjectsOfSomebodyElse(t *testing.T) {
	namespace := namespaceFor(t)
	service := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	service.Namespace, service.Name = namespace, "kubefledged-webhook-server"
	if err := admin.Create(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	start(t, user, options(namespace))
	rollOut(t, namespace)
	kf := add(t, namespace, v1alpha2.KubeFledgedSpec{})
	t.Cleanup(func() { remove(t, kf) })
	awaitDegraded(t, kf, v1alpha2.ReasonInstallFailed, "Service", "kubefledged-webhook-server", "exists")
	if err := admin.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, kf)
}

// An operation that somebody else began is waited for, ours is not.
func TestPendingReleaseIsUnlocked(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	if err := helmOf(t, kf, ownerOf(kf)).Mark(1, release.StatusPendingUpgrade, "begun and not ended"); err != nil {
		t.Fatal(err)
	}
	if got := history(t, kf); got.Last().Status != release.StatusPendingUpgrade {
		t.Fatalf("%+v", got.Last().Status)
	}
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { s.ControllerReplicaCount = ptr.To[int32](2) })
	awaitStatus(t, kf, "the edit", func(kf *v1alpha2.KubeFledged) bool {
		return len(kf.Status.Components) > 0 && kf.Status.Components[0].Replicas == 2
	})
	awaitReady(t, kf)
}

func TestSecondKubeFledged(t *testing.T) {
	kf := installed(t, v1alpha2.KubeFledgedSpec{})
	elsewhere, err := cp.Namespace("elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	var others []*v1alpha2.KubeFledged
	time.Sleep(1100 * time.Millisecond) // times of creation are in seconds
	for _, namespace := range []string{kf.Namespace, elsewhere} {
		other := &v1alpha2.KubeFledged{}
		other.Namespace, other.Name = namespace, "second"
		if err := admin.Create(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = admin.Delete(context.Background(), other) })
		awaitDegraded(t, other, v1alpha2.ReasonNotTheFirst, kf.Namespace+"/"+kf.Name)
		if len(other.Finalizers) > 0 {
			t.Error("it is held")
		}
		others = append(others, other)
	}
	awaitReady(t, kf)
	if err := admin.Delete(t.Context(), others[1]); err != nil {
		t.Fatal(err)
	}
	remove(t, kf)
	awaitStatus(t, others[0], "it is its turn", func(kf *v1alpha2.KubeFledged) bool { return is(kf, v1alpha2.ConditionReady, true, "") })
	remove(t, others[0])
}

func TestNamespaceThatIsNotWatched(t *testing.T) {
	namespace := namespaceFor(t)
	start(t, user, options("some-other-namespace"))
	kf := add(t, namespace, v1alpha2.KubeFledgedSpec{})
	t.Cleanup(func() { _ = admin.Delete(context.Background(), kf) })
	awaitDegraded(t, kf, v1alpha2.ReasonNotWatched, "some-other-namespace")
}
