package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Where the controller runs.
const (
	Namespace      = "kube-fledged"
	ControllerName = "kubefledged-controller"
)

// rolloutLimit is for a Deployment's new pods to be there, and alone.
const rolloutLimit = 90 * time.Second

// ControllerPods selects the controller's pods.
var ControllerPods = client.MatchingLabels{"kubefledged": ControllerName}

// programs are what the images are made of.
var programs = []string{ControllerName, "kubefledged-cri-client", "kubefledged-operator", "kubefledged-webhook-server"}

// Deploy applies the controller's manifests with images of this checkout, and
// waits for it. There is no webhook: scenarios stop nodes while they create
// ImageCaches, and store what it would refuse.
func (c *Cluster) Deploy(ctx context.Context) error {
	if err := c.Make(ctx, "deploy-using-yaml", "WEBHOOK=false"); err != nil {
		return err
	}
	return c.AwaitController(ctx)
}

// Make runs a target of the Makefile on this cluster, with images of this
// checkout. They are built from the Dockerfile unless the registry has them.
func (c *Cluster) Make(ctx context.Context, target string, variables ...string) error {
	tag, err := c.imageTag()
	if err != nil {
		return err
	}
	if err := c.pushPrograms(ctx, tag); err != nil {
		return err
	}
	kubeconfig, err := c.Run(ctx, "path", "kubeconfig")
	if err != nil {
		return err
	}
	return c.make(ctx, append([]string{target, "KUBECTL=" + c.program + " kubectl --name " + c.Name,
		"REGISTRY=localhost:5000", "TAG=" + tag, "KUBECONFIG=" + kubeconfig}, variables...)...)
}

// pushPrograms builds and pushes the images, unless the last one is there.
func (c *Cluster) pushPrograms(ctx context.Context, tag string) error {
	if c.Registry.Has(ctx, "kubefledged-operator", tag) {
		return nil
	}
	return c.make(ctx, "push", "REGISTRY="+c.Registry.Address, "TAG="+tag)
}

// imageTag names the images after what is in them: a tag stays on the nodes
// that have pulled it.
func (c *Cluster) imageTag() (string, error) {
	digest := sha256.New()
	files := []string{"Dockerfile"}
	for _, program := range programs {
		files = append(files, filepath.Join("bin", "linux_"+runtime.GOARCH, program))
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(c.Root, file))
		if err != nil {
			return "", fmt.Errorf("%w: run `make build-%s` first", err, runtime.GOARCH)
		}
		_, _ = digest.Write(content) // never fails
	}
	return fmt.Sprintf("%x", digest.Sum(nil)[:6]), nil
}

// make runs a target of this checkout. The variables of a make that runs us
// are not for this one.
func (c *Cluster) make(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, "make", append([]string{"-C", c.Root}, args...)...)
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "MAKE") || strings.HasPrefix(variable, "MFLAGS=")
	})
	_, err := c.execute(command)
	return err
}

// AwaitController waits until the Deployment's pods, and no others, are ready.
func (c *Cluster) AwaitController(ctx context.Context) error {
	return Poll(ctx, "the controller's rollout", rolloutLimit, func(ctx context.Context) (bool, string) {
		var deployment appsv1.Deployment
		if err := c.API.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: ControllerName}, &deployment); err != nil {
			return false, err.Error()
		}
		var pods corev1.PodList
		if err := c.API.List(ctx, &pods, client.InNamespace(Namespace), ControllerPods); err != nil {
			return false, err.Error()
		}
		s, want := deployment.Status, *deployment.Spec.Replicas
		done := s.ObservedGeneration == deployment.Generation && s.UpdatedReplicas == want &&
			s.AvailableReplicas == want && len(pods.Items) == int(want)
		return done, fmt.Sprintf("%d of %d pods available, %d updated; pods: %s", s.AvailableReplicas, want, s.UpdatedReplicas, podStates(pods.Items))
	})
}

func podStates(pods []corev1.Pod) string {
	var states []string
	for i := range pods {
		state := string(pods[i].Status.Phase)
		for _, status := range pods[i].Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil {
				state += " " + waiting.Reason + " " + waiting.Message
			}
		}
		states = append(states, pods[i].Name+" "+state)
	}
	return strings.Join(states, ", ")
}
