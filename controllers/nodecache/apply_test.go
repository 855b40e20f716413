package nodecache

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// server is an API server that answers what a case wants. Its other methods
// are those of no client, and panic.
type server struct {
	client.Client
	refuse error
	record *v1alpha2.NodeCache
	caches []v1alpha2.ImageCache
	jobs   []batchv1.Job

	// replaced is added to the uid of the Node that is read.
	replaced types.UID

	created, deleted []string
	lists            int
}

func (s *server) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	if s.refuse == nil {
		s.created = append(s.created, obj.GetNamespace()+"/"+obj.GetAnnotations()[v1alpha2.AnnotationOperation])
	}
	return s.refuse
}

func (s *server) Delete(_ context.Context, obj client.Object, _ ...client.DeleteOption) error {
	s.deleted = append(s.deleted, obj.GetNamespace()+"/"+obj.GetName())
	return nil
}

func (s *server) Update(_ context.Context, obj client.Object, _ ...client.UpdateOption) error {
	s.record = obj.(*v1alpha2.NodeCache)
	return nil
}

func (s *server) Get(_ context.Context, _ client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	switch obj := obj.(type) {
	case *corev1.Node:
		fixture.Node("n").DeepCopyInto(obj)
		obj.UID += s.replaced
	case *v1alpha2.NodeCache:
		s.record.DeepCopyInto(obj)
	}
	return nil
}

func (s *server) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha2.ImageCacheList:
		s.lists++
		list.Items = s.caches
	case *batchv1.JobList:
		list.Items = s.jobs
	}
	return nil
}

const unused = "docker.io/library/unused:1"

// removing is a node whose image is to be removed, and a Reconciler whose Jobs
// go to the server.
func removing(s *server) (*Reconciler, *observed) {
	node := observe.Node(fixture.Node("n"), observe.Forced{})
	s.record = newNodeCache(&node, v1alpha2.NodeCacheStatus{NodeUID: node.UID, Images: []v1alpha2.ImageRecord{
		{Image: unused, Identity: plan.IdentityNode, State: v1alpha2.ImageStateRemoving},
	}})
	s.record.UID = "record"
	r := &Reconciler{Client: s, Reader: s, Caches: &observe.Caches{}, Options: Options{Jobs: jobs.Options{
		HelperImage: "helper:1", RemovalNamespace: "kube-fledged-node",
	}}}
	r.events = newEventReader(s)
	r.pacer = NewPacer(0, s, func(string) {})
	r.pacer.open = true
	return r, &observed{cache: s.record, input: plan.NodeInput{
		Now: clock.Now(), Node: node, Options: r.planOptions(),
		Record: &plan.Record{UID: s.record.UID, NodeCacheStatus: s.record.Status},
	}}
}

func removalOf(o *observed) *plan.JobSpec {
	return &plan.JobSpec{
		Kind: plan.JobRemove, NodeCacheUID: "record", Sequence: 1, Node: &o.input.Node, Identity: plan.IdentityNode,
		Deadline: time.Minute, Images: []plan.Want{{Key: plan.Key{Image: unused, Identity: plan.IdentityNode}}},
	}
}

// pullOf is a Job of another image for an ImageCache in namespace shop.
func pullOf(o *observed, kind plan.JobKind) *plan.JobSpec {
	s := removalOf(o)
	s.Kind, s.Owner = kind, &plan.Cache{Namespace: "shop", Name: "c", UID: "c"}
	s.Images = []plan.Want{{Key: plan.Key{Image: "docker.io/library/web:1", Identity: plan.IdentityNode}, Name: "web:1"}}
	return s
}

func TestJobsOfEachKindAreCreated(t *testing.T) {
	for kind, want := range map[plan.JobKind]string{
		plan.JobPull: "shop/pull", plan.JobVerify: "shop/verify", plan.JobRemove: "kube-fledged-node/remove",
	} {
		var s server
		r, o := removing(&s)
		spec := removalOf(o)
		if kind != plan.JobRemove {
			spec = pullOf(o, kind)
		}
		wait, err := r.createJob(t.Context(), o, spec)
		if err != nil || wait != 0 || !slices.Equal(s.created, []string{want}) || len(r.pacer.slots) != 1 {
			t.Errorf("%s: created %v, wait %s, %v", kind, s.created, wait, err)
		}
		if asked := s.lists > 0; asked != (kind == plan.JobRemove) {
			t.Errorf("%s: %d lists of ImageCaches", kind, s.lists)
		}
	}
}

// What the informers have not seen yet counts: the image is wanted again.
func TestRemovalIsCalledOff(t *testing.T) {
	s := server{caches: []v1alpha2.ImageCache{*fixture.ImageCache("c", fixture.WithUID("c"), fixture.WithImages(nil, "unused:1"))}}
	r, o := removing(&s)
	for range 3 { // woken at once, because its slot is free again
		wait, err := r.createJob(t.Context(), o, removalOf(o))
		if err != nil || wait <= 0 || wait > pauseTime || len(s.created) > 0 || len(r.pacer.slots) > 0 {
			t.Fatalf("created %v, slots %v, wait %s, %v", s.created, r.pacer.slots, wait, err)
		}
	}
	if s.lists != 1 {
		t.Errorf("the API server was asked %d times in a moment", s.lists)
	}
	if wait, err := r.createJob(t.Context(), o, pullOf(o, plan.JobPull)); wait != 0 || err != nil || len(s.created) != 1 {
		t.Errorf("a pull has to wait, too: %s, %v", wait, err)
	}
}

