package release

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Getter is how Helm reaches the cluster (genericclioptions.RESTClientGetter).
type Getter struct {
	config    *rest.Config
	discovery discovery.CachedDiscoveryInterface
	mapper    meta.RESTMapper
}

// NewGetter returns a Getter for a cluster. The mapper must learn of new kinds
// by itself, as controller-runtime's does.
func NewGetter(config *rest.Config, mapper meta.RESTMapper) (Getter, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return Getter{}, err
	}
	return Getter{config: config, discovery: memory.NewMemCacheClient(client), mapper: mapper}, nil
}

// ToRESTConfig returns the configuration.
func (g Getter) ToRESTConfig() (*rest.Config, error) { return g.config, nil }

// ToDiscoveryClient returns the client that asks for kinds.
func (g Getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.discovery, nil
}

// ToRESTMapper returns the mapper.
func (g Getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }

// ToRawKubeConfigLoader returns an empty kubeconfig: Helm only asks it for the
// default namespace, which is given otherwise.
func (g Getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), &clientcmd.ConfigOverrides{})
}
