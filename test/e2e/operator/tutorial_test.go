//go:build e2e

package operator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// The tutorial's images: nginx and tomcat for every node, the others for tier=backend.
const (
	nginx   = "quay.io/bitnami/nginx:1.21.1"
	tomcat  = "quay.io/bitnami/tomcat:10.0.8"
	redis   = "quay.io/bitnami/redis:6.2.5"
	mariadb = "quay.io/bitnami/mariadb:10.5.11"
)

var tutorialImages = []string{nginx, tomcat, redis, mariadb}

// The tutorial's file, and what is in it before and after its edit.
const (
	tutorialFile   = "kubefledged-imagecache.yaml"
	tutorialSample = "kubefledged_v1alpha2_imagecache.yaml"
	modifiedSample = "kubefledged_v1alpha2_imagecache_modified.yaml"
)

// tutorial types the tutorial's commands, on nodes that have none of its images.
// What came of each is what the nodes' runtimes list.
func (w *world) tutorial(pods int) {
	w.Helper()
	w.forget()
	began := time.Now()
	dir := w.TempDir()
	w.runs(pods)
	if listed := w.types(dir, "kubectl get imagecaches -n kube-fledged"); listed != "" {
		w.Errorf("there are ImageCaches already: %s", listed)
	}
	w.Cleanup(func() { w.forgetCache() })
	var took []string
	for _, step := range []struct {
		name, sample, command, reason string
		plain, backend                []string
	}{
		{
			"create", tutorialSample, "kubectl create -f kubefledged-imagecache.yaml", v1alpha2.ImageCacheReasonCreate,
			[]string{nginx, tomcat}, tutorialImages,
		},
		{
			"modify", modifiedSample, "kubectl apply -f kubefledged-imagecache.yaml", v1alpha2.ImageCacheReasonUpdate,
			[]string{nginx}, []string{nginx, redis, mariadb},
		},
		{
			"purge", "", "kubectl annotate imagecaches imagecache1 -n kube-fledged kubefledged.io/purge-imagecache=",
			v1alpha2.ImageCacheReasonPurge, nil, nil,
		},
		{
			"refresh", "", "kubectl annotate imagecaches imagecache1 -n kube-fledged kubefledged.io/refresh-imagecache=",
			v1alpha2.ImageCacheReasonRefresh,
			[]string{nginx}, []string{nginx, redis, mariadb},
		},
	} {
		if step.sample != "" {
			content, err := os.ReadFile(w.sample(step.sample))
			w.check(err)
			w.check(os.WriteFile(filepath.Join(dir, tutorialFile), content, 0o600))
		}
		at := time.Now()
		w.types(dir, step.command)
		w.succeeds(step.reason)
		took = append(took, fmt.Sprintf("%s %.1f s", step.name, time.Since(at).Seconds()))
		shown := w.types(dir, "kubectl get imagecache imagecache1 -n kube-fledged -o yaml")
		if !strings.Contains(shown, "status: Succeeded") || !strings.Contains(shown, "reason: "+step.reason) {
			w.Errorf("%s shows\n%s", step.name, shown)
		}
		w.has(step.plain, step.backend)
	}
	w.saw("the tutorial's commands in %.1f s: %s; after each the runtimes list what it says", time.Since(began).Seconds(), strings.Join(took, ", "))
}

// types runs a command of the tutorial as it is written there. Its file is in
// the directory.
func (w *world) types(dir, command string) string {
	w.Helper()
	words := strings.Fields(command)[1:]
	if i := slices.Index(words, tutorialFile); i >= 0 {
		words[i] = filepath.Join(dir, tutorialFile)
	}
	return w.kubectl(words...)
}

// caches creates the tutorial's ImageCache and waits for its images.
func (w *world) caches() {
	w.Helper()
	w.kubectl("create", "-f", w.sample(tutorialSample))
	w.Cleanup(func() { w.forgetCache() })
	w.Logf("Succeeded after %.1fs", w.succeeds(v1alpha2.ImageCacheReasonCreate).Seconds())
	w.has([]string{nginx, tomcat}, tutorialImages)
}

// forgetCache deletes the tutorial's ImageCache, with or without a controller.
func (w *world) forgetCache() {
	if _, err := w.cluster.Kubectl(w.background(), "delete", "--ignore-not-found", "--timeout=1m", "imagecache", "imagecache1", "-n", lab.Namespace); err != nil {
		w.Log("its definition may be gone:", err)
	}
}

// forget takes the tutorial's images from the nodes, past Kubernetes.
func (w *world) forget() {
	w.Helper()
	for _, node := range []string{plainNode, backendNode} {
		runtime, err := w.cluster.Runtime(w.ctx, node)
		w.check(err)
		for _, image := range tutorialImages {
			w.check(runtime.Remove(w.ctx, image))
		}
	}
	w.has(nil, nil)
}

// has checks which of the tutorial's images the nodes' runtimes list.
func (w *world) has(plain, backend []string) {
	w.Helper()
	for node, want := range map[string][]string{plainNode: plain, backendNode: backend} {
		runtime, err := w.cluster.Runtime(w.ctx, node)
		w.check(err)
		missing, err := runtime.Missing(w.ctx, tutorialImages...)
		w.check(err)
		if has := lab.Without(tutorialImages, missing); !slices.Equal(slices.Sorted(slices.Values(has)), slices.Sorted(slices.Values(want))) {
			w.Errorf("the runtime of %s lists %q, want %q", node, has, want)
		}
	}
}

// succeeds waits until the tutorial's ImageCache is done with what the reason
// says.
func (w *world) succeeds(reason string) time.Duration {
	w.Helper()
	return w.poll("imagecache1 succeeds", time.Minute, func(ctx context.Context) (bool, string) {
		var cache v1alpha2.ImageCache
		if err := w.cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: "imagecache1"}, &cache); err != nil {
			return false, err.Error()
		}
		s := cache.Status
		return s.Status == v1alpha2.ImageCacheActionStatusSucceeded && s.Reason == reason,
			fmt.Sprintf("%s %s %s %s %v", s.Status, s.Reason, s.Progress, s.Message, s.Failures)
	})
}

// runs checks what the tutorial's command shows: that many pods, all running.
func (w *world) runs(want int) {
	w.Helper()
	var output string
	w.poll(fmt.Sprintf("%d running pods", want), readyLimit, func(context.Context) (bool, string) {
		output = w.kubectl("get", "pods", "-n", "kube-fledged", "-l", "app=kubefledged")
		rows := strings.Split(output, "\n")[1:]
		return len(rows) == want && strings.Count(output, " Running ") == want && strings.Count(output, " 1/1 ") == want, output
	})
	w.Logf("kubectl get pods -n kube-fledged -l app=kubefledged\n%s", output)
}