// A machine that took the name of the node is not touched.
func TestRemovalFromAReplacedNode(t *testing.T) {
	s := server{replaced: "-new"}
	r, o := removing(&s)
	if _, err := r.createJob(t.Context(), o, removalOf(o)); err != nil || len(s.created) > 0 {
		t.Errorf("created %v, %v", s.created, err)
	}
}

func TestPauseEnds(t *testing.T) {
	var p pause
	if p.begin("n"); p.left("n") == 0 || p.left("m") != 0 {
		t.Errorf("n waits %s, m %s", p.left("n"), p.left("m"))
	}
	p.until["n"] = clock.Now()
	if left := p.left("n"); left != 0 || len(p.until) > 0 {
		t.Errorf("%s left, and %v", left, p.until)
	}
}

func terminating(namespace string) error {
	err := apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "jobs"}, "x",
		errors.New("unable to create new content in namespace "+namespace+" because it is being terminated"))
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause, Field: "metadata.namespace"}}
	return err
}

// A namespace that goes, or is not there, is told in the record, where it is
// tried again with the planner's patience.
func TestCreateInANamespaceThatGoes(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "kube-fledged-node")
	for name, c := range map[string]struct {
		refuse error
		spec   func(*observed) *plan.JobSpec
		words  string
	}{
		"an ImageCache's":   {terminating("shop"), func(o *observed) *plan.JobSpec { return pullOf(o, plan.JobPull) }, "in namespace shop because it is being terminated"},
		"that for removals": {terminating("kube-fledged-node"), removalOf, "in namespace kube-fledged-node because it is being terminated"},
		"none for removals": {missing, removalOf, `namespaces "kube-fledged-node" not found`},
	} {
		s := server{refuse: c.refuse}
		r, o := removing(&s)
		wait, err := r.createJob(t.Context(), o, c.spec(o))
		if err != nil || wait != 0 || len(r.pacer.slots) > 0 {
			t.Errorf("%s: wait %s, slots %v, %v", name, wait, r.pacer.slots, err)
		}
		told := slices.ContainsFunc(s.record.Status.Images, func(rec v1alpha2.ImageRecord) bool {
			return rec.Attempts == 1 && rec.Reason == v1alpha2.ReasonJobNotCreated && strings.Contains(rec.Message, c.words)
		})
		if !told {
			t.Errorf("%s: the record %+v", name, s.record.Status.Images)
		}
	}
}

func TestRefused(t *testing.T) {
	for code, want := range map[int32]bool{
		http.StatusForbidden: true, http.StatusNotFound: true, http.StatusUnprocessableEntity: true, http.StatusBadRequest: true,
		http.StatusConflict: false, http.StatusTooManyRequests: false, http.StatusUnauthorized: false,
		http.StatusRequestTimeout: false, http.StatusInternalServerError: false,
	} {
		err := wrap(&apierrors.StatusError{ErrStatus: metav1.Status{Code: code}}, "create Job")
		if got := refused(err); got != want {
			t.Errorf("%d: %v", code, got)
		}
	}
	if refused(errors.New("the network is down")) {
		t.Error("an error without an answer is no refusal")
	}
}

// An answer that never came leaves the slot: the Job may be there.
func TestSlotStaysWithoutAnAnswer(t *testing.T) {
	s := server{refuse: context.DeadlineExceeded}
	r, o := removing(&s)
	if _, err := r.createJob(t.Context(), o, removalOf(o)); err == nil || len(r.pacer.slots) != 1 {
		t.Errorf("%v, slots %v", err, r.pacer.slots)
	}
}

// The Jobs of a node that is gone go, wherever they are.
func TestJobsOfAGoneNodeGo(t *testing.T) {
	var s server
	r, o := removing(&s)
	pull, remove := jobs.Build(*pullOf(o, plan.JobPull), r.Options.Jobs), jobs.Build(*removalOf(o), r.Options.Jobs)
	s.jobs = []batchv1.Job{*pull, *remove}
	if err := r.forget(t.Context(), "n"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"shop/" + pull.Name, "kube-fledged-node/" + remove.Name}; !slices.Equal(s.deleted, want) {
		t.Errorf("deleted %v, want %v", s.deleted, want)
	}
}

// A Job elsewhere that says it removed something is not believed, and goes.
func TestRemovalsElsewhereAreNotBelieved(t *testing.T) {
	var s server
	r, o := removing(&s)
	ours, elsewhere := jobs.Build(*removalOf(o), r.Options.Jobs), jobs.Build(*removalOf(o), jobs.Options{RemovalNamespace: "shop"})
	elsewhere.Name = "remove-by-somebody"
	s.jobs = []batchv1.Job{*ours, *elsewhere}
	if err := r.readJobs(t.Context(), "n", o); err != nil {
		t.Fatal(err)
	}
	if len(o.input.Jobs) != 1 || o.input.Jobs[0].Name != ours.Name || len(o.damaged) != 1 || o.damaged[0].Namespace != "shop" {
		t.Errorf("believed %+v, damaged %v", o.input.Jobs, o.damaged)
	}
}

func TestPlanOptions(t *testing.T) {
	r := Reconciler{Options: Options{
		ImagesPerJob: 1, VerifyInterval: 2, UnselectedGrace: 3, RemovalDisabled: true, RetainJobs: true, PullsPerNode: 4,
	}}
	got := r.planOptions()
	if got.ImagesPerJob != 1 || got.VerifyInterval != 2 || got.UnselectedGrace != 3 || !got.RemovalDisabled ||
		!got.RetainJobs || got.PullsPerNode != 4 || got.Sizes == nil {
		t.Errorf("got %+v", got)
	}
}
