package removal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	// readTimeout bounds a question to the runtime, as long as the whole has
	// time left. They take milliseconds.
	readTimeout = 10 * time.Second
	// removeTimeout bounds a removal: containerd deletes what nobody refers to
	// any longer before it answers, which is many files for a large image.
	removeTimeout = time.Minute
	// maxMessage is the kubelet's limit for an answer (cri-client, maxMsgSize):
	// the 4 MiB of gRPC are too few for a node with thousands of images.
	maxMessage = 16 << 20
)

// runtime is the container runtime of the node, through its CRI.
type runtime struct {
	images     runtimeapi.ImageServiceClient
	containers runtimeapi.RuntimeServiceClient
	connection *grpc.ClientConn
}

// connect finds out whether a runtime that speaks CRI v1 listens on the socket.
func connect(ctx context.Context, socket string) (*runtime, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := knock(ctx, socket); err != nil {
		return nil, err
	}
	// The target is not a path, since one could hold what a URL may not.
	connection, err := grpc.NewClient("passthrough:///runtime",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx, socket) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("localhost"), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", socket, err)
	}
	r := &runtime{runtimeapi.NewImageServiceClient(connection), runtimeapi.NewRuntimeServiceClient(connection), connection}
	if _, err := r.containers.Version(ctx, &runtimeapi.VersionRequest{}); err != nil {
		r.close()
		return nil, explainVersion(socket, err)
	}
	return r, nil
}

func (r *runtime) close() { _ = r.connection.Close() } // nothing is on its way any longer

func dial(ctx context.Context, socket string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", socket)
}

// knock connects once without gRPC, whose errors would not tell the cause apart.
func knock(ctx context.Context, socket string) error {
	connection, err := dial(ctx, socket)
	if err != nil {
		return explainDial(socket, err)
	}
	return connection.Close()
}

func explainDial(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the runtime's socket %s does not exist: is it the right one, and mounted? %w", socket, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission for the runtime's socket %s: it takes user 0, and SELinux or AppArmor may forbid it: %w", socket, err)
	case errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no runtime listens on %s: %w", socket, err)
	}
	return fmt.Errorf("connect to the runtime's socket %s: %w", socket, err)
}

func explainVersion(socket string, err error) error {
	switch status.Code(err) {
	case codes.Unimplemented:
		return fmt.Errorf("what listens on %s speaks no CRI v1, which containerd has from 1.6 and CRI-O from 1.20 on: %w", socket, err)
	case codes.Unavailable, codes.Internal, codes.Unknown:
		return fmt.Errorf("what listens on %s does not answer as a container runtime: %w", socket, err)
	}
	return fmt.Errorf("ask the runtime on %s for its version: %w", socket, err)
}

// status returns the image of a name or ID, nil if there is none.
func (r *runtime) status(ctx context.Context, nameOrID string) (*image, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := r.images.ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: nameOrID}})
	if status.Code(err) == codes.NotFound {
		return nil, nil // CRI asks for an empty answer instead, but not all have kept to that
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the image: %w", err)
	}
	found := answer.GetImage()
	if found == nil {
		return nil, nil
	}
	if found.GetId() == "" {
		return nil, errors.New("the runtime returned an image without ID")
	}
	return &image{found.GetId(), slices.Concat(found.GetRepoTags(), found.GetRepoDigests()), found.GetPinned()}, nil
}

// remove removes the image of an ID with all its names. It goes by ID because
// that is what was looked at; a name could mean another image by now. The
// kubelet's garbage collection does the same.
func (r *runtime) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	_, err := r.images.RemoveImage(ctx, &runtimeapi.RemoveImageRequest{Image: &runtimeapi.ImageSpec{Image: id}})
	return err
}
