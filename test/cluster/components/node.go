package components

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// Names of the components that every node has, before "/NODE".
const (
	Sandbox    = "sandbox"
	Containerd = "containerd"
	Kubelet    = "kubelet"
	KubeProxy  = "kube-proxy"
)

// OnNode returns the name of the node's component.
func OnNode(component, node string) string { return component + "/" + node }

// Node returns the components of one node.
func (p Plan) Node(node Node) []Component {
	all := []Component{p.sandbox(node), p.containerd(node), p.kubelet(node), p.kubeProxy(node)}
	for i := range all {
		all[i].Namespace = p.Names.Node(node.Name)
		if i > 0 {
			all[i].Sandbox = OnNode(Sandbox, node.Name)
		}
	}
	return all
}

// sandbox holds the node's mount namespace. When all processes of the node are
// gone the kernel drops the namespace with every mount in it, so that none is
// ever left on the machine.
func (p Plan) sandbox(node Node) Component {
	ready := filepath.Join(p.NodeDir(node.Name), "mounted")
	command := []string{p.Self, "sandbox", "--ready-file=" + ready}
	var dirs []string
	for _, mount := range p.Mounts(node) {
		command = append(command, mount.Argument())
		if mount.Source != "" {
			dirs = append(dirs, mount.Source)
		}
		dirs = append(dirs, mount.Target)
	}
	return Component{
		Name:      OnNode(Sandbox, node.Name),
		Command:   command,
		Dirs:      dirs,
		OwnMounts: true,
		Ready:     Check{File: ready},
	}
}

func (p Plan) containerd(node Node) Component {
	dir := p.NodeDir(node.Name)
	files := append(p.registryHosts(node),
		File{filepath.Join(dir, "containerd.toml"), p.containerdConfig(node)},
		File{filepath.Join(dir, "cni", "10-localcluster.conflist"), p.cniConfig(node)})
	return Component{
		Name:    OnNode(Containerd, node.Name),
		Command: []string{filepath.Join(p.Containerd, "containerd"), "--config=" + filepath.Join(dir, "containerd.toml")},
		// containerd finds its shim, and the shim finds runc, by PATH.
		Env:   []string{"PATH=" + p.Containerd + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Files: files,
		Needs: []string{OnNode(Sandbox, node.Name)},
		Ready: Check{Command: []string{filepath.Join(p.Containerd, "ctr"), "version"}},
	}
}

func (p Plan) kubelet(node Node) Component {
	dir := p.NodeDir(node.Name)
	config := filepath.Join(dir, "kubelet.yaml")
	command := []string{
		filepath.Join(p.Kubernetes, Kubelet),
		"--config=" + config,
		"--kubeconfig=" + filepath.Join(dir, "pki", "kubelet.kubeconfig"),
		"--hostname-override=" + node.Name,
		"--node-ip=" + network.NodeIP(node.Index).String(),
	}
	if labels := node.KubeletLabels(); len(labels) > 0 {
		command = append(command, "--node-labels="+strings.Join(labels, ","))
	}
	return Component{
		Name:    OnNode(Kubelet, node.Name),
		Command: command,
		Files:   []File{{config, p.kubeletConfig(node)}},
		Needs:   []string{APIServer, OnNode(Containerd, node.Name)},
		Ready:   Check{URL: "http://127.0.0.1:10248/healthz"},
	}
}

func (p Plan) kubeProxy(node Node) Component {
	config := filepath.Join(p.NodeDir(node.Name), "kube-proxy.yaml")
	return Component{
		Name:    OnNode(KubeProxy, node.Name),
		Command: []string{filepath.Join(p.Kubernetes, KubeProxy), "--config=" + config},
		Files:   []File{{config, p.kubeProxyConfig(node)}},
		// It looks its Node up when it starts, and gives up after a while.
		Needs: []string{APIServer, OnNode(Kubelet, node.Name)},
		Ready: Check{URL: "http://127.0.0.1:10256/livez"},
	}
}

// KubeletLabels returns the labels, as KEY=VALUE, that the kubelet may give to
// its own Node; AdminLabels returns the others.
func (n Node) KubeletLabels() []string { return n.labels(true) }

// AdminLabels returns the labels that only an administrator may give: those in
// the domains of Kubernetes, but for the ones under node.kubernetes.io.
func (n Node) AdminLabels() []string { return n.labels(false) }

func (n Node) labels(own bool) []string {
	var labels []string
	for key, value := range n.Labels {
		if kubeletMaySet(key) == own {
			labels = append(labels, fmt.Sprintf("%s=%s", key, value))
		}
	}
	slices.Sort(labels)
	return labels
}

func kubeletMaySet(label string) bool {
	domain, _, qualified := strings.Cut(label, "/")
	if !qualified {
		return true
	}
	in := func(parent string) bool { return domain == parent || strings.HasSuffix(domain, "."+parent) }
	if in("node.kubernetes.io") || in("kubelet.kubernetes.io") {
		return true
	}
	return !in("kubernetes.io") && !in("k8s.io")
}

// maxLabelValue is how long a label's value may be; a node's name may be longer.
const maxLabelValue = 63

// RegistersItself tells whether the kubelet can register its Node. It labels it
// with the full name, which the API server refuses when that is too long: such
// a Node is made by an administrator, with HostnameLabel, as a cloud would.
func (n Node) RegistersItself() bool { return len(n.Name) <= maxLabelValue }

// HostnameLabel returns the value of the label kubernetes.io/hostname.
func (n Node) HostnameLabel() string {
	if n.RegistersItself() {
		return n.Name
	}
	return "node-" + network.ShortHash(n.Name)
}
