package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"
)

// Names of the authorities' files: the cluster's own one, and the one behind
// the headers of the API aggregation layer, which must not be the same.
const (
	ClusterCA    = "ca"
	FrontProxyCA = "front-proxy-ca"
)

// Cluster says what the identities of one cluster are made for.
type Cluster struct {
	// Dir receives all files.
	Dir string
	// Server is the API server's URL inside the cluster's network.
	Server string
	// ServerIPs are the addresses the API server and the registry answer at,
	// besides loopback.
	ServerIPs []net.IP
}

// client is an identity that becomes a kubeconfig file.
type client struct {
	file         string
	user         string
	organization []string
}

func clients() []client {
	return []client{
		{"admin", "kubernetes-admin", []string{"system:masters"}},
		{"kube-controller-manager", "system:kube-controller-manager", nil},
		{"kube-scheduler", "system:kube-scheduler", nil},
		{"kube-proxy", "system:kube-proxy", nil},
	}
}

// serving returns the certificates that are not in a kubeconfig, by file name.
func (c Cluster) serving() map[string]Request {
	loopback := net.IPv4(127, 0, 0, 1)
	return map[string]Request{
		"etcd": {CommonName: "etcd", DNSNames: []string{"localhost"}, IPs: []net.IP{loopback}},
		"kube-apiserver": {
			CommonName: "kube-apiserver",
			DNSNames: []string{
				"localhost", "kubernetes", "kubernetes.default",
				"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			},
			IPs: append([]net.IP{loopback}, c.ServerIPs...),
		},
		"registry":                      {CommonName: "registry", DNSNames: []string{"localhost"}, IPs: append([]net.IP{loopback}, c.ServerIPs...)},
		"kube-apiserver-etcd-client":    {CommonName: "kube-apiserver-etcd-client"},
		"kube-apiserver-kubelet-client": {CommonName: "kube-apiserver-kubelet-client"},
	}
}

// EnsureControlPlane makes all files of the control plane unless they are
// there. A directory that an interrupted run left half full is made anew.
func (c Cluster) EnsureControlPlane(now time.Time) error {
	complete := filepath.Join(c.Dir, "complete")
	if _, err := os.Stat(complete); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	if err := c.makeControlPlane(now); err != nil {
		return fmt.Errorf("making certificates: %w", err)
	}
	return os.WriteFile(complete, nil, 0o644)
}

func (c Cluster) makeControlPlane(now time.Time) error {
	authority, err := NewAuthority("localcluster-ca", now)
	if err != nil {
		return err
	}
	frontProxy, err := NewAuthority("localcluster-front-proxy-ca", now)
	if err != nil {
		return err
	}
	accounts, err := NewAuthority("service-accounts", now)
	if err != nil {
		return err
	}
	proxyClient, err := frontProxy.Issue(Request{CommonName: "front-proxy-client"}, now)
	if err != nil {
		return err
	}
	return errors.Join(
		authority.Write(c.Dir, ClusterCA),
		frontProxy.Write(c.Dir, FrontProxyCA),
		accounts.Write(c.Dir, "service-account"),
		proxyClient.Write(c.Dir, "front-proxy-client"),
		c.issueAll(authority, now),
	)
}

func (c Cluster) issueAll(authority *Authority, now time.Time) error {
	for file, request := range c.serving() {
		pair, err := authority.Issue(request, now)
		if err != nil {
			return err
		}
		if err := pair.Write(c.Dir, file); err != nil {
			return err
		}
	}
	for _, client := range clients() {
		request := Request{CommonName: client.user, Organizations: client.organization}
		if err := c.writeClient(authority, client.file, request, c.Dir, now); err != nil {
			return err
		}
	}
	return nil
}

// EnsureNode makes the kubelet's kubeconfig and serving certificate in dir
// unless they are there.
func (c Cluster) EnsureNode(dir, node string, ip net.IP, now time.Time) error {
	if _, err := os.Stat(filepath.Join(dir, "kubelet.crt")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	authority, err := readAuthority(c.Dir, ClusterCA)
	if err != nil {
		return err
	}
	identity := Request{CommonName: "system:node:" + node, Organizations: []string{"system:nodes"}}
	if err := c.writeClient(authority, "kubelet", identity, dir, now); err != nil {
		return err
	}
	identity.DNSNames, identity.IPs = []string{node, "localhost"}, []net.IP{ip, net.IPv4(127, 0, 0, 1)}
	pair, err := authority.Issue(identity, now)
	if err != nil {
		return err
	}
	return pair.Write(dir, "kubelet")
}

// writeClient writes NAME.kubeconfig, and the pair too: health checks and
// other programs of ours use it without reading a kubeconfig.
func (c Cluster) writeClient(authority *Authority, name string, request Request, dir string, now time.Time) error {
	pair, err := authority.Issue(request, now)
	if err != nil {
		return err
	}
	content, err := Kubeconfig(c.Server, authority.Certificate, pair)
	if err != nil {
		return err
	}
	return errors.Join(
		pair.Write(dir, name+"-client"),
		os.WriteFile(filepath.Join(dir, name+".kubeconfig"), content, 0o600),
	)
}

// Kubeconfig returns a kubeconfig file with one context. All material is
// inside, so that the file can be copied.
func Kubeconfig(server string, authority []byte, client Pair) ([]byte, error) {
	type object = map[string]any
	return yaml.Marshal(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "localcluster",
		"clusters": []object{{"name": "localcluster", "cluster": object{
			"server": server, "certificate-authority-data": authority,
		}}},
		"users": []object{{"name": "localcluster", "user": object{
			"client-certificate-data": client.Certificate, "client-key-data": client.Key,
		}}},
		"contexts": []object{{"name": "localcluster", "context": object{
			"cluster": "localcluster", "user": "localcluster",
		}}},
	})
}
