//go:build e2e

package olm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// olmAPI is the group and version of most of OLM's kinds.
const olmAPI = "operators.coreos.com/v1alpha1"

// The tutorial's images: nginx and tomcat for every node, the others for tier=backend.
const (
	nginx   = "quay.io/bitnami/nginx:1.21.1"
	tomcat  = "quay.io/bitnami/tomcat:10.0.8"
	redis   = "quay.io/bitnami/redis:6.2.5"
	mariadb = "quay.io/bitnami/mariadb:10.5.11"
)

var tutorialImages = []string{nginx, tomcat, redis, mariadb}

// namespaces are that of the operator, which enforces a level of Pod Security,
// and that of the image cache.
func (w *world) namespaces(level string) {
	w.Helper()
	w.apply(fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: %s}}
---
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}
`, operatorNamespace, level, lab.Namespace))
}

// subscribe asks OLM for the operator, in all namespaces. Approval is Automatic
// or Manual.
func (w *world) subscribe(approval string) {
	w.Helper()
	w.apply(fmt.Sprintf(`
apiVersion: operators.coreos.com/v1
kind: OperatorGroup
metadata: {name: kubefledged-operator, namespace: %[1]s}
spec: {}
---
apiVersion: %[2]s
kind: Subscription
metadata: {name: kubefledged-operator, namespace: %[1]s}
spec:
  name: kubefledged-operator
  channel: stable
  source: kubefledged
  sourceNamespace: olm
  installPlanApproval: %[3]s
