package components

import (
	"fmt"
	"path/filepath"

	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// Names of the components that a cluster has once.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Registry          = "registry"
	Forwarder         = "forwarder"
)

// Addresses inside the control plane's network namespace.
const (
	APIServerURL         = "https://" + network.ControlPlaneIP + ":6443"
	RegistryAddress      = network.ControlPlaneIP + ":5000"
	RegistryAdminAddress = network.ControlPlaneIP + ":5001"
	RegistryTLSAddress   = network.ControlPlaneIP + ":5443"
)

// ControlPlane returns the components that are not part of a node.
func (p Plan) ControlPlane() []Component {
	all := []Component{p.etcd(), p.apiServer(), p.controllerManager(), p.scheduler(), p.registry()}
	if p.KwokConfig != "" {
		all = append(all, p.kwok())
	}
	for i := range all {
		all[i].Namespace = p.Names.ControlPlane()
		all[i].Command = append(all[i].Command, p.Flags[all[i].Name]...)
	}
	return append(all, p.forwarder())
}

func (p Plan) certificate(name string) string { return filepath.Join(p.PKI(), name+".crt") }
func (p Plan) key(name string) string         { return filepath.Join(p.PKI(), name+".key") }
func (p Plan) kubeconfig(name string) string  { return filepath.Join(p.PKI(), name+".kubeconfig") }

func (p Plan) etcd() Component {
	const client, peer = "https://127.0.0.1:2379", "http://127.0.0.1:2380"
	return Component{
		Name: Etcd,
		Command: []string{
			filepath.Join(p.Kubernetes, "etcd"),
			"--name=localcluster",
			"--data-dir=" + filepath.Join(p.State, "etcd"),
			"--listen-client-urls=" + client,
			"--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=localcluster=" + peer,
			"--listen-metrics-urls=http://127.0.0.1:2381",
			"--cert-file=" + p.certificate("etcd"),
			"--key-file=" + p.key("etcd"),
			"--client-cert-auth",
			"--trusted-ca-file=" + p.certificate("ca"),
			// What a cluster for tests loses in a power cut does not matter.
			"--unsafe-no-fsync",
		},
		Ready: Check{URL: "http://127.0.0.1:2381/health"},
	}
}

func (p Plan) apiServer() Component {
	return Component{
		Name:    APIServer,
		Command: append([]string{filepath.Join(p.Kubernetes, APIServer)}, p.apiServerFlags()...),
		Files:   []File{{p.auditPolicyFile(), auditPolicy}},
		Needs:   []string{Etcd},
		Ready: Check{
			URL:    "https://127.0.0.1:6443/readyz",
			Client: filepath.Join(p.PKI(), "admin-client"),
			CA:     p.certificate("ca"),
		},
	}
}

