package controllers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

const helperForTests = "registry.example.com/kubefledged-cri-client:v1"

func valid() Options {
	o := DefaultOptions()
	o.HelperImage = helperForTests
	return o
}

// parse returns the options that a command line gives.
func parse(t *testing.T, args ...string) (Options, error) {
	t.Helper()
	o := valid()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	err := fs.Parse(DoubleDashes(args, fs))
	if err == nil {
		err = o.Validate()
	}
	return o, err
}

func TestDefaultsAreTheOriginals(t *testing.T) {
	o := valid()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	for flag, want := range map[string]string{
		"image-pull-deadline-duration":  "5m0s",
		"image-cache-refresh-frequency": "15m0s",
		"image-pull-policy":             "IfNotPresent",
		"service-account-name":          "",
		"image-delete-job-host-network": "false",
		"job-priority-class-name":       "",
		"job-retention-policy":          "delete",
		"cri-socket-path":               "",
		"jobs-max-surge":                "0",
		"kubeconfig":                    "",
		"master":                        "",
	} {
		if got := fs.Lookup(flag); got == nil || got.DefValue != want {
			t.Errorf("--%s: got %v, want default %q", flag, got, want)
		}
	}
	if err := o.Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

// TestValues holds, for every flag, values that are taken and values that are
// refused with an error that names the flag.
func TestValues(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := map[string]struct{ good, bad []string }{
		"image-pull-deadline-duration":  {good: []string{"1s", "5m", "2h"}, bad: []string{"0", "999ms", "-5m", "5", "soon"}},
		"image-cache-refresh-frequency": {good: []string{"0", "0s", "10s", "15m"}, bad: []string{"9s", "-1m", "15"}},
		"image-pull-policy":             {good: []string{"IfNotPresent", "Always"}, bad: []string{"", "Never", "always"}},
		"verify-interval":               {good: []string{"0s", "1m", "24h"}, bad: []string{"59s", "-1h"}},
		"pull-method":                   {good: []string{"auto", "image-volume", "exec"}, bad: []string{"", "ssh"}},
		"images-per-job":                {good: []string{"auto", "1", "50"}, bad: []string{"", "0", "51", "-1", "12abc"}},
		"removal":                       {good: []string{"true", "false"}, bad: []string{"maybe"}},
		"removal-namespace":             {good: []string{"images", ""}, bad: []string{"a.b", "Upper", "-a", long}},
		"image-delete-job-host-network": {good: []string{"true", "false"}, bad: []string{"2"}},
		"cri-socket-path": {
			good: []string{"", "/run/k3s/containerd/containerd.sock", "unix:///run/crio/crio.sock"},
			bad: []string{"run/a.sock", "unix://run/a.sock", "tcp://1.2.3.4:5", "/", "/run/../etc", "/run//a", "unix://",
				"npipe:////./pipe/containerd", "/" + strings.Repeat("a", 107)},
		},
		"unselected-grace":          {good: []string{"0s", "10m"}, bad: []string{"-1s"}},
		"jobs-max-surge":            {good: []string{"0", "100"}, bad: []string{"-1", "many"}},
		"jobs-per-registry":         {good: []string{"0", "5"}, bad: []string{"-1"}},
		"pulls-per-node":            {good: []string{"1", "10"}, bad: []string{"0", "11", "-1"}},
		"workers":                   {good: []string{"1", "64"}, bad: []string{"0", "-1"}},
		"helper-image":              {good: []string{"registry:5000/helper:1"}, bad: []string{"", "$(reboot)", "Upper"}},
		"helper-image-pull-policy":  {good: []string{"IfNotPresent", "Always", "Never"}, bad: []string{"Sometimes", ""}},
		"helper-image-pull-secrets": {good: []string{"a,b.c"}, bad: []string{"a b", "a,_", "Upper"}},
		"service-account-name":      {good: []string{"", "puller", "a.b"}, bad: []string{"a b", "Upper", "a/b"}},
		"job-priority-class-name":   {good: []string{"", "low", "system-node-critical"}, bad: []string{"a b", "-low"}},
		"pod-labels": {
			good: []string{"a=b", "example.com/a=", "a=b,c=d"},
			bad: []string{"a", "=b", "a b=c", "a=b c", "Example.com/a=b", "a=" + long, "app=mine", "imagecache=x",
				"batch.kubernetes.io/job-name=x", "controller-uid=x", "kubefledged.io/node=x"},
		},
		"pod-annotations": {
			good: []string{"sidecar.istio.io/inject=false", "a=any text", "Example.com/a=b", "app=x"},
			bad:  []string{"a", "=b", "a b=c", "a/b/c=d", "kubefledged.io/sequence=1"},
		},
		"job-retention-policy":      {good: []string{"delete", "retain"}, bad: []string{"", "keep", "Retain"}},
		"job-retention-ttl":         {good: []string{"1m", "24h", "8760h"}, bad: []string{"59s", "0s", "-1h", "100000h"}},
		"namespace":                 {good: []string{"kube-fledged"}, bad: []string{"", "a.b", "Upper"}},
		"leader-elect":              {good: []string{"true", "false"}, bad: []string{"no way"}},
		"pprof-bind-address":        {good: []string{"0", ":6060", "127.0.0.1:0", "0.0.0.0:6060"}, bad: []string{"", "6060", ":x", "::1:80"}},
		"metrics-bind-address":      {good: []string{"0", ":8080", "127.0.0.1:0", "[::1]:8080"}, bad: []string{"", "8080", ":x", ":70000", "::1:80"}},
		"health-probe-bind-address": {good: []string{"0", ":8081"}, bad: []string{"", "8081"}},
		"kubeconfig":                {good: []string{"", "/root/.kube/config"}},
		"master":                    {good: []string{"", "https://10.0.0.1:6443", "http://localhost:8080"}, bad: []string{"10.0.0.1:6443", "ftp://a", "https://", "%"}},
	}
	for flag, test := range tests {
		for _, value := range test.good {
			if _, err := parse(t, "--"+flag+"="+value); err != nil {
				t.Errorf("--%s=%q is refused: %v", flag, value, err)
			}
		}
		for _, value := range test.bad {
			_, err := parse(t, "--"+flag+"="+value)
			if err == nil || !strings.Contains(err.Error(), "--"+flag) {
				t.Errorf("--%s=%q: want an error with the flag's name, got %v", flag, value, err)
			}
		}
	}
	o, fs := valid(), pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		if _, tested := tests[f.Name]; !tested {
			t.Errorf("no test of --%s", f.Name)
		}
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for args, want := range map[string]string{
		"--image-pull-policy=Never":    `--image-pull-policy: "Never": must be IfNotPresent or Always`,
		"--job-retention-policy=x":     `--job-retention-policy: "x": must be delete or retain`,
		"--pulls-per-node=0":           "--pulls-per-node: 0: must be a number from 1 to 10",
		"--verify-interval=1s":         "--verify-interval: 1s is too short: must be 0s (off) or at least 1m0s",
		"--pod-labels=app=x":           `--pod-labels: the label "app" is set by the controller itself: choose another key`,
		"--namespace=" + x(60, "n"):    `--removal-namespace: "` + x(60, "n") + `-node": must be no more than 63 characters`,
		"--cri-socket-path=containerd": `--cri-socket-path: "containerd": must be the absolute path of the runtime's socket on the nodes, for example /run/k3s/containerd/containerd.sock or unix:///run/containerd/containerd.sock`,
	} {
		if _, err := parse(t, args); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", args, err, want)
		}
	}
}

