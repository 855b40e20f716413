package jobs_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// FuzzBuildAndParse builds Jobs of every kind from hostile names: what comes
// out is an object the API server takes, with no shell in it, and what is read
// back is what was put in.
func FuzzBuildAndParse(f *testing.F) {
	f.Add("frontend", "node-1", "nginx", "redis:8", int64(1), uint8(0))
	f.Add("A.b_c/"+strings.Repeat("x", 300), strings.Repeat("n", 253), "$(reboot)", "`id`;rm -rf /", int64(-1), uint8(1))
	f.Add("", "", "", "", int64(0), uint8(2))
	f.Add("ünïcödé", "node\n2", "a\"b", `{"a":["`, int64(1)<<62, uint8(3))
	f.Add("--help", "-n", "--keep", "-", int64(7), uint8(4))
	f.Add("a\x00b", "\xff\xfe", "$$", "$(KUBERNETES_SERVICE_HOST)", int64(7), uint8(5))
	f.Fuzz(func(t *testing.T, cache, node, first, second string, sequence int64, bits uint8) {
		s := hostileSpec(cache, node, first, second, sequence, bits)
		job := jobs.Build(s, jobs.Options{HelperImage: "registry.example/helper:1", RemovalNamespace: "kube-fledged-node"})
		checkAcceptable(t, job)
		checkArguments(t, job, first, second)
		parsed, err := jobs.Parse(job)
		if err != nil {
			// Only what no object can have as a name or uid is lost.
			if node != "" && sequence > 0 && utf8Valid(cache, node, first, second) {
				t.Errorf("cannot be read back: %v", err)
			}
			return
		}
		if !utf8Valid(cache, node, first, second) {
			return // JSON, as the API server itself, replaces what is no UTF-8
		}
		want := plan.Job{Kind: s.Kind, Namespace: job.Namespace, Name: job.Name, NodeUID: "node-uid", Record: "nodecache-uid", Owner: "cache-uid",
			Sequence: sequence, Identity: plan.IdentityNode, Images: []string{first, second}, Deadline: s.Deadline}
		if s.Kind == plan.JobRemove {
			want.Owner = "nodecache-uid"
		}
		if diff := gocmp.Diff(want, parsed); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if jobs.NodeName(job) != node || jobs.Kind(job) != s.Kind {
			t.Errorf("node %q, kind %q", jobs.NodeName(job), jobs.Kind(job))
		}
	})
}

// FuzzParse reads Jobs that somebody has tampered with: an error or a value,
// never a panic, and nothing half read.
func FuzzParse(f *testing.F) {
	f.Add("pull", "7", `["a","b"]`, "5m0s", "image-volume", uint8(2))
	f.Add("remove", "-1", `["`, "soon", "exec", uint8(0))
	f.Add("", "9223372036854775808", "null", "", "", uint8(1))
	f.Add("verify", "0x7", `[[]]`, "-1h", "\x00", uint8(9))
	f.Add("pull", "1e3", `{"a":1}`, "1", "image-volume", uint8(255))
	f.Fuzz(func(t *testing.T, operation, sequence, images, deadline, method string, containers uint8) {
		job := &batchv1.Job{}
		job.Namespace, job.Name = "a", "b"
		job.Annotations = map[string]string{
			v1alpha2.AnnotationOperation: operation, v1alpha2.AnnotationSequence: sequence, v1alpha2.AnnotationImages: images,
			v1alpha2.AnnotationDeadline: deadline, v1alpha2.AnnotationMethod: method, v1alpha2.AnnotationIdentity: "node",
			v1alpha2.AnnotationNode: "n", v1alpha2.AnnotationNodeUID: "u",
		}
		job.Spec.Template.Spec.Containers = make([]corev1.Container, containers)
		good := jobs.Build(hostileSpec("c", "n", "a", "b", 1, 0), jobs.Options{HelperImage: "h"})
		job.OwnerReferences = good.OwnerReferences
		parsed, err := jobs.Parse(job)
		if err != nil {
			if diff := gocmp.Diff(plan.Job{}, parsed); diff != "" {
				t.Errorf("half read: %s", diff)
			}
			return
		}
		if parsed.Kind == "" || len(parsed.Images) == 0 {
			t.Errorf("read as %+v", parsed)
		}
		jobs.Together(job)
		jobs.ImageNames(job)
	})
}

func hostileSpec(cache, node, first, second string, sequence int64, bits uint8) plan.JobSpec {
	kinds := []plan.JobKind{plan.JobPull, plan.JobVerify, plan.JobRemove}
	s := plan.JobSpec{
		Kind:         kinds[int(bits)%len(kinds)],
		Owner:        &plan.Cache{Namespace: "team-a", Name: cache, UID: "cache-uid"},
		NodeCacheUID: "nodecache-uid", Sequence: sequence,
		Node:     &plan.Node{Name: node, UID: types.UID("node-uid"), Method: plan.MethodImageVolume, Socket: "/run/containerd/containerd.sock"},
		Identity: plan.IdentityNode, Deadline: 5 * time.Minute,
		Keep: []string{second},
	}
	for _, image := range []string{first, second} {
		s.Images = append(s.Images, plan.Want{Key: plan.Key{Image: image, Identity: plan.IdentityNode}, Name: image, Policy: corev1.PullIfNotPresent})
	}
	if bits&8 != 0 {
		s.Node.Method = plan.MethodExec
	} else if bits&16 != 0 {
		s.Together = true
	}
	return s
}

// checkAcceptable checks what the API server would refuse.
func checkAcceptable(t *testing.T, job *batchv1.Job) {
	t.Helper()
	if problems := validation.IsDNS1123Label(job.Name); len(problems) > 0 || len(job.Name) > 57 {
		t.Errorf("the name %q: %v", job.Name, problems)
	}
	for key, value := range job.Labels {
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			t.Errorf("the label %s=%q: %v", key, value, problems)
		}
	}
	for key := range job.Annotations {
		if problems := validation.IsQualifiedName(key); len(problems) > 0 {
			t.Errorf("the annotation %q: %v", key, problems)
		}
	}
}

// checkArguments checks that only our helper is run, without a shell, and that
// the kubelet finds nothing in arguments that it would replace.
func checkArguments(t *testing.T, job *batchv1.Job, images ...string) {
	t.Helper()
	pod := &job.Spec.Template.Spec
	for _, c := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		if len(c.Command) == 0 || !strings.HasSuffix(c.Command[0], "kubefledged-cri-client") {
			t.Errorf("%s runs %q", c.Name, c.Command)
		}
		for _, image := range images {
			for _, argument := range c.Command {
				if image != "" && argument == image {
					t.Errorf("%s has %q in its command", c.Name, image)
				}
			}
		}
		for _, argument := range c.Args {
			if strings.Contains(strings.ReplaceAll(argument, "$$", ""), "$(") {
				t.Errorf("%s has an argument that the kubelet would expand: %q", c.Name, argument)
			}
		}
	}
}

func utf8Valid(all ...string) bool {
	for _, s := range all {
		if strings.ToValidUTF8(s, "") != s {
			return false
		}
	}
	return true
}
