package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// runOn starts a pod of an image on a node.
func (p program) runOn(node, name, image string) {
	p.t.Helper()
	overrides := fmt.Sprintf(`{"spec":{"nodeName":%q,"terminationGracePeriodSeconds":1}}`, node)
	p.run("kubectl run "+name+" --image="+image+" --overrides", overrides)
}

// controlPlaneKilled kills etcd, and then the API server, while an image is
// being pulled, and expects its pod to run when they are back.
func controlPlaneKilled(p program) {
	admin := "http://" + p.run("path registry-admin")
	p.send(http.MethodPut, admin+"/rules", `[{"repository":"e2e/mid-*","kind":"blobs","bytesPerSecond":4000000}]`)
	for _, component := range []string{"etcd", "kube-apiserver"} {
		name := "mid-" + component
		image := "quay.io/e2e/" + name + ":1"
		p.run("images push " + image + " --size 20MB")
		p.runOn("worker1", name, image)
		p.eventually("Pulling", "kubectl get events --field-selector reason=Pulling,involvedObject.name="+name+" -o", "jsonpath={.items[*].reason}")
		p.run("kill " + component)
		if _, err := p.try("kubectl get --raw /readyz --request-timeout=2s"); err == nil {
			p.t.Errorf("the API server is ready without %s", component)
		}
		p.run("start " + component)
		p.run("up --nodes 0") // Waits for those that need it, too.
		p.run("status")
		p.run("kubectl wait --for=condition=Ready pod " + name + " --timeout=60s")
	}
	p.send(http.MethodPut, admin+"/rules", `[]`)
}

// wiped takes everything from a runtime with pods.
func wiped(p program) {
	const uid = "jsonpath={.metadata.uid}"
	before := p.run("kubectl get node worker2 -o", uid)
	const id = "jsonpath={.status.containerStatuses[0].containerID}"
	container := p.run("kubectl get pod web-worker2 -o", id)
	p.run("stop kubelet/worker2") // It would pull again at once.
	p.run("node wipe worker2")
	for _, list := range []string{"images ls -q", "containers ls -q", "content ls -q", "snapshots ls"} {
		output := p.run("exec --node worker2 -- ctr -n k8s.io " + list)
		if strings.Contains(output, "sha256") || strings.Contains(output, "quay.io") {
			p.t.Errorf("ctr %s on a wiped node:\n%s", list, output)
		}
	}
	p.run("start kubelet/worker2")
	renewed := func(output string) bool {
		return strings.HasPrefix(output, "true containerd://") && !strings.HasSuffix(output, container)
	}
	p.until("another container", renewed, "kubectl get pod web-worker2 -o",
		"jsonpath={.status.containerStatuses[0].ready} {.status.containerStatuses[0].containerID}")
	if after := p.run("kubectl get node worker2 -o", uid); after != before {
		p.t.Errorf("the Node was %s and is %s", before, after)
	}
	if socket := p.run("kubectl get node worker2 -o", `jsonpath={.metadata.annotations.kubeadm\.alpha\.kubernetes\.io/cri-socket}`); socket != "unix:///run/containerd/containerd.sock" {
		p.t.Errorf("the runtime's socket is at %q", socket)
	}
}

// fullDisk meets first the error of a disk that is full, then, with a threshold
// for evictions, a kubelet that sees it coming.
func fullDisk(p program) {
	overrides := filepath.Join(p.t.TempDir(), "kubelet.yaml")
	if err := os.WriteFile(overrides, []byte("evictionHard: {imagefs.available: 50%}\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.run("node add small --image-disk 100Mi --kubelet-config " + overrides)
	p.run("images push quay.io/e2e/large:1 --size 200MB")
	p.runOn("small", "large", "quay.io/e2e/large:1")
	p.eventuallyHas("no space left on device",
		"kubectl get events --field-selector reason=Failed,involvedObject.name=large -o", "jsonpath={.items[*].message}")
	p.run("kubectl delete pod large --wait")

	p.run("images push quay.io/e2e/half:1 --size 30MB")
	p.runOn("small", "half", "quay.io/e2e/half:1")
	p.eventually("True", "kubectl get node small -o", `jsonpath={.status.conditions[?(@.type=="DiskPressure")].status}`)
	p.run("node remove small")
}
