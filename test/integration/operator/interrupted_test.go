package operator

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	helmcharts "github.com/kubefledged/kubefledged-operator/helm-charts"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// onlyInterrupted is what only an upgrade has that does not end.
const onlyInterrupted = "only-of-the-interrupted"

// interruptedUpgrade leaves a release as an operator does that was killed when
// its upgrade had written every object, and had still to say so.
func interruptedUpgrade(t *testing.T, kf *v1alpha2.KubeFledged) {
	t.Helper()
	records := history(t, kf)
	objects, err := release.Parse(records.Deployed().Manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			setPodAnnotation(t, object)
		}
		if object.GetKind() == "Service" {
			extra := object.DeepCopy()
			extra.SetName(onlyInterrupted)
			objects = append(objects, extra)
		}
	}
	manifest, err := release.Print(objects)
	if err != nil {
		t.Fatal(err)
	}
	chart, err := release.LoadChart(helmcharts.Files, helmcharts.KubeFledged)
	if err != nil {
		t.Fatal(err)
	}
	getter, err := release.NewGetter(cp.Config, admin.RESTMapper())
	if err != nil {
		t.Fatal(err)
	}
	capabilities, err := release.CapabilitiesOf(getter)
	if err != nil {
		t.Fatal(err)
	}
	helm := helmOf(t, kf, ownerOf(kf))
	if err := helm.Upgrade(chart, nil, capabilities, manifest); err != nil {
		t.Fatal(err)
	}
	if err := helm.Mark(1, release.StatusDeployed, "goes on"); err != nil {
		t.Fatal(err)
	}
	if err := helm.Mark(2, release.StatusPendingUpgrade, "begun and not ended"); err != nil {
		t.Fatal(err)
	}
}

func setPodAnnotation(t *testing.T, deployment *release.Object) {
	t.Helper()
	template := deployment.Object["spec"].(map[string]any)["template"].(map[string]any)["metadata"].(map[string]any)
	annotations, _ := template["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[onlyInterrupted] = "x"
	template["annotations"] = annotations
}

// What only an interrupted upgrade had is taken back before the next one: that
// compares with the revision before, and would leave it behind for good, fields
// as well as objects.
func TestInterruptedUpgradeIsTakenBack(t *testing.T) {
	namespace := namespaceFor(t)
	rollOut(t, namespace)
	kf := add(t, namespace, v1alpha2.KubeFledgedSpec{})
	untilDead(t, namespace, -1, settled(kf))
	interruptedUpgrade(t, kf)
	controller := get(t, namespace, "kubefledged-controller", &appsv1.Deployment{})
	if controller.Spec.Template.Annotations[onlyInterrupted] == "" {
		t.Fatal("the interrupted upgrade has changed nothing")
	}
	edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { s.PodAnnotations = map[string]string{"asked-for": "x"} })

	start(t, user, options(namespace))
	awaitReady(t, kf)
	controller = get(t, namespace, "kubefledged-controller", &appsv1.Deployment{})
	if controller.Spec.Template.Annotations["asked-for"] == "" || controller.Spec.Template.Annotations[onlyInterrupted] != "" {
		t.Errorf("annotations of the pods: %v", controller.Spec.Template.Annotations)
	}
	err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: onlyInterrupted}, &corev1.Service{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the Service is left: %v", err)
	}
	records := history(t, kf)
	if i := rollbackOf(&records); i < 0 {
		t.Errorf("no revision is a rollback: %+v", records.Last().Description)
	}
	remove(t, kf)
}

// rollbackOf returns the place of the rollback in the history, -1 without one.
func rollbackOf(records *release.History) int {
	for i := range records.Records {
		if strings.HasPrefix(records.Records[i].Description, "Rollback ") {
			return i
		}
	}
	return -1
}
