package removal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/cri/critest"
)

const app, other = "quay.io/test/app:1", "quay.io/test/other:1"

func request(socket string, images ...string) Request {
	return Request{Socket: socket, Timeout: time.Minute, Images: images}
}

// check compares the results with words such as "Removed Failed", and looks for
// words in the message of the first.
func check(t *testing.T, report cri.Report, want string, words ...string) {
	t.Helper()
	var results []string
	for _, image := range report.Images {
		results = append(results, string(image.Result))
	}
	if got := strings.Join(results, " "); got != want {
		t.Fatalf("%s, want %s: %v", got, want, report)
	}
	for _, word := range words {
		if message := report.Images[0].Message; !strings.Contains(message, word) {
			t.Errorf("message %q does not say %q", message, word)
		}
	}
}

// failing makes a method fail.
func failing(method string) func(context.Context, string) error {
	return func(_ context.Context, called string) error {
		if called == method {
			return status.Error(codes.Unknown, "the disk is\nbroken")
		}
		return nil
	}
}

// Nothing is removed by somebody who could not see everything.
func TestNothingGoesUnseen(t *testing.T) {
	for _, method := range []string{"ImageStatus", "ListContainers", "ContainerStatus", "ListPodSandbox", "PodSandboxStatus"} {
		t.Run(method, func(t *testing.T) {
			fake := critest.NewFake(t)
			fake.AddImage("app", app)
			fake.AddPod("web", runtimeapi.ContainerState_CONTAINER_RUNNING, critest.SandboxImage)
			fake.Before = failing(method)
			check(t, Run(t.Context(), request(fake.Socket, app)), "Failed", "the disk is: broken")
			if n := fake.Removals(); n != 0 {
				t.Errorf("%d removals", n)
			}
		})
	}
}

func TestOneFailureStopsNoOther(t *testing.T) {
	fake := critest.NewFake(t)
	fake.AddImage("app", app)
	fake.AddImage("other", other)
	failed := false
	fake.Before = func(_ context.Context, method string) error {
		if method == "RemoveImage" && !failed {
			failed = true
			return status.Error(codes.Internal, "once")
		}
		return nil
	}
	check(t, Run(t.Context(), request(fake.Socket, app, other)), "Failed Removed", "remove the image", "once")
	check(t, Run(t.Context(), request(fake.Socket, app, other)), "Removed Absent")
}

// An error that comes with the image gone is none: containerd may have answered
// too late, or CRI-O may have complained of something else.
func TestGoneInSpiteOfAnError(t *testing.T) {
	fake := critest.NewFake(t)
	fake.AddImage("app", app)
	fake.Before = func(ctx context.Context, method string) error {
		if method != "RemoveImage" {
			return nil
		}
		_, err := fake.RemoveImage(ctx, &runtimeapi.RemoveImageRequest{Image: &runtimeapi.ImageSpec{Image: app}})
		return errors.Join(err, status.Error(codes.DeadlineExceeded, "late"))
	}
	check(t, Run(t.Context(), request(fake.Socket, app)), "Removed")
}

func TestRuntimeThatDoesNotRemove(t *testing.T) {
	fake := critest.NewFake(t)
	fake.AddImage("app", app)
	fake.KeepsImages = true
	check(t, Run(t.Context(), request(fake.Socket, app)), "Failed", "still has it as "+app)
}

// One removal, whatever the number of names.
func TestOneImageIsRemovedOnce(t *testing.T) {
	fake := critest.NewFake(t)
	fake.AddImage("app", app, other)
	check(t, Run(t.Context(), request(fake.Socket, app, other, app)), "Removed Removed Removed")
	if n := fake.Removals(); n != 1 {
		t.Errorf("%d removals", n)
	}
}

// What happens after the names were resolved and before the removal is seen.
func TestTheLastLookCounts(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*critest.Fake)
		want    string
	}{
		"a kept name appears": {func(f *critest.Fake) { f.AddImage("app", other) }, "Shared"},
		"a pod starts":        {func(f *critest.Fake) { f.AddPod("web", runtimeapi.ContainerState_CONTAINER_CREATED, app) }, "InUse"},
		"the name moves on":   {func(f *critest.Fake) { f.AddImage("app 2", app) }, "Shared"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := critest.NewFake(t)
			fake.AddImage("app", app)
			happened := false
			fake.Before = func(_ context.Context, method string) error {
				if method == "ListPodSandbox" && !happened { // the first question after the names
					happened = true
					c.happens(fake)
				}
				return nil
			}
			r := request(fake.Socket, app)
			r.Keep = []string{other}
			check(t, Run(t.Context(), r), c.want)
			if n := fake.Removals(); n != 0 {
				t.Errorf("%d removals", n)
			}
		})
	}
}

func TestUsesByContainerState(t *testing.T) {
	for name, c := range map[string]struct {
		state   runtimeapi.ContainerState
		stopped bool
		want    string
	}{
		"created":              {runtimeapi.ContainerState_CONTAINER_CREATED, false, "InUse"},
		"running":              {runtimeapi.ContainerState_CONTAINER_RUNNING, false, "InUse"},
		"between two restarts": {runtimeapi.ContainerState_CONTAINER_EXITED, false, "InUse"},
		"ended with its pod":   {runtimeapi.ContainerState_CONTAINER_EXITED, true, "Removed"},
		"runs without its pod": {runtimeapi.ContainerState_CONTAINER_RUNNING, true, "InUse"},
		"unknown":              {runtimeapi.ContainerState_CONTAINER_UNKNOWN, true, "InUse"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := critest.NewFake(t)
			fake.AddImage("app", app)
			fake.AddPod("web", c.state, app)
			if c.stopped {
				fake.StopPod("web")
			}
			check(t, Run(t.Context(), request(fake.Socket, app)), c.want)
		})
	}
}

