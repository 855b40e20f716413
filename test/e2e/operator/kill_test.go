//go:build e2e

package operator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// An operator that is killed while Helm installs leaves a release that Helm
// itself would not touch any more. The next operator goes on.
func TestKilledDuringInstall(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "kill -9 of the operators while they install, at several moments", "the next ones go on by themselves; one release that is deployed, none pending")
	w.make("deploy")
	for _, when := range w.moments("pending-install", 2*time.Second) {
		w.make("delete-kubefledgeds")
		w.freshOperators()
		began := time.Now()
		w.killAt(when, func() {
			if _, err := w.cluster.Kubectl(w.ctx, "apply", "--server-side", "-f", w.sample("charts_v1alpha2_kubefledged.yaml")); err != nil {
				w.Error(err)
			}
		})
		w.ready()
		w.recovered(when, time.Since(began))
		w.runs(3)
		w.refuses()
	}
}

// The same in an upgrade, here because values have changed.
func TestKilledDuringUpgrade(t *testing.T) {
	fullOnly(t)
	w := newWorld(t, busy, "kill -9 of the operators while they upgrade, at several moments", "as above, and the new value is in force")
	w.make("deploy-using-operator")
	w.ready()
	w.Cleanup(func() { w.value("100") })
	for i, when := range w.moments("pending-upgrade", 1500*time.Millisecond) {
		w.freshOperators()
		value := strconv.Itoa(71 + i)
		began := time.Now()
		w.killAt(when, func() { w.value(value) })
		w.ready()
		w.recovered(when, time.Since(began))
		if has := w.containers(lab.ControllerName); !strings.Contains(has, "="+value) {
			w.Errorf("the controller runs with %s, want the value %s", has, value)
		}
		w.refuses()
	}
}

// moment is when the operators are killed: when a record of the release has that
// status, or so long after the action that makes them work.
type moment struct {
	status string
	after  time.Duration
}

func (m moment) String() string {
	if m.status != "" {
		return "when the release was " + m.status
	}
	return fmt.Sprintf("after %.2f s", m.after.Seconds())
}

// moments are that status, and three random ones within the time that the work
// may take: before it, in it, after it.
func (w *world) moments(status string, within time.Duration) []moment {
	all := []moment{{status: status}}
	for range 3 {
		all = append(all, moment{after: time.Duration(rand.Int64N(int64(within)))})
	}
	return all
}

// freshOperators replaces the operators' pods, as a kubelet waits ever longer
// before it starts again what ends often.
func (w *world) freshOperators() {
	w.Helper()
	w.kubectl("delete", "pods", "--all", "-n", operatorNamespace, "--timeout=1m")
	w.kubectl("rollout", "status", "deployment/kubefledged-operator", "-n", operatorNamespace, "--timeout=1m")
	w.poll("an operator leads", time.Minute, func(ctx context.Context) (bool, string) {
		holder, err := w.cluster.Kubectl(ctx, "get", "lease", "-n", operatorNamespace, "-o", "jsonpath={.items[*].spec.holderIdentity}")
		if err != nil {
			return false, err.Error()
		}
		pod, _, _ := strings.Cut(holder, "_")
		_, err = w.cluster.Kubectl(ctx, "get", "pod", pod, "-n", operatorNamespace)
		return pod != "" && err == nil, holder
	})
}

// value changes one of the values.
func (w *world) value(jobsMaxSurge string) {
	w.Helper()
	if _, err := w.cluster.Kubectl(w.background(), "patch", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--type=merge",
		"-p", fmt.Sprintf(`{"spec":{"args":{"controllerJobsMaxSurge":%s}}}`, jobsMaxSurge)); err != nil {
		w.Error(err)
	}
}

// killAt kills the operators at a moment of an action.
func (w *world) killAt(when moment, act func()) {
	w.Helper()
	watch, err := w.cluster.API.Watch(w.ctx, &corev1.SecretList{}, client.InNamespace(lab.Namespace),
		client.MatchingLabels{"owner": "helm", "status": when.status})
	w.check(err)
	defer watch.Stop()
	victims := w.operators()
	done := make(chan struct{})
	go func() { defer close(done); act() }()
	limit := time.After(time.Minute)
	if when.status == "" {
		<-done
		limit = time.After(when.after)
	}
	select {
	case <-watch.ResultChan():
	case <-limit:
		if when.status != "" {
			w.Fatalf("no record of the release was %s", when.status)
		}
	}
	for _, pid := range victims {
		w.check(syscall.Kill(pid, syscall.SIGKILL))
	}
	<-done
	w.Logf("killed %d operators %s; the records are %v", len(victims), when, w.statuses())
}

// operators returns the processes of this cluster's operators.
func (w *world) operators() (pids []int) {
	w.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*")
	w.check(err)
	for _, entry := range entries {
		command, _ := os.ReadFile(filepath.Join(entry, "cmdline")) // gone meanwhile
		cgroup, _ := os.ReadFile(filepath.Join(entry, "cgroup"))
		if !strings.HasPrefix(string(command), "/kubefledged-operator\x00") || !strings.Contains(string(cgroup), w.cluster.Prefix) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(entry))
		w.check(err)
		pids = append(pids, pid)
	}
	if len(pids) == 0 {
		w.Fatal("no operator runs")
	}
	return pids
}

// recovered checks that Helm is content with the release again.
func (w *world) recovered(when moment, took time.Duration) {
	w.Helper()
	statuses := w.statuses()
	w.saw("killed %s: Ready again after %.1f s", when, took.Seconds())
	if all := strings.Join(statuses, " "); strings.Contains(all, "pending") || strings.Count(all, "deployed") != 1 {
		w.Errorf("records %v, want one that is deployed and none that is pending", statuses)
	}
	w.Log(w.kubectl("get", "events", "-n", lab.Namespace, "--field-selector=involvedObject.kind=KubeFledged",
		"-o", `jsonpath={range .items[*]}{.reason}: {.message}{"\n"}{end}`))
}