func x(n int, s string) string { return strings.Repeat(s, n) }

func TestValidateTellsAllErrors(t *testing.T) {
	if _, err := parse(t, "--jobs-max-surge=-1", "--pull-method=ssh", "--workers=0"); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three lines, got %v", err)
	}
}

func TestImagesPerJob(t *testing.T) {
	for value, want := range map[string]int{"auto": 0, "1": 1, "50": 50} {
		if got, err := imagesPerJob(value); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", value, got, err, want)
		}
	}
}

// Users of glog and of the original write one dash or two.
func TestOneDashOrTwo(t *testing.T) {
	for _, args := range [][]string{
		{"-image-pull-policy=Always", "-jobs-max-surge", "7", "-leader-elect=false"},
		{"--image-pull-policy", "Always", "--jobs-max-surge=7", "--leader-elect=false"},
	} {
		o, err := parse(t, args...)
		if err != nil || o.ImagePullPolicy != "Always" || o.JobsMaxSurge != 7 || o.LeaderElect {
			t.Errorf("%q: got %+v, %v", args, o, err)
		}
	}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddLoggingFlags(fs)
	in := []string{"-v", "2", "-v=2", "-v2", "-unknown", "-", "--", "-stderrthreshold"}
	if got := DoubleDashes(in, fs); !slices.Equal(got, in) {
		t.Errorf("%q became %q", in, got)
	}
}

func TestOwnNamespace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namespace")
	t.Setenv(envNamespace, "")
	if got := ownNamespace(file); got != "kube-fledged" {
		t.Errorf("got %q, want the original's default", got)
	}
	if err := os.WriteFile(file, []byte("of-the-pod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ownNamespace(file); got != "of-the-pod" {
		t.Errorf("got %q, want the pod's", got)
	}
	t.Setenv(envNamespace, "of-the-environment")
	if got := ownNamespace(file); got != "of-the-environment" {
		t.Errorf("got %q, want the environment's", got)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv(envHelperImage, "registry.example.com/helper:7")
	if got := DefaultOptions().HelperImage; got != "registry.example.com/helper:7" {
		t.Errorf("%s: got %q", envHelperImage, got)
	}
	t.Setenv(envBusybox, "")
	if got := ignoredEnvironment(); got != nil {
		t.Errorf("nothing is set, but ignored: %q", got)
	}
	t.Setenv(envBusybox, "senthilrch/busybox:1.35.0")
	if got := ignoredEnvironment(); len(got) != 1 || !strings.Contains(got[0], envBusybox) {
		t.Errorf("%s is not said to be ignored: %q", envBusybox, got)
	}
}

func TestDefaultsOfOurFlags(t *testing.T) {
	o := valid()
	if !o.Removal || o.VerifyInterval != 24*time.Hour || o.UnselectedGrace != 10*time.Minute ||
		o.PullsPerNode != 1 || o.JobsPerRegistry != 0 || o.JobRetentionTTL != 24*time.Hour {
		t.Errorf("got %+v", o)
	}
}
