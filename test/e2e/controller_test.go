//go:build e2e

package e2e

import (
	"context"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// leaseName is the controller's leader election Lease.
const leaseName = "kubefledged-controller.kubefledged.io"

// configure changes the controller's Deployment for the rest of the scenario
// and waits until the changed controller leads.
func (w *world) configure(change func(*appsv1.Deployment)) {
	w.Helper()
	var original appsv1.Deployment
	w.check(cluster.API.Get(w.ctx, client.ObjectKey{Namespace: lab.Namespace, Name: lab.ControllerName}, &original))
	w.check(rollOut(w.ctx, change))
	w.Cleanup(func() {
		err := rollOut(context.Background(), func(d *appsv1.Deployment) { original.Spec.DeepCopyInto(&d.Spec) })
		if err != nil {
			w.Errorf("clean up: %v", err)
		}
	})
}

func rollOut(ctx context.Context, change func(*appsv1.Deployment)) error {
	var deployment appsv1.Deployment
	if err := cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: lab.ControllerName}, &deployment); err != nil {
		return err
	}
	change(&deployment)
	if err := cluster.API.Update(ctx, &deployment); err != nil {
		return err
	}
	if err := cluster.AwaitController(ctx); err != nil {
		return err
	}
	return lab.Poll(ctx, "a leader", 30*time.Second, func(ctx context.Context) (bool, string) {
		leader, err := leader(ctx)
		return err == nil && leader != nil, "no pod holds the lease"
	})
}

// withFlag adds a flag to the controller.
func withFlag(flag string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		args := &d.Spec.Template.Spec.Containers[0].Args
		*args = append(*args, flag)
	}
}

// withHelper makes the controller use another helper image.
func withHelper(image string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		env := d.Spec.Template.Spec.Containers[0].Env
		i := slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == "KUBEFLEDGED_CRI_CLIENT_IMAGE" })
		env[i].Value = image
	}
}

func controllerPods(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := cluster.API.List(ctx, &pods, client.InNamespace(lab.Namespace), lab.ControllerPods)
	return pods.Items, err
}

// leader returns the pod that holds the lease, nil when none of those that
// exist does. The holder's name is POD_UUID.
func leader(ctx context.Context) (*corev1.Pod, error) {
	var lease coordinationv1.Lease
	if err := cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: leaseName}, &lease); err != nil {
		return nil, err
	}
	pods, err := controllerPods(ctx)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return nil, err
	}
	for i := range pods {
		if strings.HasPrefix(*lease.Spec.HolderIdentity, pods[i].Name+"_") {
			return &pods[i], nil
		}
	}
	return nil, nil
}

// killController kills the controller's process, and the kubelet starts it
// again. It returns the id of the container that was killed.
func (w *world) killController() string {
	w.Helper()
	pod, err := leader(w.ctx)
	w.check(err)
	if pod == nil || len(pod.Status.ContainerStatuses) == 0 {
		w.Fatal("no controller leads")
	}
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	_, err = cluster.Exec(w.ctx, pod.Spec.NodeName, "ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", id)
	w.check(err)
	return id
}
