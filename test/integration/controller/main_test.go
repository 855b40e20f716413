// Package controller tests both loops against a real API server, under the
// roles they ship with. Nodes are objects only; a worker plays the Job
// controller and the kubelets.
package controller

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/controllers"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/fixture/controlplane"
)

// removalNamespace is that of a controller in the namespace default.
const removalNamespace = "default-node"

var cp *controlplane.ControlPlane

// user is the controller's configuration: it may do what config/rbac grants.
var user *rest.Config

func TestMain(m *testing.M) { os.Exit(controlplane.Main(prepared{m}, &cp)) }

// prepared runs the tests once the controller's user exists.
type prepared struct{ m *testing.M }

func (p prepared) Run() int {
	ctrl.SetLogger(klog.NewKlogr())
	var err error
	if user, err = cp.User("controller", shippedRules()); err != nil {
		klog.ErrorS(err, "cannot make the controller's user")
		return 1
	}
	removals := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: removalNamespace}}
	if err := cp.Client.Create(context.Background(), removals); err != nil {
		klog.ErrorS(err, "cannot make the namespace for removals")
		return 1
	}
	return p.m.Run()
}

// shippedRules reads the rules the controller ships with.
func shippedRules() []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, file := range []string{"controller_role.yaml", "leader_election_role.yaml"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "rbac", file))
		if err != nil {
			panic(err)
		}
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal(content, &role); err != nil {
			panic(err)
		}
		rules = append(rules, role.Rules...)
	}
	return rules
}

// options are those of a controller without probes and metrics.
func options(mods ...func(*controllers.Options)) controllers.Options {
	o := controllers.DefaultOptions()
	o.HelperImage = "registry.test/helper:1"
	o.Namespace, o.MetricsAddress, o.ProbeAddress = "default", "0", "0"
	o.LeaderElect = false
	for _, mod := range mods {
		mod(&o)
	}
	return o
}

// start runs a controller and returns a function that stops it; it is stopped
// at the end of the test in any case.
func start(t *testing.T, o controllers.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- controllers.RunWith(ctx, rest.CopyConfig(user), o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			// A lease that was given up on purpose is no failure.
			if err != nil && !strings.Contains(err.Error(), "leader election lost") {
				t.Errorf("the controller ended: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the controller does not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

// addNode adds a Ready node and removes it after the test.
func addNode(t *testing.T, name string, mods ...fixture.NodeMod) *corev1.Node {
	t.Helper()
	node := fixture.Node(name, mods...)
	node.UID = ""
	if err := cp.Node(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeNode(t, name) })
	return node
}

// removeNode deletes a Node and, as the garbage collector would, its record.
func removeNode(t *testing.T, name string) {
	t.Helper()
	for _, obj := range []client.Object{&corev1.Node{}, &v1alpha2.NodeCache{}} {
		obj.SetName(name)
		if err := client.IgnoreNotFound(cp.Client.Delete(context.Background(), obj)); err != nil {
			t.Error(err)
		}
	}
}

// addCache creates an ImageCache in a namespace of its own.
func addCache(t *testing.T, mods ...fixture.CacheMod) *v1alpha2.ImageCache {
	t.Helper()
	namespace, err := cp.Namespace("it")
	if err != nil {
		t.Fatal(err)
	}
	return addCacheIn(t, namespace, mods...)
}

func addCacheIn(t *testing.T, namespace string, mods ...fixture.CacheMod) *v1alpha2.ImageCache {
	t.Helper()
	ic := fixture.ImageCache("cache", append([]fixture.CacheMod{fixture.New(), fixture.InNamespace(namespace)}, mods...)...)
	if err := cp.Client.Create(t.Context(), ic); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cp.Client.Delete(context.Background(), ic) })
	return ic
}

// await waits until the ImageCache's status satisfies ok.
func await(t *testing.T, ic *v1alpha2.ImageCache, what string, ok func(*v1alpha2.ImageCacheStatus) bool) *v1alpha2.ImageCacheStatus {
	t.Helper()
	var now v1alpha2.ImageCache
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err := cp.Client.Get(t.Context(), client.ObjectKeyFromObject(ic), &now); err != nil {
			t.Fatal(err)
		}
		if now.Status.ObservedGeneration == now.Generation && ok(&now.Status) {
			return &now.Status
		}
	}
	text, _ := yaml.Marshal(now.Status)
	t.Fatalf("waited 30 s in vain for: %s; the status is\n%s", what, text)
	return nil
}

func word(w v1alpha2.ImageCacheActionStatus) func(*v1alpha2.ImageCacheStatus) bool {
	return func(s *v1alpha2.ImageCacheStatus) bool { return s.Status == w }
}

func awaitSucceeded(t *testing.T, ic *v1alpha2.ImageCache) *v1alpha2.ImageCacheStatus {
	t.Helper()
	return await(t, ic, "Succeeded", word(v1alpha2.ImageCacheActionStatusSucceeded))
}

// cachedOn returns the images that a node's record holds as Cached.
func cachedOn(t *testing.T, node string) []string {
	t.Helper()
	var record v1alpha2.NodeCache
	if err := cp.Client.Get(t.Context(), client.ObjectKey{Name: node}, &record); err != nil {
		t.Fatal(err)
	}
	var images []string
	for _, rec := range record.Status.Images {
		if rec.State == v1alpha2.ImageStateCached {
			images = append(images, rec.Image)
		}
	}
	slices.Sort(images)
	return images
}
