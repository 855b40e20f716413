package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// TestStatusOfANodeThatIsNotSelectedAnyMore: what an edit left there counts;
// what a change of labels left is kept for a while and does not.
func TestStatusOfANodeThatIsNotSelectedAnyMore(t *testing.T) {
	for name, tc := range map[string]struct {
		selectors string
		word      string
		removing  int32
	}{
		"edited":    {"other", "Processing", 1},
		"relabeled": {"same", "NoImagesPulledOrDeleted", 0},
	} {
		c := cache("c", "x").with(func(c *Cache) {
			c.Lists[0].Selects, c.Selectors = pool("b"), tc.selectors
		})
		r := record(cached("x")).claimed(1, c)
		r.Claims[0].Selectors = "same"
		s := Status(CacheInput{Now: now, Cache: c, Nodes: []NodeView{view("a", r)}}).Status
		if string(s.Status) != tc.word || s.Removing != tc.removing || s.Nodes.Selected != 0 {
			t.Errorf("%s: %s, %d to remove, %d nodes", name, s.Status, s.Removing, s.Nodes.Selected)
		}
	}
}

// TestStatusOfAPurgeInMidPull: the Job of the cache may yet bring the image.
func TestStatusOfAPurgeInMidPull(t *testing.T) {
	c := asked(cache("c", "x"), OperationPurge)
	for name, tc := range map[string]struct {
		record *Record
		pulls  []int64
		want   v1alpha2.ImageCacheActionStatus
	}{
		"no Job":                     {nil, nil, "Succeeded"},
		"a Job before the record":    {nil, []int64{1}, "Processing"},
		"not recorded":               {record(), []int64{1}, "Processing"},
		"recorded":                   {record().with(func(r *Record) { r.Sequence = 1 }), []int64{1}, "Succeeded"},
		"open":                       {record().with(func(r *Record) { r.Sequence, r.OpenJobs = 2, []int64{1} }), []int64{1}, "Processing"},
		"slow":                       {record().with(func(r *Record) { r.Sequence, r.SlowJob = 2, 1 }), []int64{1}, "Processing"},
		"recorded for another node":  {record().with(func(r *Record) { r.Sequence, r.NodeUID = 1, "old" }), []int64{1}, "Processing"},
		"the claim of another cache": {record(cached("x")).claimed(1, cache("d", "x")), nil, "Succeeded"},
	} {
		v := view("a", tc.record)
		v.Pulls = tc.pulls
		if s := Status(CacheInput{Now: now, Cache: c, Nodes: []NodeView{v}}).Status; s.Status != tc.want {
			t.Errorf("%s: %s", name, s.Status)
		}
	}
}

func (r *Record) with(edit func(*Record)) *Record {
	edit(r)
	return r
}

// TestStatusNamesImagesAsTheUserDid also in the failures of removals.
func TestStatusNamesImagesAsTheUserDid(t *testing.T) {
	c := asked(cache("c").with(func(c *Cache) {
		c.Lists = []List{{Images: []Image{{Name: "nginx", Ref: "docker.io/library/nginx:latest"}}, Selects: everyNode}}
	}), OperationPurge)
	rec := cached("docker.io/library/nginx:latest")
	rec.State, rec.Attempts, rec.Reason = v1alpha2.ImageStateRemoving, 1, v1alpha2.ReasonRemovalDisabled
	r := record(rec).claimed(1, c)
	r.Claims[0].Operation = c.Operation.ID
	d := Status(CacheInput{Now: now, Cache: c, Nodes: []NodeView{view("a", r)}})
	if d.Status.Status != "Failed" || d.Status.Failures["nginx"] == nil || !d.Served {
		t.Errorf("%s, failures %v, served %v", d.Status.Status, d.Status.Failures, d.Served)
	}
	want := "False ImageRemovalFailed: 1 images could not be removed, for example nginx on a: RemovalDisabled"
	purged := meta.FindStatusCondition(d.Status.Conditions, v1alpha2.ConditionPurged)
	if got := string(purged.Status) + " " + purged.Reason + ": " + purged.Message; got != want {
		t.Error(got)
	}
}

