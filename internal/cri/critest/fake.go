// Package critest tests the removal of images against container runtimes: it
// has the cases, and a runtime in memory that behaves as containerd does.
package critest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// SandboxImage is what the sandboxes of a Fake run. It is pinned.
const SandboxImage = "registry.k8s.io/pause:3.10.1"

// Fake is a container runtime in memory. Of what containerd does it copies just
// what makes removals dangerous: RemoveImage takes away every name of an image,
// used or not, pinned or not, and what is absent is no error.
type Fake struct {
	runtimeapi.UnimplementedRuntimeServiceServer
	runtimeapi.UnimplementedImageServiceServer

	// Socket is where it listens.
	Socket string
	// Before, if set, is called before a method such as RemoveImage does its
	// work; an error is its answer.
	Before func(ctx context.Context, method string) error
	// KeepsImages makes RemoveImage do nothing and say that it did.
	KeepsImages bool
	// BareIDs makes it write IDs without sha256:, as CRI-O does.
	BareIDs bool

	mutex      sync.Mutex
	images     []*runtimeapi.Image
	containers []*runtimeapi.Container
	mounts     map[string][]*runtimeapi.Mount
	sandboxes  []*runtimeapi.PodSandbox
	removals   int
}

// NewFake starts a runtime that has nothing but the image of its sandboxes. It
// ends with the test.
func NewFake(t testing.TB) *Fake {
	t.Helper()
	f := &Fake{mounts: map[string][]*runtimeapi.Mount{}, Socket: filepath.Join(t.TempDir(), "cri.sock")}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", f.Socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(f.intercept))
	runtimeapi.RegisterRuntimeServiceServer(server, f)
	runtimeapi.RegisterImageServiceServer(server, f)
	go func() { _ = server.Serve(listener) }() // until it is stopped
	t.Cleanup(server.Stop)
	f.AddImage("pause", SandboxImage)
	f.images[0].Pinned = true
	return f
}

func (f *Fake) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if f.Before != nil {
		if err := f.Before(ctx, path.Base(info.FullMethod)); err != nil {
			return nil, err
		}
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return handler(ctx, request)
}

// AddImage gives an image of that content those names, as pulls would: a tag
// brings its repository's digest along.
func (f *Fake) AddImage(content string, names ...string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	image := f.find(f.id(content))
	if image == nil {
		image = &runtimeapi.Image{Id: f.id(content)}
		f.images = append(f.images, image)
	}
	for _, name := range names {
		f.untag(name)
		digest := reference.Repository(name) + "@" + sum("manifest of "+content)
		if strings.Contains(name, "@") {
			digest = name
		} else {
			image.RepoTags = append(image.RepoTags, name)
		}
		if !slices.Contains(image.RepoDigests, digest) {
			image.RepoDigests = append(image.RepoDigests, digest)
		}
	}
}

func sum(content string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) }

func (f *Fake) id(content string) string {
	if f.BareIDs {
		return strings.TrimPrefix(sum(content), "sha256:")
	}
	return sum(content)
}

// untag takes a tag from the image that has had it.
func (f *Fake) untag(name string) {
	for _, image := range f.images {
		image.RepoTags = slices.DeleteFunc(image.RepoTags, func(tag string) bool { return tag == name })
	}
}

// find resolves as containerd does: a digest or an abbreviated ID, else a name.
func (f *Fake) find(nameOrID string) *runtimeapi.Image {
	name, _, _ := reference.Normalise(nameOrID)
	for _, image := range f.images {
		id := strings.TrimPrefix(image.GetId(), "sha256:")
		if image.GetId() == nameOrID || strings.HasPrefix(id, nameOrID) || name != "" && slices.Contains(namesOf(image), name) {
			return image
		}
	}
	return nil
}

func namesOf(image *runtimeapi.Image) []string {
	return slices.Concat(image.GetRepoTags(), image.GetRepoDigests())
}

