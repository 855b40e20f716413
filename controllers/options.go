// Package controllers puts the loops together into the image-cache controller.
package controllers

import (
	"cmp"
	"net"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/internal/jobs"
)

// Environment variables, with the original's names.
const (
	envNamespace   = "KUBEFLEDGED_NAMESPACE"
	envHelperImage = "KUBEFLEDGED_CRI_CLIENT_IMAGE"
	// envBusybox named the image that the original's pull pods ran.
	envBusybox = "BUSYBOX_IMAGE"
)

const (
	// defaultNamespace is the original's.
	defaultNamespace = "kube-fledged"
	// podNamespaceFile tells a pod its namespace, unless its token is not mounted.
	podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	// removalSuffix makes the default removal namespace of our own.
	removalSuffix = "-node"
)

// defaultWorkers is how many nodes are looked at side by side. A look waits for
// the API server and hardly computes: with eight, an API server that takes half
// a second for a request kept 150 of 200 nodes waiting.
const defaultWorkers = 32

// Values of --job-retention-policy.
const (
	retentionDelete = "delete"
	retentionRetain = "retain"
)

// Options are the controller's settings, one per flag.
type Options struct {
	// Pulling.
	ImagePullDeadline time.Duration
	ImagePullPolicy   string
	PullMethod        string
	ImagesPerJob      string

	// Looking again.
	RefreshFrequency time.Duration
	VerifyInterval   time.Duration

	// Removing.
	Removal          bool
	RemovalNamespace string
	RemovalHostNet   bool
	CRISocketPath    string
	UnselectedGrace  time.Duration

	// How many Jobs at once.
	JobsMaxSurge    int
	JobsPerRegistry int
	PullsPerNode    int
	Workers         int

	// What Jobs and their pods look like.
	HelperImage           string
	HelperImagePullPolicy string
	HelperPullSecrets     []string
	ServiceAccountName    string
	JobPriorityClassName  string
	PodLabels             map[string]string
	PodAnnotations        map[string]string
	JobRetentionPolicy    string
	JobRetentionTTL       time.Duration

	// The controller itself.
	Namespace      string
	LeaderElect    bool
	MetricsAddress string
	ProbeAddress   string
	ProfileAddress string
	Kubeconfig     string
	Master         string
}

// DefaultOptions returns the settings of a controller without flags, with
// what the environment says.
func DefaultOptions() Options {
	return Options{
		ImagePullDeadline:     5 * time.Minute,
		ImagePullPolicy:       string(corev1.PullIfNotPresent),
		PullMethod:            automatic,
		ImagesPerJob:          automatic,
		RefreshFrequency:      15 * time.Minute,
		VerifyInterval:        24 * time.Hour,
		Removal:               true,
		UnselectedGrace:       10 * time.Minute,
		PullsPerNode:          1,
		Workers:               defaultWorkers,
		HelperImage:           os.Getenv(envHelperImage),
		HelperImagePullPolicy: string(corev1.PullIfNotPresent),
		JobRetentionPolicy:    retentionDelete,
		JobRetentionTTL:       jobs.TimeToLive,
		Namespace:             ownNamespace(podNamespaceFile),
		LeaderElect:           true,
		MetricsAddress:        ":8080",
		ProbeAddress:          ":8081",
		ProfileAddress:        "0",
	}
}

// ownNamespace returns the namespace the environment names, else the pod's,
// else the original's.
func ownNamespace(file string) string {
	if namespace := os.Getenv(envNamespace); namespace != "" {
		return namespace
	}
	content, err := os.ReadFile(file)
	if namespace := strings.TrimSpace(string(content)); err == nil && namespace != "" {
		return namespace
	}
	return defaultNamespace
}

// removalNamespace is where the Jobs run that remove images.
func (o *Options) removalNamespace() string {
	if o.RemovalNamespace != "" {
		return o.RemovalNamespace
	}
	return o.Namespace + removalSuffix
}

// criSocket returns the path of the runtime's socket, empty when each node's
// own is used.
func (o *Options) criSocket() string {
	return strings.TrimPrefix(o.CRISocketPath, "unix://")
}

// profileAddress is where profiles are served, empty for nowhere. They show
// what is in memory, so an address without a host is not that of every interface.
func (o *Options) profileAddress() string {
	host, port, err := net.SplitHostPort(o.ProfileAddress)
	if err != nil {
		return "" // 0; Validate has refused anything else
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
}

// retainFor returns how long finished Jobs are kept, 0 when they are not.
func (o *Options) retainFor() time.Duration {
	if o.JobRetentionPolicy == retentionRetain {
		return o.JobRetentionTTL
	}
	return 0
}

// ignoredEnvironment lists, in words for the log, what is set and has no
// meaning any more.
func ignoredEnvironment() []string {
	if os.Getenv(envBusybox) == "" {
		return nil
	}
	return []string{envBusybox + " is ignored: pull pods run the helper image (--helper-image, " + envHelperImage + ")"}
}