func (p Plan) apiServerFlags() []string {
	return []string{
		"--advertise-address=" + network.ControlPlaneIP,
		"--secure-port=6443",
		"--etcd-servers=https://127.0.0.1:2379",
		"--etcd-cafile=" + p.certificate("ca"),
		"--etcd-certfile=" + p.certificate("kube-apiserver-etcd-client"),
		"--etcd-keyfile=" + p.key("kube-apiserver-etcd-client"),
		"--tls-cert-file=" + p.certificate("kube-apiserver"),
		"--tls-private-key-file=" + p.key("kube-apiserver"),
		"--client-ca-file=" + p.certificate("ca"),
		"--anonymous-auth=false",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
		"--kubelet-client-certificate=" + p.certificate("kube-apiserver-kubelet-client"),
		"--kubelet-client-key=" + p.key("kube-apiserver-kubelet-client"),
		"--kubelet-certificate-authority=" + p.certificate("ca"),
		// Node names are in no DNS that the API server could ask.
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + p.certificate("service-account"),
		"--service-account-signing-key-file=" + p.key("service-account"),
		"--service-cluster-ip-range=" + network.ServiceCIDR,
		"--requestheader-client-ca-file=" + p.certificate("front-proxy-ca"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + p.certificate("front-proxy-client"),
		"--proxy-client-key-file=" + p.key("front-proxy-client"),
		// No kube-proxy runs in this namespace: webhooks and aggregated APIs
		// are called at their endpoints' addresses.
		"--enable-aggregator-routing=true",
		"--allow-privileged=true",
		"--profiling=false",
		"--audit-policy-file=" + p.auditPolicyFile(),
		"--audit-log-path=" + p.AuditLog(),
	}
}

func (p Plan) auditPolicyFile() string { return filepath.Join(p.State, "audit-policy.yaml") }

// auditPolicy has the API server tell who of those that were installed wrote
// what. Kubernetes itself writes so much that it would hide them.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  userGroups: ["system:serviceaccounts:kube-system"]
- level: Metadata
  userGroups: ["system:serviceaccounts"]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

func (p Plan) controllerManager() Component {
	return Component{
		Name: ControllerManager,
		Command: append([]string{
			filepath.Join(p.Kubernetes, ControllerManager),
			"--use-service-account-credentials",
			"--service-account-private-key-file=" + p.key("service-account"),
			"--root-ca-file=" + p.certificate("ca"),
			"--cluster-signing-cert-file=" + p.certificate("ca"),
			"--cluster-signing-key-file=" + p.key("ca"),
			"--requestheader-client-ca-file=" + p.certificate("front-proxy-ca"),
			"--service-cluster-ip-range=" + network.ServiceCIDR,
		}, p.delegatedFlags(ControllerManager)...),
		Needs: []string{APIServer},
		Ready: Check{URL: "https://127.0.0.1:10257/healthz"},
	}
}

func (p Plan) scheduler() Component {
	return Component{
		Name: Scheduler,
		Command: append([]string{
			filepath.Join(p.Kubernetes, Scheduler),
			"--requestheader-client-ca-file=" + p.certificate("front-proxy-ca"),
		}, p.delegatedFlags(Scheduler)...),
		Needs: []string{APIServer},
		Ready: Check{URL: "https://127.0.0.1:10259/healthz"},
	}
}

// delegatedFlags are those of the components that ask the API server who may
// talk to them. One of each runs, so none waits to be elected.
func (p Plan) delegatedFlags(name string) []string {
	config := p.kubeconfig(name)
	return []string{
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config,
		"--authorization-kubeconfig=" + config,
		"--client-ca-file=" + p.certificate("ca"),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--profiling=false",
	}
}

func (p Plan) registry() Component {
	return Component{
		Name: Registry,
		Command: []string{
			p.Self, "serve-registry",
			"--dir=" + filepath.Join(p.State, "registry"),
			"--address=" + RegistryAddress,
			"--admin-address=" + RegistryAdminAddress,
			"--tls-address=" + RegistryTLSAddress,
			"--tls-certificate=" + p.certificate("registry"),
			"--tls-key=" + p.key("registry"),
		},
		Ready: Check{URL: "http://" + RegistryAddress + "/v2/"},
	}
}

// forwarder is the only component outside the namespaces: through it the
// machine's own programs reach the cluster.
func (p Plan) forwarder() Component {
	forward := func(port int, address string) string {
		return fmt.Sprintf("127.0.0.1:%d=%s", port, address)
	}
	return Component{
		Name: Forwarder,
		Command: []string{
			p.Self, "forward", "--namespace=" + p.Names.ControlPlane(),
			forward(p.Ports.API, network.ControlPlaneIP+":6443"),
			forward(p.Ports.Registry, RegistryAddress),
			forward(p.Ports.RegistryAdmin, RegistryAdminAddress),
			forward(p.Ports.RegistryTLS, RegistryTLSAddress),
		},
		Needs: []string{Registry},
		Ready: Check{URL: fmt.Sprintf("http://127.0.0.1:%d/v2/", p.Ports.Registry)},
	}
}
