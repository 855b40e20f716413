package kubelets

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Serve runs the kubelets with the identity of a kubeconfig until ctx ends.
func Serve(ctx context.Context, kubeconfig string) error {
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
	return New(client, DefaultPace()).Run(ctx)
}
