//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/cri/critest"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// sandboxImage is what the nodes' sandboxes run.
const sandboxImage = "registry.k8s.io/pause:3.10.1"

// counter makes names, and images, that no other case has.
var counter atomic.Int64

// nodeWorld is a real node for the cases of the removal. The helper runs on
// this machine, with the node's socket.
type nodeWorld struct {
	*world
	runtime *lab.Runtime
	socket  string
	prefix  string
}

// TestRemovalClient runs the cases on containerd.
func TestRemovalClient(t *testing.T) {
	w := newWorld(t, "removal-client")
	critest.Suite(t, func(t *testing.T) critest.World { return newNodeWorld(t, w) })
}

// newNodeWorld shares the namespace of parent.
func newNodeWorld(t *testing.T, parent *world) *nodeWorld {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), namespace: parent.namespace, began: time.Now()}
	t.Cleanup(w.end)
	socket, err := cluster.Run(w.ctx, "path", "socket", plainNode)
	w.check(err)
	prefix := fmt.Sprintf("%s/case%d", w.namespace, counter.Add(1))
	return &nodeWorld{w, lab.NewRuntime(socket), socket, prefix}
}

func (n *nodeWorld) Name(registry, suffix string) string {
	return registry + "/" + n.prefix + "/" + suffix
}

// Have makes an image with arguments of its own, and no other data, so that it
// is the same under every name.
func (n *nodeWorld) Have(names ...string) {
	n.Helper()
	command := fmt.Sprintf("toolbox serve %d", 20000+counter.Add(1))
	for _, name := range names {
		_, err := cluster.Run(n.ctx, "images", "push", name, "--size=0", "--command="+command)
		n.check(err)
		n.check(n.runtime.Pull(n.ctx, name))
	}
}

func (n *nodeWorld) HaveArtifacts(names ...string) {
	n.Helper()
	for _, name := range names {
		repository := reference.Repository(name)
		tag := strings.TrimPrefix(name, repository+":")
		_, path, _ := strings.Cut(repository, "/")
		n.check(cluster.Registry.PushArtifact(n.ctx, path, tag, name))
		n.check(n.runtime.Pull(n.ctx, name))
	}
}

func (n *nodeWorld) Run(image string) string {
	pod := n.podWith(image)
	pod.Spec.Volumes, pod.Spec.Containers[0].VolumeMounts = nil, nil
	pod.Spec.Containers[0].Image = image
	return n.start(pod)
}

func (n *nodeWorld) Mount(image string) string { return n.start(n.podWith(image)) }

// start returns when the pod runs, and deletes it at the end.
func (n *nodeWorld) start(pod *corev1.Pod) string {
	n.Helper()
	pod.Name = strings.ReplaceAll(n.prefix, "/", "-")
	n.create(pod)
	n.Cleanup(func() {
		if err := cluster.API.Delete(context.Background(), pod, client.GracePeriodSeconds(0)); err != nil {
			n.Errorf("clean up: %v", err)
		}
	})
	n.awaitPhase(pod, corev1.PodRunning)
	return pod.Namespace + "/" + pod.Name
}

func (w *world) awaitPhase(pod *corev1.Pod, phase corev1.PodPhase) {
	w.Helper()
	w.check(lab.Poll(w.ctx, "pod "+pod.Name, time.Minute, func(ctx context.Context) (bool, string) {
		err := cluster.API.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err == nil && pod.Status.Phase == phase, fmt.Sprint(err, pod.Status)
	}))
}

func (n *nodeWorld) Pinned() string { return sandboxImage }

func (n *nodeWorld) Names() (names []string) {
	n.Helper()
	images, err := n.runtime.Images(n.ctx)
	n.check(err)
	for _, image := range images {
		names = append(names, image.Names...)
	}
	return names
}

