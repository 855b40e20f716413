package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/test/cluster/cgroups"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// program runs localcluster, built once, on a cluster of the test's own.
type program struct {
	t    *testing.T
	path string
	name string
}

func newProgram(t *testing.T) program {
	t.Helper()
	if os.Getenv("LOCALCLUSTER_E2E") == "" {
		t.Skip("starts a cluster: set LOCALCLUSTER_E2E=1, as root")
	}
	path := filepath.Join(t.TempDir(), "localcluster")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, output)
	}
	return program{t, path, "e2e-" + strconv.Itoa(os.Getpid())}
}

// try runs a command and returns its standard output without the last line end.
func (p program) try(command string, args ...string) (string, error) {
	words := append(strings.Fields(command), args...)
	if words[0] == "kubectl" {
		words = append([]string{"kubectl", "--name", p.name}, words[1:]...)
	} else {
		words = append(words[:1:1], append([]string{"--name", p.name}, words[1:]...)...)
	}
	var output, errors bytes.Buffer
	process := exec.Command(p.path, words...)
	process.Stdout, process.Stderr = &output, &errors
	if err := process.Run(); err != nil {
		return output.String(), fmt.Errorf("localcluster %s: %w\n%s%s", strings.Join(words, " "), err, output.String(), errors.String())
	}
	return strings.TrimSpace(output.String()), nil
}

func (p program) run(command string, args ...string) string {
	p.t.Helper()
	output, err := p.try(command, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return output
}

// eventually repeats a command until its output is as wanted.
func (p program) eventually(want, command string, args ...string) {
	p.t.Helper()
	p.until(want, func(output string) bool { return output == want }, command, args...)
}

// eventuallyHas repeats a command until its output has such a part.
func (p program) eventuallyHas(part, command string, args ...string) {
	p.t.Helper()
	p.until(part, func(output string) bool { return strings.Contains(output, part) }, command, args...)
}

func (p program) until(want string, satisfied func(string) bool, command string, args ...string) {
	p.t.Helper()
	var output string
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if output, err = p.try(command, args...); err == nil && satisfied(output) {
			return
		}
	}
	p.t.Fatalf("%s: %q, want %q (%v)", command, output, want, err)
}

func TestUpDown(t *testing.T) {
	p := newProgram(t)
	t.Cleanup(func() { _, _ = p.try("down") })
	p.run("up --nodes 2 --node-labels worker2=disk=ssd,topology.kubernetes.io/zone=z1")
	state := p.run("path state")
	p.eventually("z1 ssd", "kubectl get node worker2 -o", `jsonpath={.metadata.labels.topology\.kubernetes\.io/zone} {.metadata.labels.disk}`)

	p.startPods()
	t.Run("pods reach each other", p.in(reachability))
	t.Run("anonymous requests are refused", p.in(anonymous))
	t.Run("up again changes nothing", p.in(upAgain))
	t.Run("nodes come and go", p.in(nodes))
	t.Run("components come back", p.in(faults))
	t.Run("images", p.in(pulls))
	t.Run("pulls go on without the control plane", p.in(controlPlaneKilled))
	t.Run("runtimes are wiped", p.in(wiped))
	t.Run("disks are full", p.in(fullDisk))

	processes, err := cgroups.Processes("/" + network.NamesFor(state).Prefix)
	if err != nil || len(processes) < 15 {
		t.Errorf("%d processes in the cluster's cgroup (%v)", len(processes), err)
	}
	p.run("down")
	checkNothingLeft(t, state, processes)
	p.run("down") // Of nothing is no error.
}

// in makes a part of the test from a function.
func (p program) in(part func(program)) func(*testing.T) {
	return func(t *testing.T) {
		inner := p
		inner.t = t
		part(inner)
	}
}

// startPods starts one web server on each node, behind a Service.
func (p program) startPods() {
	p.t.Helper()
	p.run("images push quay.io/e2e/web:1 --size 1MB --command", "toolbox serve 8080")
	for _, node := range []string{"worker1", "worker2"} {
		overrides := fmt.Sprintf(`{"spec":{"nodeName":%q,"terminationGracePeriodSeconds":1}}`, node)
		p.run("kubectl run web-"+node+" --image=quay.io/e2e/web:1 --labels=app=web --overrides", overrides)
	}
	p.run("kubectl create service clusterip web --tcp=80:8080")
	p.run("kubectl wait --for=condition=Ready pod -l app=web --timeout=60s")
}

func reachability(p program) {
	other := p.run("kubectl get pod web-worker2 -o", "jsonpath={.status.podIP}")
	get := "kubectl exec web-worker1 -- /toolbox get http://"
	if name := p.run(get + other + ":8080"); name != "web-worker2" {
		p.t.Errorf("the pod on the other node is %q", name)
	}
	p.eventually("198.19.0.1", "kubectl exec web-worker1 -- /toolbox lookup kubernetes.default.svc.cluster.local")
	seen := map[string]bool{}
	for range 20 {
		seen[p.run(get+"web.default.svc.cluster.local")] = true
	}
	// Also the pod that asks: it reaches itself through the Service.
	if !seen["web-worker1"] || !seen["web-worker2"] {
		p.t.Errorf("the Service leads to %v", seen)
	}
	if logs := p.run("kubectl logs web-worker2"); logs != "serving on port 8080" {
		p.t.Errorf("logs %q", logs)
	}
	if from := p.run("exec -- curl -sf http://" + other + ":8080"); from != "web-worker2" {
		p.t.Errorf("from the control plane: %q", from)
	}
}

