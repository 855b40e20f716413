package jobs_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

var update = flag.Bool("update", false, "write the golden files")

func options() jobs.Options {
	return jobs.Options{HelperImage: "ghcr.io/kubefledged/kubefledged-cri-client:v1", RemovalNamespace: "kube-fledged-node"}
}

func want(name, ref string, policy corev1.PullPolicy) plan.Want {
	return plan.Want{Key: plan.Key{Image: ref, Identity: plan.IdentityNode}, Name: name, Policy: policy}
}

func spec(method plan.Method, wants ...plan.Want) plan.JobSpec {
	return plan.JobSpec{
		Owner:        &plan.Cache{Namespace: "team-a", Name: "frontend", UID: "cache-uid"},
		NodeCacheUID: "nodecache-uid", Sequence: 7,
		Node:     &plan.Node{Name: "node-1", UID: "node-uid", Method: method},
		Identity: plan.IdentityNode, Images: wants, Deadline: 5 * time.Minute,
	}
}

// together is a Job whose images share one container.
func together() plan.JobSpec {
	s := spec(plan.MethodImageVolume, three()...)
	s.Together = true
	return s
}

func three() []plan.Want {
	return []plan.Want{
		want("nginx", "docker.io/library/nginx:latest", corev1.PullAlways),
		want("registry.example:5000/team/db:2", "registry.example:5000/team/db:2", corev1.PullIfNotPresent),
		want("redis:8", "docker.io/library/redis:8", corev1.PullIfNotPresent),
	}
}

// longName is as long as an object's name may be, with a dot and a dash where
// names are cut.
func longName() string {
	name := "a.b-c" + strings.Repeat(".cache-of-a-team", 20)
	return name[:39] + "-" + name[40:252] + "z"
}

func withTaints(s plan.JobSpec) plan.JobSpec {
	s.Node.Taints = []corev1.Taint{
		{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule},
		{Key: "maintenance", Effect: corev1.TaintEffectNoExecute},
		{Key: "spot", Value: "true", Effect: corev1.TaintEffectNoExecute},
		{Key: "busy", Effect: corev1.TaintEffectPreferNoSchedule},
	}
	return s
}

func longNames() plan.JobSpec {
	s := spec(plan.MethodImageVolume, three()[0])
	s.Owner.Name, s.Node.Name = longName(), strings.Repeat("n", 63)+strings.Repeat("."+strings.Repeat("n", 62), 3)+"n"
	return s
}

func everyOption() (plan.JobSpec, jobs.Options) {
	s := withTaints(spec(plan.MethodImageVolume, three()[1]))
	s.Owner.Secrets, s.Identity = []string{"mine", "shared"}, "0123456789abcdef"
	return s, jobs.Options{
		HelperImage: "registry.example/helper:v1", HelperPullPolicy: corev1.PullAlways,
		HelperPullSecrets: []string{"shared", "helper"}, ServiceAccountName: "puller", PriorityClassName: "low",
		ExtraLabels:      map[string]string{"cost-center": "42", "app": "not-ours"},
		ExtraAnnotations: map[string]string{"sidecar.istio.io/inject": "false", "kubefledged.io/sequence": "0"},
		CPU:              resource.MustParse("80m"), Memory: resource.MustParse("64Mi"),
	}
}

// of returns the same Job of another kind.
func of(kind plan.JobKind, s plan.JobSpec) plan.JobSpec {
	s.Kind = kind
	return s
}

// removal is a Job that removes three images, as the planner asks for it.
func removal() plan.JobSpec {
	return plan.JobSpec{
		Kind: plan.JobRemove, NodeCacheUID: "nodecache-uid", Sequence: 7,
		Node:   &plan.Node{Name: "node-1", UID: "node-uid", Method: plan.MethodImageVolume, Socket: "/run/containerd/containerd.sock"},
		Images: three(), Deadline: 5 * time.Minute,
		Keep: []string{"docker.io/library/nginx:1.29", "quay.io/team/app:2"},
	}
}

func TestGolden(t *testing.T) {
	full, opts := everyOption()
	gone, retained := withTaints(removal()), opts
	gone.Node.Socket = "/run/k3s/containerd/containerd.sock"
	retained.RetainFor, retained.RemovalHostNetwork = time.Hour, true
	retained.RemovalNamespace = "kubefledged-node"
	for name, job := range map[string]*batchv1.Job{
		"image-volume": jobs.Pull(spec(plan.MethodImageVolume, three()...), options()),
		"together":     jobs.Pull(together(), options()),
		"exec":         jobs.Pull(spec(plan.MethodExec, three()[:2]...), options()),
		"long-names":   jobs.Pull(longNames(), options()),
		"options":      jobs.Pull(full, opts),

		"verify-image-volume": jobs.Build(of(plan.JobVerify, spec(plan.MethodImageVolume, three()...)), options()),
		"verify-together":     jobs.Build(of(plan.JobVerify, together()), options()),
		"verify-exec":         jobs.Build(of(plan.JobVerify, spec(plan.MethodExec, three()[:2]...)), options()),
		"remove":              jobs.Build(removal(), options()),
		"remove-options":      jobs.Build(gone, retained),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := yaml.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, filepath.Join("testdata", name+".yaml"), got)
		})
	}
}

func checkGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wanted, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wanted), string(got)); diff != "" {
		t.Errorf("%s (-want +got); run with -update if that is right:\n%s", path, diff)
	}
}

func TestTaintsAreTolerated(t *testing.T) {
	s := withTaints(spec(plan.MethodExec, three()...))
	tolerations := jobs.Pull(s, options()).Spec.Template.Spec.Tolerations
	if len(tolerations) != len(s.Node.Taints) {
		t.Errorf("%d tolerations of %d taints", len(tolerations), len(s.Node.Taints))
	}
	for i := range s.Node.Taints {
		taint := &s.Node.Taints[i]
		if !slices.ContainsFunc(tolerations, func(tol corev1.Toleration) bool {
			return tol.Key == taint.Key && tol.Effect == taint.Effect && tol.TolerationSeconds == nil &&
				(tol.Operator == corev1.TolerationOpEqual && tol.Value == taint.Value ||
					tol.Operator == corev1.TolerationOpExists && tol.Value == "")
		}) {
			t.Errorf("taint %v is not tolerated", taint)
		}
	}
	if got := jobs.Pull(spec(plan.MethodExec, three()...), options()).Spec.Template.Spec.Tolerations; got != nil {
		t.Errorf("a node without taints: %v", got)
	}
}

func TestBuildDoesWhatIsAsked(t *testing.T) {
	for kind, want := range map[plan.JobKind]*batchv1.Job{
		"": jobs.Pull(together(), options()), plan.JobPull: jobs.Pull(together(), options()),
		plan.JobVerify: jobs.Verify(together(), options()),
	} {
		if diff := cmp.Diff(want, jobs.Build(of(kind, together()), options())); diff != "" {
			t.Errorf("%q: %s", kind, diff)
		}
	}
	names := map[string]bool{}
	for _, kind := range []plan.JobKind{plan.JobPull, plan.JobVerify, plan.JobRemove} {
		s := removal()
		s.Kind, s.Owner = kind, together().Owner
		names[jobs.Build(s, options()).Name] = true
	}
	if len(names) != 3 {
		t.Errorf("the Jobs of one number have the names %v", names)
	}
}

// A spec is a decision: what is made of it must not change it.
func TestVerifyLeavesTheSpecAlone(t *testing.T) {
	s := of(plan.JobVerify, together())
	jobs.Build(s, options())
	if s.Images[0].Policy != corev1.PullAlways {
		t.Errorf("the policy is %s now", s.Images[0].Policy)
	}
}

func TestRetention(t *testing.T) {
	for keep, seconds := range map[time.Duration]int32{
		0: 86400, -time.Hour: 86400, time.Hour: 3600, 1 << 62: 1<<31 - 1,
	} {
		o := options()
		o.RetainFor = keep
		for _, s := range []plan.JobSpec{together(), of(plan.JobVerify, together()), removal()} {
			if got := *jobs.Build(s, o).Spec.TTLSecondsAfterFinished; got != seconds {
				t.Errorf("%q kept for %s: %d seconds, want %d", s.Kind, keep, got, seconds)
			}
		}
	}
}

// The rules of Pod Security "restricted", field by field.
func TestPodIsRestricted(t *testing.T) {
	for _, method := range []plan.Method{plan.MethodImageVolume, plan.MethodExec, "verify"} {
		pod := jobs.Pull(spec(method, three()...), options()).Spec.Template.Spec
		if method == "verify" {
			pod = jobs.Verify(together(), options()).Spec.Template.Spec
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC || pod.ServiceAccountName != "" || *pod.AutomountServiceAccountToken {
			t.Errorf("%s: the pod uses the host or has a token", method)
		}
		sc := pod.SecurityContext
		if !*sc.RunAsNonRoot || *sc.RunAsUser == 0 || sc.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: security context %+v", method, sc)
		}
		for _, v := range pod.Volumes {
			if v.Image == nil && v.EmptyDir == nil {
				t.Errorf("%s: volume %+v", method, v)
			}
		}
		for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
			checkRestricted(t, &c)
		}
	}
}

func checkRestricted(t *testing.T, c *corev1.Container) {
	t.Helper()
	sc := c.SecurityContext
	if *sc.AllowPrivilegeEscalation || sc.Privileged != nil || !*sc.ReadOnlyRootFilesystem || sc.RunAsUser != nil ||
		!slices.Equal(sc.Capabilities.Drop, []corev1.Capability{"ALL"}) || sc.Capabilities.Add != nil {
		t.Errorf("%s: security context %+v", c.Name, sc)
	}
	if len(c.Ports) > 0 || c.Lifecycle != nil || c.LivenessProbe != nil || len(c.Env) > 0 {
		t.Errorf("%s: has more than it needs", c.Name)
	}
	request, limit := c.Resources.Requests, c.Resources.Limits
	if len(request) != 2 || len(limit) != 2 || limit.Cpu().Cmp(*request.Cpu()) < 0 || !limit.Memory().Equal(*request.Memory()) {
		t.Errorf("%s: requests %v, limits %v", c.Name, request, limit)
	}
}

