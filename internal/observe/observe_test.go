package observe

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

const sum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestNodeReports(t *testing.T) {
	node := fixture.Node("n", fixture.Reporting(42, "docker.io/library/nginx@"+sum, "docker.io/library/nginx:1", "<none>@<none>"))
	got := Node(node, Forced{}).Reported
	want := map[string]plan.Reported{
		"docker.io/library/nginx@" + sum: {Digest: sum, SizeBytes: 42},
		"docker.io/library/nginx:1":      {Digest: sum, SizeBytes: 42},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Reported (-want +got):\n%s", diff)
	}
}

func TestNamesWithTwoDigestsTellNone(t *testing.T) {
	other := "sha256:" + sum[8:] + "0"
	if got := digestOf([]string{"a@" + sum, "b@" + other, "a:1"}); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestCachesAreConvertedOncePerGeneration(t *testing.T) {
	c := Caches{Defaults: Defaults{PullDeadline: time.Minute, PullPolicy: corev1.PullIfNotPresent}}
	ic := fixture.ImageCache("c", fixture.WithUID("u"), fixture.WithGeneration(1), fixture.WithImages(nil, "nginx", "nginx:1", "UPPER/x"))
	first := c.Of([]v1alpha2.ImageCache{*ic})[0]
	if again := c.Of([]v1alpha2.ImageCache{*ic})[0]; again != first {
		t.Error("the same generation is converted twice")
	}
	ic.Generation = 2
	if again := c.One(ic); again == first {
		t.Error("a new generation is not converted")
	}
	images := first.Lists[0].Images
	if images[0].Policy != corev1.PullAlways || images[1].Policy != corev1.PullIfNotPresent || images[2].Invalid == "" {
		t.Errorf("images are %+v", images)
	}
	if first.PullDeadline != time.Minute || first.Identity != plan.IdentityNode {
		t.Errorf("deadline %s, identity %s", first.PullDeadline, first.Identity)
	}
}

func TestSelectorsOfAList(t *testing.T) {
	backend := map[string]string{"tier": "backend"}
	expression := func(op corev1.NodeSelectorOperator, values ...string) []corev1.NodeSelectorTerm {
		return []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "tier", Operator: op, Values: values}}}}
	}
	for name, tc := range map[string]struct {
		mod            fixture.CacheMod
		plain, labeled bool
	}{
		"no selector":        {fixture.WithImages(nil, "x"), true, true},
		"node selector":      {fixture.WithImages(backend, "x"), false, true},
		"affinity":           {fixture.WithImagesByAffinity(expression(corev1.NodeSelectorOpNotIn, "backend"), "x"), true, false},
		"affinity not valid": {fixture.WithImagesByAffinity(expression("Near", "backend"), "x"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			lists := Selectors(fixture.ImageCache("c", tc.mod)).Lists
			if got := lists[0].Selects("n", nil); got != tc.plain {
				t.Errorf("a node without labels: got %v", got)
			}
			if got := lists[0].Selects("n", backend); got != tc.labeled {
				t.Errorf("a backend node: got %v", got)
			}
		})
	}
}

func TestNodeChanged(t *testing.T) {
	passes := func(edit func(*corev1.Node)) bool {
		old := fixture.Node("n", fixture.Reporting(1, "a:1"))
		now := old.DeepCopy()
		edit(now)
		return NodeChanged().Update(event.UpdateEvent{ObjectOld: old, ObjectNew: now})
	}
	for name, tc := range map[string]struct {
		edit func(*corev1.Node)
		want bool
	}{
		"heartbeat": {func(n *corev1.Node) {
			n.ResourceVersion = "2"
			n.Status.Conditions[0].LastHeartbeatTime = metav1.NewTime(fixture.Created.Add(time.Hour))
		}, false},
		"annotation": {func(n *corev1.Node) { n.Annotations = map[string]string{"a": "b"} }, false},
		"not ready":  {func(n *corev1.Node) { fixture.NotReady()(n) }, true},
		"cordoned":   {func(n *corev1.Node) { n.Spec.Unschedulable = true }, true},
		"label":      {func(n *corev1.Node) { n.Labels["x"] = "y" }, true},
		"taint": {func(n *corev1.Node) {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "k", Effect: corev1.TaintEffectNoSchedule})
		}, true},
		"images":   {func(n *corev1.Node) { n.Status.Images = nil }, true},
		"runtime":  {func(n *corev1.Node) { n.Status.NodeInfo.ContainerRuntimeVersion = "containerd://9" }, true},
		"replaced": {func(n *corev1.Node) { n.UID = "other" }, true},
		"restart":  {func(n *corev1.Node) { n.Status.NodeInfo.BootID = "other" }, true},
		"socket": {func(n *corev1.Node) {
			n.Annotations = map[string]string{v1alpha2.AnnotationCRISocket: "/run/x.sock"}
		}, true},
	} {
		if got := passes(tc.edit); got != tc.want {
			t.Errorf("%s: passes %v, want %v", name, got, tc.want)
		}
	}
}