// TestRelease: a deletion with a purge waits for its images, for records that
// must know of it, and never for ever.
func TestRelease(t *testing.T) {
	c := cache("c", "x").with(func(c *Cache) { c.Deleting, c.Purging, c.Generation = true, true, 2 })
	going := cached("x")
	going.State = v1alpha2.ImageStateRemoving
	inUse, shared := going, going
	inUse.Attempts, inUse.Reason = 1, v1alpha2.ReasonImageInUse
	shared.Reason = v1alpha2.ReasonImageShared
	known := func(rec v1alpha2.ImageRecord) NodeView { return view("a", record(rec).claimed(1, c)) }
	for name, tc := range map[string]struct {
		node     NodeView
		age      time.Duration
		going    bool
		released bool
		again    time.Duration
	}{
		"nothing there":               {view("a", nil), 0, false, true, 0},
		"not taken in":                {known(cached("x")), 0, false, false, 5 * time.Minute},
		"to be removed":               {known(going), time.Minute, false, false, 4 * time.Minute},
		"in use":                      {known(inUse), 0, false, true, 0},
		"shared":                      {known(shared), 0, false, true, 0},
		"the node is away, it knows":  {known(going).with(away), 0, false, true, 0},
		"the node is away, not known": {known(cached("x")).with(away), 0, false, false, 5 * time.Minute},
		"to be removed for long":      {known(going), 5 * time.Minute, false, true, 0},
		"never taken in":              {known(cached("x")), 5 * time.Minute, false, false, 5 * time.Minute},
		"never taken in, for long":    {known(cached("x")), 10 * time.Minute, false, true, 0},
		"the namespace goes":          {known(going), 0, true, true, 0},
		"it goes, not taken in":       {known(cached("x")), 0, true, false, 5 * time.Minute},
		"a Job pulls":                 {view("a", record()).with(func(v *NodeView) { v.Pulls = []int64{1} }), 0, false, false, 5 * time.Minute},
	} {
		d := Status(CacheInput{
			Now: now, Cache: c, Nodes: []NodeView{tc.node}, Deleted: now.Add(-tc.age), NamespaceGoing: tc.going,
		})
		if d.Released != tc.released || d.RequeueAfter != tc.again {
			t.Errorf("%s: released %v, again after %s", name, d.Released, d.RequeueAfter)
		}
		if left := d.Status.Removing > 0; (d.Parting != nil) != (left && tc.released) {
			t.Errorf("%s: %d images are left, told at parting: %v", name, d.Status.Removing, d.Parting)
		}
		if d.Status.Reason != v1alpha2.ImageCacheReasonPurge {
			t.Errorf("%s: reason %s", name, d.Status.Reason)
		}
	}
	if d := Status(CacheInput{Now: now, Cache: cache("c", "x"), Nodes: []NodeView{known(going)}}); d.Released || d.RequeueAfter != 0 {
		t.Error("released without a deletion")
	}
}

// TestStartOfAnOperation: it began when it was accepted, if that can be.
func TestStartOfAnOperation(t *testing.T) {
	for name, tc := range map[string]struct{ accepted, want time.Time }{
		"a minute ago":  {ago(time.Minute), ago(time.Minute)},
		"in the future": {now.Add(time.Hour), now},
		"never":         {time.Time{}, now},
	} {
		c := asked(cache("c", "x"), OperationRefresh).with(func(c *Cache) { c.Operation.Time = tc.accepted })
		s := Status(CacheInput{Now: now, Cache: c, Nodes: []NodeView{view("a", nil)}}).Status
		if !s.StartTime.Time.Equal(tc.want) {
			t.Errorf("%s: began %s", name, s.StartTime)
		}
	}
}

// TestRemovalFailuresAreBounded: at 5,000 nodes and 50 images none of which can
// be removed, the status stays what an object can hold.
func TestRemovalFailuresAreBounded(t *testing.T) {
	c := cache("c", many("registry.example/app-", 50)...)
	r := record().claimed(1, c)
	for _, image := range c.Lists[0].Images {
		rec := failed(image.Ref, v1alpha2.ReasonImageInUse, 1, 0)
		rec.State, rec.Message = v1alpha2.ImageStateRemoving, strings.Repeat("<&>", 80)
		r.Images = append(r.Images, rec)
	}
	var nodes []NodeView
	for i := range 5000 {
		nodes = append(nodes, view(fmt.Sprintf("node-%04d", i), r))
	}
	c = asked(c, OperationPurge)
	r.Claims[0].Operation = c.Operation.ID
	s := Status(CacheInput{Now: now, Cache: c, Nodes: nodes}).Status
	shown := 0
	for _, list := range s.Failures {
		shown += len(list)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(text); size > 256<<10 || shown == 0 || shown+int(s.FailuresOmitted) != 250_000 || s.Removing != 250_000 {
		t.Errorf("%d bytes, %d failures shown, %d left out, %d to be removed", size, shown, s.FailuresOmitted, s.Removing)
	}
}

// TestRefreshOfWhatIsNotClaimedYet: images that are there for others are looked
// for when the node has taken the refresh in; what cannot be pulled never is.
func TestRefreshOfWhatIsNotClaimedYet(t *testing.T) {
	other := cache("other", "x")
	there := view("a", record(cached("x")).claimed(1, other))
	for name, tc := range map[string]struct {
		images []Image
		served int32
	}{
		"there for others": {images("x"), 0},
		"not a name":       {[]Image{{Name: "A:", Invalid: "bad"}}, 1},
	} {
		c := asked(cache("c"), OperationRefresh).with(func(c *Cache) { c.Lists = []List{{Images: tc.images, Selects: everyNode}} })
		s := Status(CacheInput{Now: now, Cache: c, Nodes: []NodeView{there}}).Status
		if s.LastOperation.Nodes != 1 || s.LastOperation.Served != tc.served {
			t.Errorf("%s: served on %d of %d", name, s.LastOperation.Served, s.LastOperation.Nodes)
		}
	}
}
