// Command scorecard is a test for operator-sdk scorecard: it creates an
// ImageCache where the operator has been installed, sees its image arrive on
// the nodes, and prints what came of it as scorecard wants it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kubefledged "github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

func main() {
	var t test
	flag.StringVar(&t.image, "image", "registry.k8s.io/e2e-test-images/agnhost:2.53", "image to cache")
	flag.StringVar(&t.namespace, "namespace", "kube-fledged", "namespace of the ImageCache")
	flag.DurationVar(&t.limit, "limit", 3*time.Minute, "how long the image may take")
	flag.Parse()
	seen, failure := t.run(context.Background())
	if err := report(os.Stdout, seen, failure); err != nil {
		fmt.Fprintln(os.Stderr, "scorecard:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// report writes the result; a test that has failed is no error of the program.
func report(output io.Writer, seen []string, failure error) error {
	result := v1alpha3.TestResult{Name: "imagecache-images-arrive", State: v1alpha3.PassState}
	for _, line := range seen {
		result.Log += line + "\n"
	}
	if failure != nil {
		result.State, result.Errors = v1alpha3.FailState, []string{failure.Error()}
	}
	return json.NewEncoder(output).Encode(v1alpha3.TestStatus{Results: []v1alpha3.TestResult{result}})
}

// connect returns a client with the rights of the pod's service account.
func connect() (client.Client, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	err = errors.Join(clientgoscheme.AddToScheme(scheme), kubefledged.AddToScheme(scheme))
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}