func TestBatchIsSmall(t *testing.T) {
	wants := slices.Repeat(three()[:1], 10)
	cpu, memory := resource.Quantity{}, resource.Quantity{}
	for _, c := range jobs.Pull(spec(plan.MethodImageVolume, wants...), options()).Spec.Template.Spec.Containers {
		cpu.Add(*c.Resources.Requests.Cpu())
		memory.Add(*c.Resources.Requests.Memory())
	}
	if cpu.Cmp(resource.MustParse("50m")) > 0 || memory.Cmp(resource.MustParse("160Mi")) > 0 {
		t.Errorf("a batch of ten asks for %s and %s", cpu.String(), memory.String())
	}
}

func TestBackstop(t *testing.T) {
	for deadline, seconds := range map[time.Duration]int64{
		5 * time.Minute: 1500, 1500 * time.Millisecond: 606, -time.Hour: 600, 1 << 62: 1<<31 - 1,
	} {
		s := spec(plan.MethodImageVolume, three()...)
		s.Deadline = deadline
		if got := *jobs.Pull(s, options()).Spec.ActiveDeadlineSeconds; got != seconds {
			t.Errorf("deadline %s: %d seconds, want %d", deadline, got, seconds)
		}
	}
}

// checkNames holds a Job against what the API server and the kubelet ask of names.
func checkNames(t *testing.T, job *batchv1.Job) {
	t.Helper()
	for what, errs := range map[string][]string{
		"name": validation.IsDNS1123Label(job.Name), "pod name": validation.IsDNS1123Label(job.Name + "-abcde"),
	} {
		if len(errs) > 0 {
			t.Errorf("%s %q: %v", what, job.Name, errs)
		}
	}
	for key, value := range job.Spec.Template.Labels {
		if errs := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(errs) > 0 {
			t.Errorf("label %s=%s: %v", key, value, errs)
		}
	}
	seen := map[string]bool{}
	pod := &job.Spec.Template.Spec
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		if errs := validation.IsDNS1123Label(c.Name); len(errs) > 0 || seen[c.Name] {
			t.Errorf("container %q: %v", c.Name, errs)
		}
		seen[c.Name] = true
		for _, m := range c.VolumeMounts {
			if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
				t.Errorf("container %s mounts %s, which is no volume", c.Name, m.Name)
			}
		}
	}
}

func FuzzBuild(f *testing.F) {
	f.Add("frontend", "node-1", "nginx:1", int64(1), true)
	f.Add(longName(), longNames().Node.Name, "a/b@sha256:ab $(reboot) `x`; \"", int64(-1), false)
	f.Add("-.-", "", "\x00\xff", int64(0), true)
	f.Fuzz(func(t *testing.T, cache, node, image string, sequence int64, exec bool) {
		s := spec(plan.MethodImageVolume, want(image, image, ""), want(cache, node, corev1.PullAlways))
		if exec {
			s.Node.Method = plan.MethodExec
		}
		s.Owner.Name, s.Node.Name, s.Sequence = cache, node, sequence
		job := jobs.Build(s, options())
		checkNames(t, job)
		checkOtherKinds(t, s)
		// Names go into fields of their own, never into a command.
		for _, c := range job.Spec.Template.Spec.Containers {
			if len(c.Command) != 2 || c.Command[1] != "noop" || len(c.Args) > 0 {
				t.Errorf("command %q %q", c.Command, c.Args)
			}
		}
		if diff := cmp.Diff([]string{image, cache}, jobs.ImageNames(job)); diff != "" {
			t.Error(diff)
		}
		if _, err := jobs.Parse(job); err != nil {
			t.Error(err)
		}
	})
}

// checkOtherKinds holds the Jobs that verify and remove the same images to the
// same rules.
func checkOtherKinds(t *testing.T, s plan.JobSpec) {
	t.Helper()
	for _, kind := range []plan.JobKind{plan.JobVerify, plan.JobRemove} {
		s.Kind = kind
		job := jobs.Build(s, options())
		checkNames(t, job)
		parsed, err := jobs.Parse(job)
		if err != nil || parsed.Kind != kind || len(parsed.Images) != len(s.Images) {
			t.Errorf("%s: %+v, %v", kind, parsed, err)
		}
	}
}

func ExamplePull() {
	job := jobs.Pull(spec(plan.MethodImageVolume, three()...), options())
	fmt.Println(job.Namespace, job.Name, jobs.NodeName(job), jobs.ImageNames(job))
	// Output: team-a frontend-b41f6fd58e node-1 [nginx registry.example:5000/team/db:2 redis:8]
}
