package kubelets

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

const helper = "registry.example/helper:1"

// podOf is the pod of a Job of ours for these images.
func podOf(kind plan.JobKind, together bool, images ...string) *corev1.Pod {
	spec := plan.JobSpec{
		Kind: kind, Owner: &plan.Cache{Namespace: "shop", Name: "c"}, Node: &plan.Node{Name: "n", Method: plan.MethodImageVolume},
		Identity: plan.IdentityNode, Deadline: time.Minute, Together: together,
	}
	if kind == plan.JobRemove {
		spec.Node.Socket = "/run/containerd/containerd.sock"
	}
	for _, image := range images {
		spec.Images = append(spec.Images, plan.Want{Key: plan.Key{Image: image}, Name: image, Policy: corev1.PullIfNotPresent})
	}
	job := jobs.Build(spec, jobs.Options{HelperImage: helper, RemovalNamespace: "kube-fledged-node"})
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "p"}, Spec: job.Spec.Template.Spec}
}

// through takes a pod through its pulls and returns the status after them.
func through(k *Kubelets, pod *corev1.Pod) corev1.PodStatus {
	l := &life{failed: map[string]string{}}
	pod.Status = k.status(pod, l)
	k.follow(pod, l, pod.Status)
	pod.Status = k.status(pod, l)
	return pod.Status
}

func kubeletsOf() *Kubelets { return New(fake.NewClientset(), DefaultPace()) }

// What these kubelets say must mean to the product what a real one's words mean.
func TestOutcomes(t *testing.T) {
	const there, gone = "registry.example/team/web:1", "registry.example/missing/db:1"
	read := func(verify, together bool, pod *corev1.Pod) []outcome.Kind {
		attempt := outcome.Read(outcome.Input{
			Verify: verify, Together: together, Images: []string{there, gone}, Helper: helper, Pod: pod, Now: clock.Now(),
		})
		var kinds []outcome.Kind
		for _, image := range attempt.Images {
			kinds = append(kinds, image.Kind)
		}
		return kinds
	}
	k := kubeletsOf()
	pull := podOf(plan.JobPull, false, there, gone)
	if through(k, pull); fmt.Sprint(read(false, false, pull)) != fmt.Sprint([]outcome.Kind{outcome.Pulled, outcome.Failed}) {
		t.Errorf("a pull: %v", read(false, false, pull))
	}
	pull.Status = backOff(pull, map[string]string{gone: notFound(gone)})
	if fmt.Sprint(read(false, false, pull)) != fmt.Sprint([]outcome.Kind{outcome.Pulled, outcome.Failed}) {
		t.Errorf("in back-off: %v", read(false, false, pull))
	}
	together := podOf(plan.JobPull, true, there, gone)
	if through(k, together); fmt.Sprint(read(false, true, together)) != fmt.Sprint([]outcome.Kind{outcome.NotTried, outcome.Failed}) {
		t.Errorf("together: %v", read(false, true, together))
	}
	verify := podOf(plan.JobVerify, false, there, gone)
	if through(k, verify); fmt.Sprint(read(true, false, verify)) != fmt.Sprint([]outcome.Kind{outcome.Pulled, outcome.Failed}) {
		// The registry does not have it either, so the kubelet says NotFound.
		t.Errorf("a verification: %v", read(true, false, verify))
	}
}

func TestVerifyOfWhatIsNotThere(t *testing.T) {
	k := kubeletsOf()
	pod := podOf(plan.JobVerify, false, "registry.example/team/web:1")
	through(k, pod)
	got := outcome.Read(outcome.Input{Verify: true, Images: []string{"registry.example/team/web:1"}, Helper: helper, Pod: pod, Now: clock.Now()})
	if got.Images[0].Kind != outcome.Absent {
		t.Errorf("got %+v", got.Images[0])
	}
}

// What is told of a slow pod must tell the product what is slow, and what came.
func TestEventsOfSlowPods(t *testing.T) {
	const quick, slow = "registry.example/team/web:1", "registry.example/slow/db:1"
	k := kubeletsOf()
	pod := podOf(plan.JobPull, true, quick, slow)
	pod.Status = k.status(pod, &life{failed: map[string]string{}})
	k.reserve(pod, clock.Now())
	var told []outcome.Event
	for range 3 { // Pulling and Pulled of the first, Pulling of the second
		item, _ := k.queue.Get()
		told = append(told, outcome.Event{Reason: item.event.reason, Message: item.event.message, Time: clock.Now()})
		k.queue.Done(item)
	}
	got := outcome.Read(outcome.Input{
		Together: true, Images: []string{quick, slow}, Helper: helper, Pod: pod, Now: clock.Now(), Events: told, EventsRead: true,
	})
	if got.Pulling == nil || got.Pulling.Index != 1 || !slices.Equal(got.Arrived, []int{0}) {
		t.Errorf("of %v: pulling %+v, arrived %v", told, got.Pulling, got.Arrived)
	}
}

func TestState(t *testing.T) {
	k := kubeletsOf()
	for _, node := range []string{"n", "m"} {
		pod := podOf(plan.JobPull, true, "registry.example/team/web:1", "registry.example/missing/db:1")
		pod.Spec.NodeName = node
		through(k, pod)
	}
	got := k.State()
	if got.Images["registry.example/team/web:1"] != 2 || got.Images["registry.example/missing/db:1"] != 0 || got.Reporting != 2 {
		t.Errorf("got %+v", got)
	}
	k.forgetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "m"}})
	if got := k.State(); got.Images["registry.example/team/web:1"] != 1 || got.Reporting != 1 {
		t.Errorf("after a node is gone: %+v", got)
	}
}

func TestRemoval(t *testing.T) {
	const image = "registry.example/team/web:1"
	k := kubeletsOf()
	through(k, podOf(plan.JobPull, false, image))
	pod := podOf(plan.JobRemove, false, image)
	pod.Spec.NodeName = "n"
	through(k, pod)
	got := outcome.ReadRemoval(outcome.Input{Images: []string{image}, Helper: helper, Pod: pod, Now: clock.Now()})
	if got.Images[0].Kind != outcome.Removed {
		t.Errorf("got %+v", got.Images[0])
	}
	if _, there := k.nodes["n"].images[image]; there {
		t.Error("the image is still there")
	}
}

func TestListed(t *testing.T) {
	var images []string
	for i := range 60 {
		images = append(images, fmt.Sprintf("registry.example/team/image-%d:1", i))
	}
	list := listed(images, DefaultListed)
	if len(list) != DefaultListed || list[0].SizeBytes < list[DefaultListed-1].SizeBytes || len(list[0].Names) > mostNames {
		t.Errorf("%d images, of %d to %d bytes", len(list), list[0].SizeBytes, list[len(list)-1].SizeBytes)
	}
}

func TestPullsTakeTurns(t *testing.T) {
	k := kubeletsOf()
	start := clock.Now()
	one := k.reserve(podOf(plan.JobPull, true, "registry.example/a:1", "registry.example/b:1"), start)
	two := k.reserve(podOf(plan.JobPull, true, "registry.example/slow/c:1"), start)
	if got := one.Sub(start); got != 2*k.pace.Pull+k.pace.Pull { // the helper's image too
		t.Errorf("the first takes %s", got)
	}
	if got := two.Sub(one); got < k.pace.Slow {
		t.Errorf("the second takes %s after it", got)
	}
}