func (n *nodeWorld) Remove(args ...string) (cri.Report, int) {
	n.Helper()
	program := filepath.Join(cluster.Root, "bin", "linux_"+runtime.GOARCH, cri.ProgramName)
	command := exec.CommandContext(n.ctx, program, append([]string{"remove", "--runtime-endpoint=unix://" + n.socket}, args...)...)
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	began := time.Now()
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		n.Fatal(err)
	}
	var report cri.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		n.Fatalf("output %q, %q: %v", out.String(), complaints.String(), err)
	}
	n.Logf("%s: %.300s", time.Since(began).Round(time.Millisecond), out.String())
	return report, command.ProcessState.ExitCode()
}

// TestRemovalClientInAPod runs the helper as a removal Job will: user 0 without
// capabilities, and one socket.
func TestRemovalClientInAPod(t *testing.T) {
	w := newWorld(t, "removal-pod")
	n := newNodeWorld(t, w)
	goes, kept, shared := n.Name("quay.io", "goes:1"), n.Name("quay.io", "kept:1"), n.Name("gcr.io", "kept:1")
	n.Have(goes)
	n.Have(kept, shared)
	helper := n.helperImage()
	keep := []string{shared}
	for i := range 1999 {
		keep = append(keep, n.Name("quay.io", fmt.Sprintf("some-team/some-application/%d:1", i)))
	}
	images := []string{goes, kept, n.Name("quay.io", "absent:1"), helper, sandboxImage, "$(touch /pwned)"}
	pod := n.removalPod(helper, cri.RemoveArgs(keep, images))
	n.awaitPhase(pod, corev1.PodFailed) // one name is none
	ended := pod.Status.ContainerStatuses[0].State.Terminated
	t.Logf("%s; exit code %d: %s", ended.FinishedAt.Sub(ended.StartedAt.Time), ended.ExitCode, ended.Message)
	report, err := cri.ParseReport(ended.Message, images)
	n.check(err)
	for i, want := range []cri.Result{cri.Removed, cri.Shared, cri.Absent, cri.InUse, cri.Pinned, cri.Failed} {
		if got := report.Images[i]; got.Result != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if ended.ExitCode != 1 || !strings.Contains(report.Images[3].Message, "container remove of pod "+pod.Namespace+"/"+pod.Name) {
		t.Errorf("exit code %d, the helper's image: %q", ended.ExitCode, report.Images[3].Message)
	}
	if names := n.Names(); slices.Contains(names, goes) || !slices.Contains(names, kept) || !slices.Contains(names, helper) {
		t.Errorf("the node has %q", names)
	}
}

// helperImage is the one that the controller was deployed with.
func (n *nodeWorld) helperImage() string {
	n.Helper()
	var deployment appsv1.Deployment
	n.check(cluster.API.Get(n.ctx, client.ObjectKey{Namespace: lab.Namespace, Name: lab.ControllerName}, &deployment))
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		if variable.Name == "KUBEFLEDGED_CRI_CLIENT_IMAGE" {
			return variable.Value
		}
	}
	n.Fatal("the controller knows no helper image")
	return ""
}

func (n *nodeWorld) removalPod(image string, args []string) *corev1.Pod {
	n.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: n.namespace + "-node", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "privileged"},
	}}
	n.create(namespace)
	n.Cleanup(func() { n.delete(namespace) })
	const socket = "/run/containerd/containerd.sock"
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "removal"},
		Spec: corev1.PodSpec{
			NodeName:                     plainNode,
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: ptr.To(false),
			Volumes: []corev1.Volume{{Name: "socket", VolumeSource: corev1.VolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: socket, Type: ptr.To(corev1.HostPathSocket)},
			}}},
			Containers: []corev1.Container{{
				Name: "remove", Image: image, Args: args,
				VolumeMounts: []corev1.VolumeMount{{Name: "socket", MountPath: socket}},
				SecurityContext: &corev1.SecurityContext{
					RunAsUser: ptr.To[int64](0), AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
	n.create(pod)
	return pod
}