// Disk pressure decides also where a node is closed for another reason.
func TestDiskPressureOfACordonedNode(t *testing.T) {
	old := fixture.Node("n")
	old.Spec.Unschedulable = true
	now := old.DeepCopy()
	now.Status.Conditions = append(now.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue})
	if !NodeChanged().Update(event.UpdateEvent{ObjectOld: old, ObjectNew: now}) {
		t.Error("its end would not be noticed")
	}
}

// TestTrimKeepsWhatIsRead reads a Job back after it went through the informer.
func TestTrimKeepsWhatIsRead(t *testing.T) {
	spec := plan.JobSpec{
		Owner: &plan.Cache{Namespace: "ns", Name: "c", UID: "owner"}, NodeCacheUID: "nc", Sequence: 3,
		Node:     &plan.Node{Name: "n", UID: "node", Method: plan.MethodImageVolume},
		Identity: plan.IdentityNode, Deadline: time.Minute, Together: true,
		Images: []plan.Want{{Key: plan.Key{Image: "docker.io/library/a:1", Identity: plan.IdentityNode}, Name: "a:1"}, {Key: plan.Key{Image: "docker.io/library/b:1", Identity: plan.IdentityNode}, Name: "b:1"}},
	}
	job := jobs.Pull(spec, jobs.Options{HelperImage: "helper:1"})
	pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
	for _, obj := range []any{job, pod} {
		if _, err := Trim(obj); err != nil {
			t.Fatal(err)
		}
	}
	job.UID = "job"
	controlledBy(pod, job)
	started := metav1.NewTime(time.Unix(1000, 0))
	pod.Status.StartTime = &started
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: pod.Spec.Containers[0].Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	views := Pair([]batchv1.Job{*job}, []corev1.Pod{*pod})
	if len(views) != 1 || views[0].Pod == nil {
		t.Fatalf("the pod was not paired: %+v", views)
	}
	got, err := Job(views[0], "helper:1", started.Add(time.Second))
	if err != nil || !got.Attempt.Settled || got.Sequence != 3 || got.NodeUID != "node" || !got.PodRunning {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestTrimLeavesNoRoom reads a record as the informer does: item by item.
func TestTrimLeavesNoRoom(t *testing.T) {
	images := make([]v1alpha2.ImageRecord, 50, 85)
	for i := range images {
		images[i].Claims = append(make([]int32, 0, 4), 1, int32(i/25))
	}
	nc := &v1alpha2.NodeCache{Status: v1alpha2.NodeCacheStatus{Images: images}}
	want := nc.DeepCopy()
	if _, err := Trim(nc); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, nc); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	kept := nc.Status.Images
	if len(kept) != cap(kept) {
		t.Errorf("room for %d, of which %d are used", cap(kept), len(kept))
	}
	if &kept[0].Claims[0] != &kept[1].Claims[0] || &kept[24].Claims[0] == &kept[25].Claims[0] {
		t.Error("equal claims are there twice, or unequal ones are one")
	}
}

func TestPodThatOutlivedItsJob(t *testing.T) {
	pod := leftover()
	views := Pair(nil, []corev1.Pod{*pod})
	if len(views) != 1 {
		t.Fatalf("%d views", len(views))
	}
	got, err := Job(views[0], "helper:1", time.Unix(0, 0))
	want := plan.Job{
		Kind: plan.JobVerify, Namespace: "ns", Name: "p", Gone: true, PodRunning: true, Sequence: 7, NodeUID: "node",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestSizesAreLearned(t *testing.T) {
	var s Sizes
	s.Learn(map[string]plan.Reported{"a": {SizeBytes: 5}, "b": {}})
	if size, known := s.Of("a"); !known || size != 5 {
		t.Errorf("a: %d, %v", size, known)
	}
	if _, known := s.Of("b"); known {
		t.Error("a size of 0 was learned")
	}
}
