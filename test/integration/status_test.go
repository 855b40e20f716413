package integration

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
)

// settled is a status as the controller writes it.
func settled(generation int64) v1alpha2.ImageCacheStatus {
	now := metav1.Now()
	return v1alpha2.ImageCacheStatus{
		Status: v1alpha2.ImageCacheActionStatusFailed, Reason: v1alpha2.ImageCacheReasonCreate,
		Message: v1alpha2.MessageImagePullFailed, StartTime: &now, CompletionTime: &now,
		ObservedGeneration: generation, Progress: "198/200",
		PairCounts: v1alpha2.PairCounts{Desired: 200, Cached: 198, Failed: 2},
		Nodes:      v1alpha2.NodeCounts{Selected: 100, Complete: 98},
		Failures: map[string]v1alpha2.NodeReasonMessageList{
			"nginx:1": {{Node: "node1", Reason: v1alpha2.ReasonImageNotFound, Message: "not found"}},
		},
		Conditions: []metav1.Condition{{
			Type: v1alpha2.ConditionReady, Status: metav1.ConditionFalse, LastTransitionTime: now,
			Reason: v1alpha2.ConditionReasonPullFailed, ObservedGeneration: generation,
		}},
		Images: []v1alpha2.ImageSummary{{Image: "nginx:1", PairCounts: v1alpha2.PairCounts{Desired: 100, Cached: 98, Failed: 2}}},
	}
}

// TestStatusIsASubresource: a user's write leaves the status alone, the
// controller's leaves the spec and its generation alone.
func TestStatusIsASubresource(t *testing.T) {
	ctx, in := testContext(t), namespace(t)
	ic := fixture.ImageCache("web", fixture.New(), fixture.InNamespace(in), fixture.WithImages(nil, "nginx:1"))
	ic.Status.Status = v1alpha2.ImageCacheActionStatusSucceeded
	if err := cp.Client.Create(ctx, ic); err != nil {
		t.Fatal(err)
	}
	if ic.Status.Status != "" {
		t.Errorf("create kept the status %q", ic.Status.Status)
	}
	ic.Status = settled(ic.Generation)
	ic.Spec.CacheSpec[0].Images[0] = "nginx:2"
	if err := cp.Client.Status().Update(ctx, ic); err != nil {
		t.Fatal(err)
	}
	got := get(t, in, "web")
	if got.Generation != 1 || got.Spec.CacheSpec[0].Images[0] != "nginx:1" || got.Status.Cached != 198 {
		t.Errorf("after a write of the status: generation %d, %v, %d cached", got.Generation, got.Spec, got.Status.Cached)
	}
	got.Spec.CacheSpec[0].Images[0], got.Status.Cached = "nginx:3", 0
	if err := cp.Client.Update(ctx, got); err != nil {
		t.Fatal(err)
	}
	if got.Generation != 2 || got.Status.Cached != 198 {
		t.Errorf("after an edit: generation %d, %d cached", got.Generation, got.Status.Cached)
	}
}