func anonymous(p program) {
	server := p.run("kubectl config view -o", "jsonpath={.clusters[0].cluster.server}")
	output, err := exec.CommandContext(p.t.Context(), "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", server+"/api").Output()
	if err != nil || string(output) != "401" {
		p.t.Errorf("status %s (%v)", output, err)
	}
}

func upAgain(p program) {
	before := p.run("status")
	started := time.Now()
	p.run("up --nodes 2")
	if elapsed := time.Since(started); elapsed > 5*time.Second {
		p.t.Errorf("took %s", elapsed)
	}
	if after := p.run("status"); after != before {
		p.t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func nodes(p program) {
	// As long as a node's name can be.
	long := strings.Repeat(strings.Repeat("n", 62)+".", 4) + "x"
	p.run("node add " + long + " --labels disk=hdd,topology.kubernetes.io/zone=z2 --taints only=me:NoSchedule")
	want := "me hdd z2"
	p.eventually(want, "kubectl get node "+long+" -o",
		`jsonpath={.spec.taints[0].value} {.metadata.labels.disk} {.metadata.labels.topology\.kubernetes\.io/zone}`)
	if images := p.run("exec --node " + long + " -- ctr -n k8s.io images ls -q"); images != "" {
		p.t.Errorf("a new node has images:\n%s", images)
	}
	p.run("node remove " + long)
	if names := p.run("kubectl get nodes -o", "jsonpath={.items[*].metadata.name}"); names != "worker1 worker2" {
		p.t.Errorf("nodes %s", names)
	}
}

func faults(p program) {
	p.run("kill kubelet/worker1")
	if output, err := p.try("status"); err == nil || !strings.Contains(output, "not running") {
		p.t.Errorf("status with a dead kubelet: %v\n%s", err, output)
	}
	p.run("start kubelet/worker1")
	p.run("kill kube-apiserver")
	p.run("kill sandbox/worker2")
	p.run("kill registry")
	p.run("up")
	p.run("status")
	p.eventually("Running Running", "kubectl get pod -l app=web -o", "jsonpath={.items[*].status.phase}")
	p.run("kubectl wait --for=condition=Ready pod -l app=web --timeout=60s")
	p.eventually("web-worker2", "kubectl exec web-worker2 -- /toolbox get http://localhost:8080")
}

// pulls checks that pulls by the kubelets' runtime are subject to the rules and
// in the access log.
func pulls(p program) {
	p.run("images push ghcr.io/e2e/slow:1 --size 2MB --layers 2")
	admin := "http://" + p.run("path registry-admin")
	p.send(http.MethodPut, admin+"/rules", `[{"repository":"e2e/slow","user":"u","password":"p"}]`)
	since := time.Now().UTC().Format(time.RFC3339Nano)
	if _, err := p.try("load ghcr.io/e2e/slow:1"); err == nil {
		p.t.Error("pulled without the password")
	}
	p.send(http.MethodPut, admin+"/rules", `[]`)
	p.run("load ghcr.io/e2e/slow:1")
	var entries []struct {
		Status int
		NS     string
	}
	if err := json.Unmarshal(p.send(http.MethodGet, admin+"/log?since="+since, ""), &entries); err != nil {
		p.t.Fatal(err)
	}
	statuses := map[int]int{}
	for _, entry := range entries {
		if entry.NS == "ghcr.io" {
			statuses[entry.Status]++
		}
	}
	if statuses[http.StatusUnauthorized] == 0 || statuses[http.StatusOK] < 8 {
		p.t.Errorf("answers in the log: %v", statuses)
	}
}

func (p program) send(method, url, body string) []byte {
	p.t.Helper()
	output, err := exec.CommandContext(p.t.Context(), "curl", "-sf", "-X", method, "-d", body, url).Output()
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, url, err)
	}
	return output
}

// checkNothingLeft looks for all that a cluster consists of.
func checkNothingLeft(t *testing.T, state string, processes []int) {
	t.Helper()
	for _, pid := range processes {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil && !strings.Contains(string(content), "State:\tZ") {
			t.Errorf("process %d is left:\n%s", pid, content)
		}
	}
	prefix := network.NamesFor(state).Prefix
	for _, pattern := range []string{"/run/netns/" + prefix + "*", "/sys/fs/cgroup/" + prefix, "/sys/fs/cgroup/*/" + prefix, state} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	tables, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if content, err := os.ReadFile(table); err == nil && (bytes.Contains(content, []byte(state)) || bytes.Contains(content, []byte(prefix))) {
			t.Errorf("mounts are left in %s", table)
		}
	}
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range environments {
		if content, err := os.ReadFile(environment); err == nil && bytes.Contains(content, []byte(state)) {
			t.Errorf("a process is left: %s", environment)
		}
	}
}
