package pki

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newCluster(t *testing.T) Cluster {
	t.Helper()
	cluster := Cluster{
		Dir:       filepath.Join(t.TempDir(), "pki"),
		Server:    "https://198.18.0.1:6443",
		ServerIPs: []net.IP{net.IPv4(198, 19, 0, 1)},
	}
	if err := cluster.EnsureControlPlane(now); err != nil {
		t.Fatal(err)
	}
	return cluster
}

func read(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestServingCertificates(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	roots := x509.NewCertPool()
	roots.AddCert(read(t, filepath.Join(cluster.Dir, "ca.crt")))
	for file, names := range map[string][]string{
		"kube-apiserver": {"127.0.0.1", "198.19.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		"registry":       {"127.0.0.1", "198.19.0.1", "localhost"},
		"etcd":           {"127.0.0.1", "localhost"},
	} {
		certificate := read(t, filepath.Join(cluster.Dir, file+".crt"))
		for _, name := range names {
			if _, err := certificate.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now}); err != nil {
				t.Errorf("%s as %s: %v", file, name, err)
			}
		}
	}
}

func TestClientIdentities(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	node := filepath.Join(t.TempDir(), "node")
	if err := cluster.EnsureNode(node, "worker1", net.IPv4(198, 18, 0, 11), now); err != nil {
		t.Fatal(err)
	}
	type identity struct {
		User   string
		Groups []string
	}
	for path, want := range map[string]identity{
		filepath.Join(cluster.Dir, "admin-client.crt"):                   {"kubernetes-admin", []string{"system:masters"}},
		filepath.Join(cluster.Dir, "kube-controller-manager-client.crt"): {"system:kube-controller-manager", nil},
		filepath.Join(cluster.Dir, "kube-scheduler-client.crt"):          {"system:kube-scheduler", nil},
		filepath.Join(cluster.Dir, "kube-proxy-client.crt"):              {"system:kube-proxy", nil},
		filepath.Join(cluster.Dir, "front-proxy-client.crt"):             {"front-proxy-client", nil},
		filepath.Join(node, "kubelet-client.crt"):                        {"system:node:worker1", []string{"system:nodes"}},
	} {
		subject := read(t, path).Subject
		if diff := cmp.Diff(want, identity{subject.CommonName, subject.Organization}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	serving := read(t, filepath.Join(node, "kubelet.crt"))
	if err := serving.VerifyHostname("198.18.0.11"); err != nil {
		t.Error(err)
	}
}

func TestFrontProxyHasAnAuthorityOfItsOwn(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	authority := read(t, filepath.Join(cluster.Dir, "ca.crt"))
	if read(t, filepath.Join(cluster.Dir, "front-proxy-client.crt")).CheckSignatureFrom(authority) == nil {
		t.Error("whoever has a client certificate could speak for the API server")
	}
}

func TestEnsureKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	before := read(t, filepath.Join(cluster.Dir, "ca.crt"))
	if err := cluster.EnsureControlPlane(now); err != nil {
		t.Fatal(err)
	}
	if !before.Equal(read(t, filepath.Join(cluster.Dir, "ca.crt"))) {
		t.Error("the authority was made anew")
	}
}

func TestKubeconfig(t *testing.T) {
	t.Parallel()
	content, err := Kubeconfig("https://here:1", []byte("ca"), Pair{[]byte("crt"), []byte("key")})
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := yaml.Unmarshal(content, &parsed); err != nil {
		t.Fatal(err)
	}
	if cluster := parsed.Clusters[0].Cluster; cluster.Server != "https://here:1" || string(cluster.CA) != "ca" {
		t.Errorf("cluster %+v", cluster)
	}
}