// TestExportedObjectOfTheOriginal: an object saved with kubectl get -o yaml is
// applied with its status, also one with words we never write.
func TestExportedObjectOfTheOriginal(t *testing.T) {
	in := namespace(t)
	mustKubectl(t, `
apiVersion: kubefledged.io/v1alpha2
kind: ImageCache
metadata:
  name: exported
  namespace: `+in+`
spec:
  cacheSpec:
  - images: [quay.io/bitnami/nginx:1.21.1]
  imagePullSecrets:
  - name: registry
status:
  status: Aborted
  reason: ImagePullAborted
  message: Image cache processing aborted. Image cache will get refreshed during next refresh cycle
  startTime: "2021-09-30T10:00:00Z"
  failures:
    quay.io/bitnami/nginx:1.21.1:
    - node: node1
      reason: Pending
      message: Check if node is ready
`, "apply", "--validate=strict", "-f", "-")
	if got := get(t, in, "exported"); got.Status.Status != "" || len(got.Spec.ImagePullSecrets) != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestColumns holds what users see.
func TestColumns(t *testing.T) {
	ctx, in := testContext(t), namespace(t)
	for _, name := range []string{"new", "web"} {
		ic := fixture.ImageCache(name, fixture.New(), fixture.InNamespace(in), fixture.WithImages(nil, "nginx:1"))
		if err := cp.Client.Create(ctx, ic); err != nil {
			t.Fatal(err)
		}
		if name == "web" {
			ic.Status = settled(1)
			if err := cp.Client.Status().Update(ctx, ic); err != nil {
				t.Fatal(err)
			}
		}
	}
	expectTable(t, mustKubectl(t, "", "get", "ic", "-n", in),
		`^NAME STATUS CACHED FAILED NODES AGE$`,
		`^new \d+s$`,
		`^web Failed 198/200 2 100 \d+s$`)
	wide := mustKubectl(t, "", "get", "ic", "-n", in, "-o", "wide")
	if want := "NAME STATUS CACHED FAILED NODES AGE WAITING REASON MESSAGE"; squeeze(strings.Split(wide, "\n")[0]) != want {
		t.Errorf("wide columns:\n%s", wide)
	}
}

// TestNodeCache: created with its status in one write, cluster-scoped, owned by
// its node without blocking the node's deletion.
func TestNodeCache(t *testing.T) {
	ctx := testContext(t)
	node := fixture.Node("columns")
	node.UID, node.CreationTimestamp = "", metav1.Time{}
	if err := cp.Node(ctx, node); err != nil {
		t.Fatal(err)
	}
	if node.Status.NodeInfo.KubeletVersion == "" || node.UID == "" {
		t.Errorf("the node was created without status: %+v", node.Status)
	}
	const image = "docker.io/library/nginx:1"
	nc := fixture.NodeCache(node, fixture.NewRecord(), fixture.WithSequence(7), fixture.WithCached(image),
		fixture.WithFailed("docker.io/library/nginx:2", v1alpha2.ReasonImageNotFound, "not found"),
		fixture.WithClaim(fixture.ImageCache("web"), image))
	if err := cp.Client.Create(ctx, nc); err != nil {
		t.Fatal(err)
	}
	got := &v1alpha2.NodeCache{}
	if err := cp.Client.Get(ctx, client.ObjectKey{Name: "columns"}, got); err != nil {
		t.Fatal(err)
	}
	if got.Namespace != "" || got.Status.Sequence != 7 || len(got.Status.Images) != 2 || got.Status.Images[0].Claims[0] != 1 {
		t.Errorf("one write made %+v", got)
	}
	if err := cp.Client.Status().Update(ctx, got); !apierrors.IsNotFound(err) {
		t.Errorf("NodeCache has a status subresource: %v", err)
	}
	expectTable(t, mustKubectl(t, "", "get", "nodecaches"), `^NAME CACHED FAILED WAITING AGE$`, `^columns 1 1 0 \d+s$`)
}

// TestNodeCacheOfManyImages: the API server adds next to nothing to a record.
// Lists with keys would be kept a second time in managedFields.
func TestNodeCacheOfManyImages(t *testing.T) {
	var images []string
	for i := range 2000 {
		images = append(images, fmt.Sprintf("registry.example.com/team/image-%04d:v1.2.3", i))
	}
	nc := fixture.NodeCache(fixture.Node("many"), fixture.NewRecord(), fixture.WithCached(images...))
	status, err := json.Marshal(nc.Status)
	if err != nil {
		t.Fatal(err)
	}
	if err := cp.Client.Create(testContext(t), nc); err != nil {
		t.Fatal(err)
	}
	stored := mustKubectl(t, "", "get", "--raw", "/apis/kubefledged.io/v1alpha2/nodecaches/many")
	if extra := len(stored) - len(status); extra > 4<<10 {
		t.Errorf("%d bytes became %d", len(status), len(stored))
	}
}

func TestExplain(t *testing.T) {
	for _, path := range []string{"ic", "ic.spec", "ic.spec.cacheSpec", "ic.status", "ic.status.nodes", "ic.status.failures", "nodecache.status", "nodecache.status.images"} {
		output := mustKubectl(t, "", "explain", path)
		if strings.Contains(output, "<no description>") {
			t.Errorf("kubectl explain %s:\n%s", path, output)
		}
	}
	if output := mustKubectl(t, "", "explain", "ic.spec"); !strings.Contains(output, "deletionPolicy") || !strings.Contains(output, "enum: Retain, Purge") {
		t.Errorf("kubectl explain ic.spec:\n%s", output)
	}
}

// TestOwnerReferencesAreEnforced: the plugin that OpenShift runs is on here, so
// a controller that needs more rights than it has fails in these tests.
func TestOwnerReferencesAreEnforced(t *testing.T) {
	config, err := cp.User("job-maker", jobRules)
	if err != nil {
		t.Fatal(err)
	}
	user, err := client.New(config, client.Options{Scheme: cp.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	ctx, in := testContext(t), namespace(t)
	ic := fixture.ImageCache("web", fixture.New(), fixture.InNamespace(in), fixture.WithImages(nil, "nginx:1"))
	if err := user.Create(ctx, ic); !apierrors.IsForbidden(err) {
		t.Errorf("a user without the right created an ImageCache: %v", err)
	}
	if err := cp.Client.Create(ctx, ic); err != nil {
		t.Fatal(err)
	}
	if err := user.Create(ctx, ownedJob(ic, "plain", false)); err != nil {
		t.Errorf("a reference that does not block: %v", err)
	}
	if err := user.Create(ctx, ownedJob(ic, "blocking", true)); !apierrors.IsForbidden(err) {
		t.Errorf("a reference that blocks: %v", err)
	}
	if err := user.List(ctx, &corev1.SecretList{}); !apierrors.IsForbidden(err) {
		t.Errorf("the user may list Secrets: %v", err)
	}
}

// expectTable compares a table line by line, with its columns one space apart.
func expectTable(t *testing.T, table string, lines ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSpace(table), "\n")
	for i, want := range lines {
		if i >= len(got) || !regexp.MustCompile(want).MatchString(squeeze(got[i])) {
			t.Errorf("line %d is not %s:\n%s", i, want, table)
		}
	}
}

func squeeze(line string) string { return strings.Join(strings.Fields(line), " ") }
