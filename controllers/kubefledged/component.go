package kubefledged

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// component says how a Deployment of the release is. Only where it has something
// left to do are its pods read, past the informers.
func (r *Reconciler) component(ctx context.Context, want, live *release.Object) (release.Component, error) {
	if live == nil {
		return release.Absentee(want.GetName()), nil
	}
	var deployment appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &deployment); err != nil {
		return release.Component{}, fmt.Errorf("read %s: %w", release.KeyOf(want), err)
	}
	if c := release.ComponentOf(&deployment, nil); !c.Rolling {
		return c, nil
	}
	pods, err := r.podsOf(ctx, &deployment)
	if err != nil {
		return release.Component{}, err
	}
	return release.ComponentOf(&deployment, pods), nil
}

func (r *Reconciler) podsOf(ctx context.Context, d *appsv1.Deployment) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("the selector of the Deployment %s: %w", d.Name, err)
	}
	var pods corev1.PodList
	if err := r.Reader.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("list the pods of the Deployment %s: %w", d.Name, err)
	}
	return pods.Items, nil
}
