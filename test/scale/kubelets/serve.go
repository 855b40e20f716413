package kubelets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// State is what the simulated nodes have, which nobody but their kubelets knows.
type State struct {
	// Images is on how many nodes each image is.
	Images map[string]int
	// Reporting is the number of nodes that have not told of all their images yet.
	Reporting int
}

// Serve runs the kubelets with the identity of a kubeconfig until ctx ends, and
// tells their State at a Unix socket.
func Serve(ctx context.Context, kubeconfig, socket string, pace Pace) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	// There is a kubelet for each node, and none of them waits for another.
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	config.UserAgent = "kubelets"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	k := New(client, pace)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: k, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = k.Run(ctx)
	return errors.Join(err, server.Close(), ignoreClosed(<-served))
}

// ServeHTTP answers with the State.
func (k *Kubelets) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if err := json.NewEncoder(w).Encode(k.State()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// State counts what the nodes have now.
func (k *Kubelets) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := State{Images: map[string]int{}}
	for _, n := range k.nodes {
		for image := range n.images {
			s.Images[image]++
		}
		if n.reporting {
			s.Reporting++
		}
	}
	return s
}

// StateAt asks the kubelets that serve at a socket.
func StateAt(ctx context.Context, socket string) (State, error) {
	var s State
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kubelets/", http.NoBody)
	if err != nil {
		return s, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&s)
	return s, err
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
