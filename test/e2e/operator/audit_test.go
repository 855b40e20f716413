//go:build e2e

package operator

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// write is a line of the API server's audit log: somebody created, changed or
// deleted something.
type write struct {
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Verb   string    `json:"verb"`
	URI    string    `json:"requestURI"`
	At     time.Time `json:"requestReceivedTimestamp"`
	Object struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
}

func (e write) String() string {
	return fmt.Sprintf("%s %s %s of %s/%s by %s", e.At.Format(time.TimeOnly), e.Verb,
		strings.TrimSuffix(e.Object.Resource+"/"+e.Object.Subresource, "/"), e.Object.Namespace, e.Object.Name, e.User.Username)
}

// isLease tells the renewal of a leader's lease, which never ends.
func (e write) isLease() bool { return e.Object.Resource == "leases" && e.Verb == "update" }

// by tells whether a service account of that namespace wrote.
func (e write) by(namespace string) bool {
	return strings.HasPrefix(e.User.Username, "system:serviceaccount:"+namespace+":")
}

// writes returns what the service accounts of a namespace wrote in that time, and
// how often they renewed a lease meanwhile.
func (w *world) writes(namespace string, from, to time.Time) (others []write, leases int) {
	w.Helper()
	path, err := w.cluster.Run(w.ctx, "path", "audit-log")
	w.check(err)
	file, err := os.Open(path)
	w.check(err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e write
		w.check(json.Unmarshal(lines.Bytes(), &e))
		switch {
		case !e.by(namespace) || e.At.Before(from) || e.At.After(to):
		case e.isLease():
			leases++
		default:
			others = append(others, e)
		}
	}
	w.check(lines.Err())
	return others, leases
}

// nudge has the operator look at everything again, until the context ends: an
// annotation that means nothing changes on the KubeFledged and on what it
// installed. It does in minutes what periods of hours would. A Deployment is left
// alone: other annotations are a new generation to Kubernetes, which begins to roll.
func (w *world) nudge(ctx context.Context, period time.Duration) (times int) {
	objects := map[string]schema.GroupVersionKind{
		"kubefledged":      v1alpha2.GroupVersion.WithKind(v1alpha2.KindKubeFledged),
		lab.ControllerName: corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		webhookName:        corev1.SchemeGroupVersion.WithKind("Service"),
	}
	for {
		select {
		case <-ctx.Done():
			return times
		case <-time.After(period):
		}
		for name, kind := range objects {
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(kind)
			object.SetNamespace(lab.Namespace)
			object.SetName(name)
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/nudge":"%d"}}}`, times)
			if err := w.cluster.API.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil && ctx.Err() == nil {
				w.Error(err)
			}
		}
		times++
	}
}

// falters counts until it is ended how often a Deployment of ours lost pods or
// got them back, which an operator has to tell: whoever measures its rest must
// know. On a machine that is very busy, probes time out.
func (w *world) falters() (end func() int) {
	w.Helper()
	watch, err := w.cluster.API.Watch(w.background(), &appsv1.DeploymentList{}, client.InNamespace(lab.Namespace))
	w.check(err)
	counted := make(chan int, 1)
	go func() {
		available, times := map[string]int32{}, 0
		for event := range watch.ResultChan() {
			deployment, ok := event.Object.(*appsv1.Deployment)
			if !ok {
				continue
			}
			before, known := available[deployment.Name]
			if now := deployment.Status.AvailableReplicas; known && now != before {
				times++
			}
			available[deployment.Name] = deployment.Status.AvailableReplicas
		}
		counted <- times
	}()
	return func() int {
		watch.Stop()
		return <-counted
	}
}