`, operatorNamespace, olmAPI, approval))
}

// approve approves the InstallPlan that the Subscription waits with, which has
// to be for that version.
func (w *world) approve(version string) {
	w.Helper()
	var name string
	w.poll("an InstallPlan to approve", readyLimit, func(ctx context.Context) (bool, string) {
		state, seen := field(ctx, olmAPI, "Subscription", operatorNamespace, "kubefledged-operator", "status", "state")
		current, _ := field(ctx, olmAPI, "Subscription", operatorNamespace, "kubefledged-operator", "status", "currentCSV")
		name, _ = field(ctx, olmAPI, "Subscription", operatorNamespace, "kubefledged-operator", "status", "installPlanRef", "name")
		return state == "UpgradePending" && current == csvName(version) && name != "", seen
	})
	if phase, _ := field(w.ctx, olmAPI, "InstallPlan", operatorNamespace, name, "status", "phase"); phase != "RequiresApproval" {
		w.Fatalf("InstallPlan %s is %s before anybody approved it", name, phase)
	}
	w.kubectl("patch", "installplans.operators.coreos.com", name, "-n", operatorNamespace, "--type=merge", "-p", `{"spec":{"approved":true}}`)
}

// installed waits until OLM has installed that version, and no other is there.
func (w *world) installed(version string) time.Duration {
	w.Helper()
	return w.poll(csvName(version)+" Succeeded", readyLimit, func(ctx context.Context) (bool, string) {
		names, err := csvNames(ctx)
		if err != nil {
			return false, err.Error()
		}
		phase, seen := field(ctx, olmAPI, "ClusterServiceVersion", operatorNamespace, csvName(version), "status", "phase")
		message, _ := field(ctx, olmAPI, "ClusterServiceVersion", operatorNamespace, csvName(version), "status", "message")
		return phase == "Succeeded" && len(names) == 1, fmt.Sprintf("%v; %s; %s", names, seen, message)
	})
}

func csvNames(ctx context.Context) (names []string, err error) {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(schema.FromAPIVersionAndKind(olmAPI, "ClusterServiceVersionList"))
	err = cluster.API.List(ctx, &list, client.InNamespace(operatorNamespace))
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names, err
}

func (w *world) awaitField(limit time.Duration, want, apiVersion, kind, namespace, name string, path ...string) {
	w.Helper()
	w.poll(kind+" "+name+" is "+want, limit, func(ctx context.Context) (bool, string) {
		value, seen := field(ctx, apiVersion, kind, namespace, name, path...)
		return value == want, seen
	})
}

// samplePath is a manifest as users apply it.
func samplePath(name string) string { return filepath.Join(cluster.Root, "config", "samples", name) }

// imageCacheReady creates the KubeFledged of the samples and waits for it.
func (w *world) imageCacheReady(version string) {
	w.Helper()
	w.step("KubeFledged Ready", func() {
		w.kubectl("apply", "--server-side", "-f", samplePath("charts_v1alpha2_kubefledged.yaml"))
		w.ready(version)
	})
}

// ready waits until the KubeFledged is Ready at its generation, nothing is left
// to do, and the controller is that of the version.
func (w *world) ready(version string) {
	w.Helper()
	w.poll("KubeFledged is Ready", readyLimit, func(ctx context.Context) (bool, string) {
		output, err := cluster.Kubectl(ctx, "get", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "-o",
			`jsonpath={.metadata.generation} {.status.observedGeneration}{range .status.conditions[*]} {.type}={.status} {.message};{end}`)
		if err != nil {
			return false, err.Error()
		}
		image, err := controllerImage(ctx)
		if err != nil {
			return false, output + "; " + err.Error()
		}
		words := strings.Fields(output)
		return len(words) > 2 && words[0] == words[1] && strings.Contains(output, "Ready=True") &&
			strings.Contains(output, "Progressing=False") && image == releases[version].Images["CONTROLLER_IMG"], output + "; " + image
	})
}

func controllerImage(ctx context.Context) (string, error) {
	var deployment appsv1.Deployment
	err := cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: lab.ControllerName}, &deployment)
	if err != nil {
		return "", err
	}
	return deployment.Spec.Template.Spec.Containers[0].Image, nil
}

// tutorial creates the tutorial's ImageCache and waits for its images.
func (w *world) tutorial() {
	w.Helper()
	w.step("ImageCache of the tutorial Succeeded", func() {
		w.kubectl("apply", "--server-side", "-f", samplePath("kubefledged_v1alpha2_imagecache.yaml"))
		w.poll("imagecache1 succeeds", 2*time.Minute, func(ctx context.Context) (bool, string) {
			var cache v1alpha2.ImageCache
			if err := cluster.API.Get(ctx, client.ObjectKey{Namespace: lab.Namespace, Name: "imagecache1"}, &cache); err != nil {
				return false, err.Error()
			}
			s := cache.Status
			return s.Status == v1alpha2.ImageCacheActionStatusSucceeded, fmt.Sprintf("%s %s %s %v", s.Status, s.Progress, s.Message, s.Failures)
		})
	})
	w.holds()
}

// holds checks that the nodes' runtimes list the tutorial's images.
func (w *world) holds() {
	w.Helper()
	for node, images := range map[string][]string{plainNode: {nginx, tomcat}, backendNode: tutorialImages} {
		runtime, err := cluster.Runtime(w.ctx, node)
		w.check(err)
		missing, err := runtime.Missing(w.ctx, images...)
		w.check(err)
		if len(missing) > 0 {
			w.Errorf("%s lacks %v", node, missing)
		}
	}
}

// removeImageCache is the first half of the way out, in the right order.
func (w *world) removeImageCache() {
	w.Helper()
	w.kubectl("delete", "imagecaches", "--all", "-A", "--timeout=1m")
	w.kubectl("delete", "kubefledgeds", "--all", "-A", "--timeout=2m")
}

// removeOperator is the second one: what OLM installed, and what it leaves.
func (w *world) removeOperator() {
	w.Helper()
	w.kubectl("delete", "subscriptions.operators.coreos.com,clusterserviceversions", "--all", "-n", operatorNamespace, "--timeout=1m")
	w.kubectl("delete", "namespace", operatorNamespace, lab.Namespace, "--timeout=2m")
	w.kubectl("delete", "crd", "kubefledgeds.charts.helm.kubefledged.io", "imagecaches.kubefledged.io", "nodecaches.kubefledged.io", "--timeout=1m")
	w.kubectl("delete", "operators.operators.coreos.com", "kubefledged-operator."+operatorNamespace, "--ignore-not-found")
}

func (w *world) removeCatalog() {
	w.Helper()
	w.kubectl("delete", "catalogsources", "kubefledged", "-n", "olm", "--ignore-not-found")
}

// onlyOLM waits until there is nothing but what there was before.
func (w *world) onlyOLM() {
	w.Helper()
	took, err := cluster.AwaitOnly(w.ctx, empty)
	w.check(err)
	w.Logf("no objects left after %.1fs more", took.Seconds())
}

// nothing clears up after a scenario that failed.
func (w *world) nothing() {
	w.Helper()
	now, err := cluster.Objects(w.ctx)
	w.check(err)
	if len(lab.Without(now, empty)) == 0 {
		return
	}
	failures := clearUp(w.ctx)
	if _, err := cluster.AwaitOnly(w.ctx, empty); err != nil {
		w.Fatalf("%v\n%v", err, failures)
	}
}

// clearUp removes whatever a scenario may have left, with force. Most of it is
// not there, so errors say little.
func clearUp(ctx context.Context) error {
	var failures []error
	for _, args := range [][]string{
		{"delete", "subscriptions.operators.coreos.com,clusterserviceversions,operatorgroups", "--all", "-n", operatorNamespace, "--timeout=1m"},
		{"delete", "catalogsources", "--all", "-A"},
		{"delete", "imagecaches", "--all", "-A", "--timeout=30s"},
		{"patch", "-n", lab.Namespace, "kubefledged/kubefledged", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`},
		{"delete", "kubefledgeds", "--all", "-A", "--timeout=30s"},
		{"delete", "namespace", "--ignore-not-found", operatorNamespace, lab.Namespace, lab.Namespace + "-node", "--timeout=2m"},
		{"delete", "clusterroles,clusterrolebindings,priorityclasses,validatingwebhookconfigurations", "-l", "app=kubefledged"},
		{"delete", "nodecaches", "--all"},
		{"delete", "crd", "--ignore-not-found", "kubefledgeds.charts.helm.kubefledged.io", "imagecaches.kubefledged.io", "nodecaches.kubefledged.io", "--timeout=1m"},
		{"delete", "operators.operators.coreos.com", "--all"},
	} {
		_, err := cluster.Kubectl(ctx, args...)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// gone tells whether there is no such object.
func gone(ctx context.Context, apiVersion, kind, namespace, name string) bool {
	var object unstructured.Unstructured
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	return apierrors.IsNotFound(cluster.API.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &object))
}
