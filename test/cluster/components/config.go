package components

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// PauseImage is the image of the pods' sandboxes, in the local registry.
const PauseImage = "registry.k8s.io/pause:3.10.1"

type object = map[string]any

// registries are the hosts whose images come from the local registry instead.
func registries() []string {
	return []string{
		"docker.io", "gcr.io", "ghcr.io", "quay.io", "registry.access.redhat.com",
		"registry.k8s.io", "localhost:5000", RegistryAddress,
	}
}

// registryHosts returns containerd's redirections. They name no other server:
// an image that the local registry lacks is missing, without a try elsewhere.
func (p Plan) registryHosts(node Node) []File {
	dir := filepath.Join(p.NodeDir(node.Name), "certs.d")
	var files []File
	for _, host := range registries() {
		content := fmt.Sprintf("server = \"http://%s\"\ncapabilities = [\"pull\", \"resolve\"]\n", RegistryAddress)
		files = append(files, File{filepath.Join(dir, host, "hosts.toml"), content})
	}
	secure := fmt.Sprintf("server = \"https://%s\"\ncapabilities = [\"pull\", \"resolve\"]\nca = %q\n",
		RegistryTLSAddress, p.certificate("ca"))
	return append(files, File{filepath.Join(dir, RegistryTLSAddress, "hosts.toml"), secure})
}

// containerdConfig keeps the paths of any node (see Mounts) and only sets what
// a machine without systemd, and a root user without all capabilities, need.
func (p Plan) containerdConfig(node Node) string {
	dir := p.NodeDir(node.Name)
	return fmt.Sprintf(`version = 3
oom_score = 0

[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [%q]
  conf_dir = %q

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = %q

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = %q
`, p.CNI, filepath.Join(dir, "cni"), PauseImage, filepath.Join(dir, "certs.d"))
}

func (p Plan) cniConfig(node Node) string {
	return indented(object{
		"cniVersion": "1.0.0",
		"name":       "localcluster",
		"plugins": []object{{
			"type":      "bridge",
			"bridge":    "cni0",
			"isGateway": true,
			"ipMasq":    false,
			// A pod can reach itself through a Service.
			"hairpinMode": true,
			"ipam": object{
				"type":    "host-local",
				"dataDir": p.AddressDir(node.Name),
				"ranges":  [][]object{{{"subnet": network.NodePodCIDR(node.Index)}}},
				"routes":  []object{{"dst": "0.0.0.0/0"}},
			},
		}},
	})
}

func (p Plan) kubeletConfig(node Node) string {
	pki := filepath.Join(p.NodeDir(node.Name), "pki")
	config := object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": p.certificate("ca")},
		},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              filepath.Join(pki, "kubelet.crt"),
		"tlsPrivateKeyFile":        filepath.Join(pki, "kubelet.key"),
		"containerRuntimeEndpoint": RuntimeEndpoint,
		"clusterDNS":               []string{network.DNSIP},
		"clusterDomain":            "cluster.local",
		"resolvConf":               "",
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               p.NodeCgroup(node.Name),
		"enforceNodeAllocatable":   []string{},
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"makeIPTablesUtilChains":   false,
		"oomScoreAdj":              0,
		"registerNode":             node.RegistersItself(),
		// How full the machine's disk is says nothing about the node's images.
		"imageGCHighThresholdPercent": 100,
		"evictionHard":                object{"memory.available": "1%", "nodefs.available": "1%", "imagefs.available": "1%"},
	}
	if taints := node.TaintObjects(); len(taints) > 0 {
		config["registerWithTaints"] = taints
	}
	merge(config, node.Kubelet)
	return mustYAML(config)
}

// TaintObjects returns the taints as the kubelet's configuration wants them.
func (n Node) TaintObjects() []object {
	var taints []object
	for _, taint := range n.Taints {
		keyValue, effect, _ := strings.Cut(taint, ":")
		key, value, _ := strings.Cut(keyValue, "=")
		taints = append(taints, object{"key": key, "value": value, "effect": effect})
	}
	return taints
}

func (p Plan) kubeProxyConfig(node Node) string {
	return mustYAML(object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"hostnameOverride":   node.Name,
		"clientConnection":   object{"kubeconfig": p.kubeconfig(KubeProxy)},
		"clusterCIDR":        network.PodCIDR,
		"conntrack":          object{"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
		"healthzBindAddress": "127.0.0.1:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"nodePortAddresses":  []string{"primary"},
		"oomScoreAdj":        0,
	})
}

// merge puts changes over base: objects are merged, all else is replaced.
func merge(base, changes object) {
	for key, change := range maps.All(changes) {
		inner, isObject := change.(object)
		existing, wasObject := base[key].(object)
		if isObject && wasObject {
			merge(existing, inner)
			continue
		}
		base[key] = change
	}
}

func indented(value any) string {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(err) // The values are maps, lists, strings and numbers.
	}
	return string(content) + "\n"
}

func mustYAML(value any) string {
	content, err := yaml.Marshal(value)
	if err != nil {
		panic(err) // The values are maps, lists, strings and numbers.
	}
	return string(content)
}
