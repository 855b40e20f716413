//go:build e2e

package operator

import (
	"fmt"
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
	w := newWorld(t)
	w.make("deploy", oldTag)
	w.make("delete-kubefledgeds", oldTag)
	began := time.Now()
	w.killAt("pending-install", func() {
		w.kubectl("apply", "--server-side", "-f", samplePath("charts_v1alpha2_kubefledged.yaml"))
	})
	w.ready()
	w.recovered(time.Since(began))
	w.runs(3)
	w.refuses()
}

// The same in an upgrade, here because a value has changed.
func TestKilledDuringUpgrade(t *testing.T) {
	w := newWorld(t)
	w.make("deploy-using-operator", oldTag)
	w.ready()
	w.Cleanup(func() { w.value("100") })
	began := time.Now()
	w.killAt("pending-upgrade", func() { w.value("77") })
	w.ready()
	w.recovered(time.Since(began))
	if has := w.containers(lab.ControllerName); !strings.Contains(has, "=77") {
		w.Errorf("the controller runs with %s", has)
	}
	w.refuses()
}

// value changes one of the values.
func (w *world) value(jobsMaxSurge string) {
	w.Helper()
	if _, err := cluster.Kubectl(w.background(), "patch", "kubefledgeds", "kubefledged", "-n", lab.Namespace, "--type=merge",
		"-p", fmt.Sprintf(`{"spec":{"args":{"controllerJobsMaxSurge":%s}}}`, jobsMaxSurge)); err != nil {
		w.Error(err)
	}
}

// killAt kills the operators as soon as a record of the release has that
// status after an action.
func (w *world) killAt(status string, act func()) {
	w.Helper()
	watch, err := cluster.API.Watch(w.ctx, &corev1.SecretList{}, client.InNamespace(lab.Namespace),
		client.MatchingLabels{"owner": "helm", "status": status})
	w.check(err)
	defer watch.Stop()
	victims := w.operators()
	go act()
	select {
	case <-watch.ResultChan():
	case <-time.After(time.Minute):
		w.Fatalf("no record of the release was %s", status)
	}
	for _, pid := range victims {
		w.check(syscall.Kill(pid, syscall.SIGKILL))
	}
	w.Logf("killed %d operators; the records are %v", len(victims), w.statuses())
}

// operators returns the processes of this cluster's operators.
func (w *world) operators() (pids []int) {
	w.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*")
	w.check(err)
	for _, entry := range entries {
		command, _ := os.ReadFile(filepath.Join(entry, "cmdline")) // gone meanwhile
		cgroup, _ := os.ReadFile(filepath.Join(entry, "cgroup"))
		if !strings.HasPrefix(string(command), "/kubefledged-operator\x00") || !strings.Contains(string(cgroup), cluster.Prefix) {
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
func (w *world) recovered(took time.Duration) {
	w.Helper()
	statuses := w.statuses()
	w.Logf("Ready again after %.1fs; the records are %v", took.Seconds(), statuses)
	if all := strings.Join(statuses, " "); strings.Contains(all, "pending") || strings.Count(all, "deployed") != 1 {
		w.Errorf("records %v, want one that is deployed and none that is pending", statuses)
	}
	w.Log(w.kubectl("get", "events", "-n", lab.Namespace, "--field-selector=involvedObject.kind=KubeFledged",
		"-o", `jsonpath={range .items[*]}{.reason}: {.message}{"\n"}{end}`))
}
