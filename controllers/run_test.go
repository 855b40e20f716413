package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/kubefledged/kubefledged-operator/controllers/nodecache"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
)

// Each flag must arrive where it works.
func TestFlagsReachTheNodeLoop(t *testing.T) {
	o, err := parse(t, "--jobs-max-surge=7", "--jobs-per-registry=3", "--pulls-per-node=2", "--verify-interval=2h",
		"--unselected-grace=5m", "--removal=false", "--job-retention-policy=retain", "--job-retention-ttl=3h",
		"--cri-socket-path=unix:///run/k3s/containerd/containerd.sock", "--workers=4", "--namespace=fledged",
		"--image-delete-job-host-network", "--service-account-name=puller", "--job-priority-class-name=low",
		"--pod-labels=a=b", "--pod-annotations=c=d", "--helper-image-pull-policy=Always", "--helper-image-pull-secrets=s")
	if err != nil {
		t.Fatal(err)
	}
	want := nodecache.Options{
		ImagesPerJob: 9, JobsMaxSurge: 7, PullMethod: "exec", JobsPerRegistry: 3, PullsPerNode: 2,
		VerifyInterval: 2 * time.Hour, UnselectedGrace: 5 * time.Minute, RemovalDisabled: true, RetainJobs: true,
		CRISocket: "/run/k3s/containerd/containerd.sock", Workers: 4,
		Jobs: jobs.Options{
			HelperImage: helperForTests, HelperPullPolicy: corev1.PullAlways, HelperPullSecrets: []string{"s"},
			ServiceAccountName: "puller", PriorityClassName: "low",
			ExtraLabels: map[string]string{"a": "b"}, ExtraAnnotations: map[string]string{"c": "d"},
			RemovalNamespace: "fledged-node", RemovalHostNetwork: true, RetainFor: 3 * time.Hour,
		},
	}
	if diff := cmp.Diff(want, nodeOptions(o, "exec", 9)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFlagsReachTheImageCaches(t *testing.T) {
	o, err := parse(t, "--image-pull-policy=Always", "--image-pull-deadline-duration=7m", "--image-cache-refresh-frequency=0s", "--service-account-name=puller")
	if err != nil {
		t.Fatal(err)
	}
	want := observe.Defaults{PullPolicy: corev1.PullAlways, PullDeadline: 7 * time.Minute, ServiceAccount: "puller"}
	if got := cacheDefaults(o); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := cacheDefaults(valid()).RefreshInterval; got != 15*time.Minute {
		t.Errorf("refreshed every %s, want the original's 15m", got)
	}
}

func TestDeletedJobsAreNotRetained(t *testing.T) {
	o, err := parse(t, "--job-retention-ttl=3h", "--removal-namespace=images")
	if err != nil {
		t.Fatal(err)
	}
	got := nodeOptions(o, "", 0)
	if got.RetainJobs || got.Jobs.RetainFor != 0 || got.RemovalDisabled || got.Jobs.RemovalNamespace != "images" {
		t.Errorf("got %+v", got)
	}
}

// Profiles show what is in memory: nobody serves them without being told, and
// who names no host does not offer them to the network.
func TestProfilesAreNotOffered(t *testing.T) {
	for flag, want := range map[string]string{
		"": "", "--pprof-bind-address=0": "", "--pprof-bind-address=:6060": "127.0.0.1:6060",
		"--pprof-bind-address=[::1]:6060": "[::1]:6060", "--pprof-bind-address=0.0.0.0:6060": "0.0.0.0:6060",
	} {
		o, err := parse(t, strings.Fields(flag)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := managerOptions(o).PprofBindAddress; got != want {
			t.Errorf("%q: served at %q, want %q", flag, got, want)
		}
	}
}

// client-go's default of 5 requests a second must not come back by any way the
// API server is found.
func TestNoClientSideLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	content := `{apiVersion: v1, kind: Config, current-context: a,
  contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}],
  clusters: [{name: a, cluster: {server: "https://one.example:6443"}}]}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ master, kubeconfig, host string }{
		"kubeconfig":            {kubeconfig: file, host: "https://one.example:6443"},
		"master":                {master: "http://two.example:8080", host: "http://two.example:8080"},
		"master and kubeconfig": {master: "https://three.example", kubeconfig: file, host: "https://three.example"},
	} {
		rc, err := restConfig(test.master, test.kubeconfig)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := unthrottled(rc); got.QPS >= 0 || got.Host != test.host {
			t.Errorf("%s: QPS %v, host %s", name, got.QPS, got.Host)
		}
	}
	if _, err := restConfig("", filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("a kubeconfig that does not exist is accepted")
	}
}

func TestALimitThatIsSetStays(t *testing.T) {
	if got := unthrottled(&rest.Config{QPS: 20}); got.QPS != 20 {
		t.Errorf("QPS %v, want 20", got.QPS)
	}
	limiter := flowcontrol.NewFakeAlwaysRateLimiter()
	if got := unthrottled(&rest.Config{RateLimiter: limiter}); got.QPS != 0 || got.RateLimiter != limiter {
		t.Errorf("got %+v", got)
	}
}
