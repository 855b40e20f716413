package jobs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// A removal pod is root and sees one socket, and that is all it may.
func TestRemovalPodHasOneSocket(t *testing.T) {
	s, opts := everyOption()
	s.Kind, s.Node.Socket = plan.JobRemove, "/run/r.sock"
	pod := jobs.Build(s, opts).Spec.Template.Spec
	if pod.HostNetwork || pod.HostPID || pod.HostIPC || *pod.AutomountServiceAccountToken || pod.ServiceAccountName != "" {
		t.Error("the pod uses the host, has a token or a service account of another namespace")
	}
	if len(pod.Volumes) != 1 || pod.Volumes[0].HostPath.Path != "/run/r.sock" || *pod.Volumes[0].HostPath.Type != corev1.HostPathSocket {
		t.Errorf("volumes %+v", pod.Volumes)
	}
	if sc := pod.SecurityContext; *sc.RunAsUser != 0 || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context %+v", sc)
	}
	if len(pod.InitContainers) > 0 || len(pod.Containers) != 1 || pod.NodeName != "node-1" {
		t.Fatalf("the pod %+v", pod)
	}
	checkRestricted(t, &pod.Containers[0])
	if secrets := pod.ImagePullSecrets; len(secrets) != 2 || secrets[0].Name != "shared" {
		t.Errorf("a removal needs no secret of an ImageCache: %v", secrets)
	}
}

// A removal of the most images that one helper takes, beside as many to keep as
// a node may have, is a Job that the API server takes.
func TestLargestRemoval(t *testing.T) {
	s := removal()
	name := "registry.example:5000/" + strings.Repeat("some-team/", 20) + "app:1"
	s.Images = slices.Repeat([]plan.Want{want(name, name, "")}, cri.MaxRemovals)
	s.Keep = slices.Repeat([]string{name}, 2000)
	job := jobs.Build(s, options())
	if size, noted := job.Size(), len(job.Annotations[v1alpha2.AnnotationImages]); size > 1<<20 || noted > 200<<10 {
		t.Errorf("%d bytes, %d of them in an annotation", size, noted)
	}
	if args := job.Spec.Template.Spec.Containers[0].Args; len(args) != 3+2000+1+cri.MaxRemovals {
		t.Errorf("%d arguments", len(args))
	}
}

func TestTimeLimitOfARemoval(t *testing.T) {
	for deadline, want := range map[time.Duration]string{0: "--timeout=1s", time.Minute: "--timeout=1m30s", 10 * time.Minute: "--timeout=15m0s"} {
		s := removal()
		s.Deadline = deadline
		args := jobs.Build(s, options()).Spec.Template.Spec.Containers[0].Args
		if !slices.Contains(args, want) {
			t.Errorf("deadline %s: %q", deadline, args)
		}
	}
}

// odd are names that a shell, or the kubelet, would make something else of.
var odd = []string{
	"$(touch /pwned)", "`touch /pwned`", "a; touch /pwned", "a && touch /pwned", "a | touch /pwned", "a\ntouch /pwned",
	"$HOME", "${HOME}", "$(KUBERNETES_SERVICE_HOST)", "$$(KUBERNETES_SERVICE_HOST)", "a$", "a$$", "'a", `"a`, `a\`, "--keep=a", "-c", "*", "~", " ",
}

// Names that nobody validated are arguments, volumes and images, each in one
// piece; no shell ever sees them.
func TestOddNamesReachNoShell(t *testing.T) {
	for _, name := range odd {
		for _, method := range []plan.Method{plan.MethodImageVolume, plan.MethodExec} {
			for _, kind := range []plan.JobKind{plan.JobPull, plan.JobVerify} {
				job := jobs.Build(of(kind, spec(method, want(name, name, ""))), options())
				if diff := cmp.Diff([]string{name}, jobs.ImageNames(job)); diff != "" {
					t.Errorf("%s by %s: %s", kind, method, diff)
				}
				checkCommands(t, &job.Spec.Template.Spec)
			}
		}
		s := removal()
		s.Images, s.Keep = []plan.Want{want(name, name, "")}, []string{name}
		pod := jobs.Build(s, options()).Spec.Template.Spec
		got := expanded(pod.Containers[0].Args)
		if diff := cmp.Diff([]string{"remove", cri.RuntimeEndpoint(s.Node.Socket), "--timeout=2m30s", "--keep=" + name, "--", name}, got); diff != "" {
			t.Errorf("remove: %s", diff)
		}
		checkCommands(t, &pod)
	}
}

// checkCommands wants all containers to run the helper, with words of our own
// in the commands.
func checkCommands(t *testing.T, pod *corev1.PodSpec) {
	t.Helper()
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		if len(c.Command) == 0 || !strings.HasSuffix(c.Command[0], "/"+cri.ProgramName) {
			t.Errorf("container %s runs %q", c.Name, c.Command)
		}
		if words := c.Command[min(1, len(c.Command)):]; !slices.Contains([]string{"", "noop", "install /kubefledged-helper"}, strings.Join(words, " ")) {
			t.Errorf("container %s: %q", c.Name, c.Command)
		}
		if c.Name != "remove" && len(c.Args) > 0 {
			t.Errorf("container %s has the arguments %q", c.Name, c.Args)
		}
	}
}

// expanded does to arguments what the kubelet does where every variable is set
// (KUBE/third_party/forked/golang/expansion).
func expanded(args []string) []string {
	var all []string
	for _, arg := range args {
		var b strings.Builder
		for arg != "" {
			before, after, found := strings.Cut(arg, "$")
			b.WriteString(before)
			name, rest, closed := strings.Cut(strings.TrimPrefix(after, "("), ")")
			switch {
			case strings.HasPrefix(after, "$"):
				b.WriteString("$")
				arg = after[1:]
			case found && strings.HasPrefix(after, "(") && closed:
				b.WriteString("the value of " + name)
				arg = rest
			case found:
				b.WriteString("$")
				arg = after
			default:
				arg = ""
			}
		}
		all = append(all, b.String())
	}
	return all
}
