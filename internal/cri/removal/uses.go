package removal

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// survey finds out who uses images. It lists anew each time, but asks for the
// details of one container or sandbox once: they do not change.
type survey struct {
	runtime *runtime
	// mounted has the images that a container mounts as volumes, by its ID.
	mounted map[string][]string
	// paused has the image that a sandbox itself runs, by its ID.
	paused map[string]string
}

func newSurvey(r *runtime) *survey {
	return &survey{r, map[string][]string{}, map[string]string{}}
}

// uses returns what uses images at this moment.
func (s *survey) uses(ctx context.Context) ([]use, error) {
	sandboxes, err := s.sandboxes(ctx)
	if err != nil {
		return nil, err
	}
	containers, err := s.containers(ctx)
	if err != nil {
		return nil, err
	}
	ready, uses := map[string]bool{}, []use(nil)
	for _, sandbox := range sandboxes {
		ready[sandbox.GetId()] = isReady(sandbox)
	}
	for _, container := range containers {
		if !needsImages(container, ready[container.GetPodSandboxId()]) {
			continue
		}
		own, err := s.usesOf(ctx, container)
		if err != nil {
			return nil, err
		}
		uses = append(uses, own...)
	}
	for _, sandbox := range sandboxes {
		image, err := s.imageOf(ctx, sandbox)
		if err != nil {
			return nil, err
		}
		uses = append(uses, use{podName(sandbox.GetLabels(), sandbox.GetMetadata()), []string{image}})
	}
	return uses, nil
}

func isReady(sandbox *runtimeapi.PodSandbox) bool {
	return sandbox.GetState() == runtimeapi.PodSandboxState_SANDBOX_READY
}

// needsImages tells whether a container keeps its images from being removed. One
// that has ended does while its pod goes on: it may be between two restarts.
func needsImages(container *runtimeapi.Container, podIsReady bool) bool {
	return podIsReady || container.GetState() != runtimeapi.ContainerState_CONTAINER_EXITED
}

func (s *survey) sandboxes(ctx context.Context) ([]*runtimeapi.PodSandbox, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := s.runtime.containers.ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{})
	if err != nil {
		return nil, fmt.Errorf("list the pods that run: %w", err)
	}
	return answer.GetItems(), nil
}

func (s *survey) containers(ctx context.Context) ([]*runtimeapi.Container, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := s.runtime.containers.ListContainers(ctx, &runtimeapi.ListContainersRequest{})
	if err != nil {
		return nil, fmt.Errorf("list the containers that run: %w", err)
	}
	return answer.GetContainers(), nil
}

// usesOf returns the uses of a container: the image it runs, under each of the
// names that runtimes know it by, and those it mounts as volumes.
func (s *survey) usesOf(ctx context.Context, c *runtimeapi.Container) ([]use, error) {
	mounted, err := s.mountedBy(ctx, c.GetId())
	if err != nil {
		return nil, err
	}
	by := fmt.Sprintf("container %s of %s", c.GetMetadata().GetName(), podName(c.GetLabels(), nil))
	return []use{
		{by, []string{c.GetImageId(), c.GetImageRef(), c.GetImage().GetImage(), c.GetImage().GetUserSpecifiedImage()}},
		{"a volume of " + by, mounted},
	}, nil
}

// mountedBy returns the images that a container mounts. Nothing else tells: the
// list of containers has only the images that they run.
func (s *survey) mountedBy(ctx context.Context, id string) ([]string, error) {
	if mounted, known := s.mounted[id]; known {
		return mounted, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := s.runtime.containers.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: id})
	if status.Code(err) == codes.NotFound {
		return nil, nil // gone since it was listed
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the mounts of container %s: %w", id, err)
	}
	var mounted []string
	for _, mount := range answer.GetStatus().GetMounts() {
		if spec := mount.GetImage(); spec != nil {
			mounted = append(mounted, spec.GetImage(), spec.GetUserSpecifiedImage())
		}
	}
	s.mounted[id] = mounted
	return mounted, nil
}

// imageOf returns the image that a sandbox runs to hold its namespaces, "" if
// the runtime does not tell. CRI has no field for it; containerd and CRI-O put
// it into the info for people. Where that fails, runtimes pin the image.
func (s *survey) imageOf(ctx context.Context, sandbox *runtimeapi.PodSandbox) (string, error) {
	id := sandbox.GetId()
	if image, known := s.paused[id]; known || !isReady(sandbox) {
		return image, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := s.runtime.containers.PodSandboxStatus(ctx, &runtimeapi.PodSandboxStatusRequest{PodSandboxId: id, Verbose: true})
	if status.Code(err) == codes.NotFound {
		return "", nil // gone since it was listed
	}
	if err != nil {
		return "", fmt.Errorf("ask for the image of sandbox %s: %w", id, err)
	}
	var info struct {
		Image string `json:"image"`
	}
	_ = json.Unmarshal([]byte(answer.GetInfo()["info"]), &info) // another runtime's words
	s.paused[id] = info.Image
	return info.Image, nil
}

// podName takes the pod's name from the kubelet's labels, which containers have
// too (pkg/kubelet/types/labels.go), else from the sandbox's own.
func podName(labels map[string]string, metadata *runtimeapi.PodSandboxMetadata) string {
	namespace, name := labels["io.kubernetes.pod.namespace"], labels["io.kubernetes.pod.name"]
	if name == "" {
		namespace, name = metadata.GetNamespace(), metadata.GetName()
	}
	if name == "" {
		return "a pod that the kubelet did not make"
	}
	return "pod " + namespace + "/" + name
}