// An older containerd does not pin the image of sandboxes.
func TestSandboxImageThatIsNotPinned(t *testing.T) {
	fake := critest.NewFake(t)
	fake.AddImage("app", app)
	fake.AddImage("pause", "quay.io/test/pause:1")
	fake.Unpin()
	fake.AddPod("web", runtimeapi.ContainerState_CONTAINER_RUNNING, app)
	r := request(fake.Socket, "quay.io/test/pause:1")
	r.OtherNames = true
	check(t, Run(t.Context(), r), "InUse", "used by pod team/web")
	fake.StopPod("web")
	check(t, Run(t.Context(), r), "Removed")
}

func TestTimeLimit(t *testing.T) {
	fake := critest.NewFake(t)
	fake.AddImage("app", app)
	fake.AddImage("other", other)
	fake.Before = func(ctx context.Context, method string) error {
		if method == "ListContainers" {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	r := request(fake.Socket, app, other)
	r.Timeout = 200 * time.Millisecond
	began := time.Now()
	check(t, Run(t.Context(), r), "Failed Failed", "the time limit of 200ms is over")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if n := fake.Removals(); n != 0 {
		t.Errorf("%d removals", n)
	}
}

func TestInterrupted(t *testing.T) {
	fake := critest.NewFake(t)
	fake.AddImage("app", app)
	ctx, cancel := context.WithCancel(t.Context())
	fake.Before = func(_ context.Context, method string) error {
		if method == "ImageStatus" {
			cancel()
		}
		return nil
	}
	check(t, Run(ctx, request(fake.Socket, app, "no name")), "Failed Failed", "context canceled")
}

func TestNoRuntime(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ socket, words string }{
		"no socket":       {filepath.Join(dir, "none"), "does not exist: is it the right one, and mounted?"},
		"a file":          {file, "no runtime listens on " + file},
		"a web server":    {serveHTTP(t), "does not answer as a container runtime"},
		"another gRPC":    {serveGRPC(t, filepath.Join(dir, "grpc")), "speaks no CRI v1"},
		"nobody listens":  {abandoned(t, filepath.Join(dir, "gone")), "no runtime listens"},
		"too long a path": {"/" + strings.Repeat("x", 200), "connect to the runtime's socket"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, Run(t.Context(), request(c.socket, app, other)), "Failed Failed", c.words)
		})
	}
}

func listen(t *testing.T, socket string) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func serveHTTP(t *testing.T) string {
	socket := filepath.Join(t.TempDir(), "http")
	listener := listen(t, socket)
	server := &http.Server{ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}

func serveGRPC(t *testing.T, socket string) string {
	listener := listen(t, socket)
	server := grpc.NewServer()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return socket
}

func abandoned(t *testing.T, socket string) string {
	listener := listen(t, socket)
	if unix, ok := listener.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return socket
}

// Root is refused nothing, so this is not tried on a socket.
func TestExplainDial(t *testing.T) {
	for cause, words := range map[error]string{
		syscall.EACCES: "no permission for the runtime's socket /s: it takes user 0",
		syscall.EPERM:  "no permission",
		syscall.ENOENT: "does not exist",
		syscall.EIO:    "connect to the runtime's socket /s",
	} {
		err := explainDial("/s", &net.OpError{Op: "dial", Err: &fs.PathError{Err: cause}})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), words) {
			t.Errorf("explainDial(%v) = %v, want the words %q", cause, err, words)
		}
	}
}

func TestExplainVersion(t *testing.T) {
	for code, words := range map[codes.Code]string{
		codes.Unimplemented:     "speaks no CRI v1",
		codes.Unavailable:       "does not answer as a container runtime",
		codes.DeadlineExceeded:  "ask the runtime on /s for its version",
		codes.ResourceExhausted: "ask the runtime",
	} {
		if err := explainVersion("/s", status.Error(code, "why")); !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "why") {
			t.Errorf("%s: %v, want the words %q", code, err, words)
		}
	}
}

// A full node: each container is asked for its mounts once.
func TestManyContainersAreAskedOnce(t *testing.T) {
	fake := critest.NewFake(t)
	var images []string
	for i := range 20 {
		image := fmt.Sprintf("quay.io/test/app:%d", i)
		images = append(images, image)
		fake.AddImage(image, image)
	}
	for i := range 50 {
		fake.AddPod(fmt.Sprintf("pod-%d", i), runtimeapi.ContainerState_CONTAINER_RUNNING, critest.SandboxImage)
	}
	calls := map[string]int{}
	fake.Before = func(_ context.Context, method string) error {
		calls[method]++
		return nil
	}
	check(t, Run(t.Context(), request(fake.Socket, images...)), strings.TrimSpace(strings.Repeat("Removed ", 20)))
	if calls["ContainerStatus"] != 50 || calls["PodSandboxStatus"] != 50 || calls["ListContainers"] != 20 {
		t.Errorf("calls %v", calls)
	}
}