// AddPod makes a pod with one container of an image, which mounts others.
func (f *Fake) AddPod(name string, state runtimeapi.ContainerState, image string, mounted ...string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	labels := map[string]string{"io.kubernetes.pod.namespace": "team", "io.kubernetes.pod.name": name}
	id := sum(name)
	f.sandboxes = append(f.sandboxes, &runtimeapi.PodSandbox{
		Id: "sandbox-" + id, Labels: labels, Metadata: &runtimeapi.PodSandboxMetadata{Namespace: "team", Name: name},
	})
	f.containers = append(f.containers, &runtimeapi.Container{
		Id: id, PodSandboxId: "sandbox-" + id, Labels: labels, State: state,
		Metadata: &runtimeapi.ContainerMetadata{Name: "app"},
		Image:    &runtimeapi.ImageSpec{Image: f.find(image).GetId(), UserSpecifiedImage: image},
		ImageRef: f.find(image).GetId(), ImageId: f.find(image).GetId(),
	})
	for _, volume := range mounted {
		f.mounts[id] = append(f.mounts[id], &runtimeapi.Mount{Image: &runtimeapi.ImageSpec{Image: f.find(volume).GetId()}})
	}
}

// StopPod ends the sandbox of a pod, whose container is left as it is.
func (f *Fake) StopPod(name string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, sandbox := range f.sandboxes {
		if sandbox.GetMetadata().GetName() == name {
			sandbox.State = runtimeapi.PodSandboxState_SANDBOX_NOTREADY
		}
	}
}

// Unpin makes no image pinned.
func (f *Fake) Unpin() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, image := range f.images {
		image.Pinned = false
	}
}

// Names returns the names of all images.
func (f *Fake) Names() (names []string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, image := range f.images {
		names = append(names, namesOf(image)...)
	}
	return names
}

// Removals is how many times RemoveImage was called.
func (f *Fake) Removals() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.removals
}

// Version implements the RuntimeService.
func (f *Fake) Version(context.Context, *runtimeapi.VersionRequest) (*runtimeapi.VersionResponse, error) {
	return &runtimeapi.VersionResponse{Version: "0.1.0", RuntimeName: "fake", RuntimeVersion: "v0", RuntimeApiVersion: "v1"}, nil
}

// ImageStatus implements the ImageService.
func (f *Fake) ImageStatus(_ context.Context, r *runtimeapi.ImageStatusRequest) (*runtimeapi.ImageStatusResponse, error) {
	return &runtimeapi.ImageStatusResponse{Image: f.find(r.GetImage().GetImage())}, nil
}

// RemoveImage implements the ImageService.
func (f *Fake) RemoveImage(_ context.Context, r *runtimeapi.RemoveImageRequest) (*runtimeapi.RemoveImageResponse, error) {
	f.removals++
	if found := f.find(r.GetImage().GetImage()); found != nil && !f.KeepsImages {
		f.images = slices.DeleteFunc(f.images, func(image *runtimeapi.Image) bool { return image == found })
	}
	return &runtimeapi.RemoveImageResponse{}, nil
}

// ListContainers implements the RuntimeService.
func (f *Fake) ListContainers(context.Context, *runtimeapi.ListContainersRequest) (*runtimeapi.ListContainersResponse, error) {
	return &runtimeapi.ListContainersResponse{Containers: f.containers}, nil
}

// ContainerStatus implements the RuntimeService.
func (f *Fake) ContainerStatus(_ context.Context, r *runtimeapi.ContainerStatusRequest) (*runtimeapi.ContainerStatusResponse, error) {
	mounts, id := f.mounts[r.GetContainerId()], r.GetContainerId()
	if !slices.ContainsFunc(f.containers, func(c *runtimeapi.Container) bool { return c.GetId() == id }) {
		return nil, status.Errorf(codes.NotFound, "container %s", id)
	}
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{Id: id, Mounts: mounts}}, nil
}

// ListPodSandbox implements the RuntimeService.
func (f *Fake) ListPodSandbox(context.Context, *runtimeapi.ListPodSandboxRequest) (*runtimeapi.ListPodSandboxResponse, error) {
	return &runtimeapi.ListPodSandboxResponse{Items: f.sandboxes}, nil
}

// PodSandboxStatus implements the RuntimeService.
func (f *Fake) PodSandboxStatus(context.Context, *runtimeapi.PodSandboxStatusRequest) (*runtimeapi.PodSandboxStatusResponse, error) {
	return &runtimeapi.PodSandboxStatusResponse{Info: map[string]string{"info": fmt.Sprintf(`{"pid":1,"image":%q}`, SandboxImage)}}, nil
}
