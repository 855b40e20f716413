// Package controllers puts the loops together into the image-cache controller.
package controllers

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// Environment variables, with the original's names.
const (
	envNamespace   = "KUBEFLEDGED_NAMESPACE"
	envHelperImage = "KUBEFLEDGED_CRI_CLIENT_IMAGE"
)

// Options are the controller's settings, one per flag.
type Options struct {
	// The original's flags.
	ImagePullDeadline     time.Duration
	RefreshFrequency      time.Duration
	ImagePullPolicy       string
	ServiceAccountName    string
	JobPriorityClassName  string
	JobsMaxSurge          int
	Kubeconfig            string
	HelperImage           string
	HelperImagePullPolicy string
	HelperPullSecrets     []string
	PullMethod            string
	ImagesPerJob          string
	PodLabels             map[string]string
	PodAnnotations        map[string]string
	Workers               int

	Namespace      string
	LeaderElect    bool
	MetricsAddress string
	ProbeAddress   string
}

// DefaultOptions returns the settings of a controller without flags, with
// what the environment says.
func DefaultOptions() Options {
	return Options{
		ImagePullDeadline:     5 * time.Minute,
		RefreshFrequency:      15 * time.Minute,
		ImagePullPolicy:       string(corev1.PullIfNotPresent),
		HelperImage:           os.Getenv(envHelperImage),
		HelperImagePullPolicy: string(corev1.PullIfNotPresent),
		PullMethod:            "auto",
		ImagesPerJob:          "auto",
		Workers:               8,
		Namespace:             os.Getenv(envNamespace),
		LeaderElect:           true,
		MetricsAddress:        ":8080",
		ProbeAddress:          ":8081",
	}
}

// AddFlags adds a flag for each setting.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.DurationVar(&o.ImagePullDeadline, "image-pull-deadline-duration", o.ImagePullDeadline, "Maximum duration allowed for pulling an image onto a node; after it the pull is considered to have failed. An ImageCache may set its own (spec.pullDeadline).")
	fs.DurationVar(&o.RefreshFrequency, "image-cache-refresh-frequency", o.RefreshFrequency, "Time between two automatic refreshes of an ImageCache; 0s turns them off.")
	fs.StringVar(&o.ImagePullPolicy, "image-pull-policy", o.ImagePullPolicy, "Image pull policy of images with a fixed tag or digest: IfNotPresent or Always. Images without tag or with tag latest are always pulled.")
	fs.StringVar(&o.ServiceAccountName, "service-account-name", o.ServiceAccountName, "Service account of the pull pods, in the namespace of each ImageCache; its token is not mounted.")
	fs.StringVar(&o.JobPriorityClassName, "job-priority-class-name", o.JobPriorityClassName, "Priority class of the pull pods.")
	fs.IntVar(&o.JobsMaxSurge, "jobs-max-surge", o.JobsMaxSurge, "Hard cap on unfinished Jobs in the cluster; 0 means one per node.")
	fs.StringVar(&o.ImagesPerJob, "images-per-job", o.ImagesPerJob, "Most images one Job pulls onto a node: a number, or auto (small images together, large ones alone).")
	fs.StringVar(&o.PullMethod, "pull-method", o.PullMethod, "How Jobs make kubelets pull: image-volume (Kubernetes 1.35, containerd 2.1 or CRI-O 1.33 and newer), exec (any), or auto (by each node's versions).")
	fs.StringVar(&o.HelperImage, "helper-image", o.HelperImage, "Image of kubefledged-cri-client, which the pull pods run. Default from the environment variable "+envHelperImage+".")
	fs.StringVar(&o.HelperImagePullPolicy, "helper-image-pull-policy", o.HelperImagePullPolicy, "Pull policy of the helper image: IfNotPresent, Always or Never.")
	fs.StringSliceVar(&o.HelperPullSecrets, "helper-image-pull-secrets", o.HelperPullSecrets, "Names of pull secrets for the helper image; they must exist in the namespace of each ImageCache.")
	fs.StringToStringVar(&o.PodLabels, "pod-labels", o.PodLabels, "Labels added to the pull pods.")
	fs.StringToStringVar(&o.PodAnnotations, "pod-annotations", o.PodAnnotations, "Annotations added to the pull pods.")
	fs.IntVar(&o.Workers, "workers", o.Workers, "Number of nodes looked at side by side.")
	fs.StringVar(&o.Namespace, "namespace", o.Namespace, "Namespace of the controller's own objects. Default from the environment variable "+envNamespace+", else the pod's.")
	fs.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "Let only one of several replicas work.")
	fs.StringVar(&o.MetricsAddress, "metrics-bind-address", o.MetricsAddress, "Address of the metrics endpoint; 0 turns it off.")
	fs.StringVar(&o.ProbeAddress, "health-probe-bind-address", o.ProbeAddress, "Address of the endpoints /healthz and /readyz; 0 turns them off.")
	fs.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "Path of a kubeconfig, for running outside a cluster.")
}

// Validate returns every setting that is wrong, each with its flag and what it may be.
func (o *Options) Validate() error {
	var errs []error
	bad := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
	}
	if o.ImagePullDeadline < time.Second {
		bad("image-pull-deadline-duration", "%s is too short: must be at least 1s", o.ImagePullDeadline)
	}
	if o.RefreshFrequency != 0 && o.RefreshFrequency < 10*time.Second {
		bad("image-cache-refresh-frequency", "%s is too short: must be 0s (off) or at least 10s", o.RefreshFrequency)
	}
	if p := corev1.PullPolicy(o.ImagePullPolicy); p != corev1.PullAlways && p != corev1.PullIfNotPresent {
		bad("image-pull-policy", "%q: must be IfNotPresent or Always", o.ImagePullPolicy)
	}
	if o.JobsMaxSurge < 0 {
		bad("jobs-max-surge", "%d: must be 0 (one per node) or more", o.JobsMaxSurge)
	}
	if o.Workers < 1 {
		bad("workers", "%d: must be at least 1", o.Workers)
	}
	if _, err := imagesPerJob(o.ImagesPerJob); err != nil {
		bad("images-per-job", "%v", err)
	}
	if _, err := pullMethod(o.PullMethod); err != nil {
		bad("pull-method", "%v", err)
	}
	o.validateHelper(bad)
	return errors.Join(errs...)
}

func (o *Options) validateHelper(bad func(flag, format string, args ...any)) {
	if _, _, err := reference.Normalise(o.HelperImage); err != nil {
		bad("helper-image", "%q (also settable by %s): %v", o.HelperImage, envHelperImage, err)
	}
	switch corev1.PullPolicy(o.HelperImagePullPolicy) {
	case corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		bad("helper-image-pull-policy", "%q: must be IfNotPresent, Always or Never", o.HelperImagePullPolicy)
	}
	for _, name := range o.HelperPullSecrets {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			bad("helper-image-pull-secrets", "%q: %s", name, problems[0])
		}
	}
}

func imagesPerJob(value string) (int, error) {
	const most = 50
	if value == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%q: must be auto or a number from 1 to %d", value, most)
	}
	return n, nil
}

func pullMethod(value string) (plan.Method, error) {
	switch m := plan.Method(value); m {
	case "auto":
		return "", nil
	case plan.MethodImageVolume, plan.MethodExec:
		return m, nil
	default:
		return "", fmt.Errorf("%q: must be auto, %s or %s", value, plan.MethodImageVolume, plan.MethodExec)
	}
}
