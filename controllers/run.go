package controllers

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/controllers/imagecache"
	"github.com/kubefledged/kubefledged-operator/controllers/nodecache"
	"github.com/kubefledged/kubefledged-operator/internal/jobs"
	"github.com/kubefledged/kubefledged-operator/internal/memory"
	"github.com/kubefledged/kubefledged-operator/internal/observe"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/version"
)

// leaseName is the name of the leader election's Lease.
const leaseName = "kubefledged-controller.kubefledged.io"

// Run runs the controller until ctx ends. It returns an error when a setting
// is wrong, the API server cannot be reached, or the lease is lost.
func Run(ctx context.Context, o Options, logger logr.Logger) error {
	if err := o.Validate(); err != nil {
		return err
	}
	ctrl.SetLogger(logger)
	memory.FollowLimit(logger)
	for _, ignored := range ignoredEnvironment() {
		logger.Info(ignored)
	}
	rc, err := restConfig(o.Master, o.Kubeconfig)
	if err != nil {
		return err
	}
	return RunWith(ctx, rc, o)
}

// RunWith runs the controller with this client configuration.
func RunWith(ctx context.Context, rc *rest.Config, o Options) error {
	mgr, err := ctrl.NewManager(unthrottled(rc), managerOptions(o))
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	if err := setup(ctx, mgr, o); err != nil {
		return err
	}
	mgr.GetLogger().Info("starting", "version", version.String(), "helperImage", o.HelperImage)
	return mgr.Start(ctx)
}

func restConfig(master, kubeconfig string) (*rest.Config, error) {
	if master == "" && kubeconfig == "" {
		rc, err := ctrl.GetConfig()
		if err != nil {
			return nil, fmt.Errorf("find the API server: %w (outside a cluster, give --kubeconfig)", err)
		}
		return rc, nil
	}
	rc, err := clientcmd.BuildConfigFromFlags(master, kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig, --master: %w", err)
	}
	return rc, nil
}

// unthrottled returns rc without client-go's own limit, 5 requests a second
// unless set, which would take minutes for what a thousand nodes need. The API
// server protects itself (API Priority and Fairness), and the pacer limits what
// we create. controller-runtime does the same, but only to what it finds itself.
func unthrottled(rc *rest.Config) *rest.Config {
	rc = rest.CopyConfig(rc)
	if rc.QPS == 0 && rc.RateLimiter == nil {
		rc.QPS = -1
	}
	return rc
}

// Scheme returns the types the controller reads and writes.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one kind: a mistake in the code
		}
	}
	return scheme
}

func managerOptions(o Options) ctrl.Options {
	ours := cache.ByObject{Label: jobs.LabelSelector()}
	return ctrl.Options{
		Scheme:                        Scheme(),
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.ProbeAddress,
		PprofBindAddress:              o.profileAddress(),
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			DefaultTransform: observe.Trim,
			ByObject:         map[client.Object]cache.ByObject{&batchv1.Job{}: ours, &corev1.Pod{}: ours},
		},
		// Names are unique in one process of ours; tests run several controllers in theirs.
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		// A help, not a foundation: reads wait for our own writes, which saves
		// deciding on old grounds; the planner does not depend on it.
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	}
}

func setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	method, err := pullMethod(o.PullMethod)
	if err != nil {
		return err
	}
	most, err := imagesPerJob(o.ImagesPerJob)
	if err != nil {
		return err
	}
	defaults := cacheDefaults(o)
	nodes := &nodecache.Reconciler{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(),
		Caches:  &observe.Caches{Defaults: defaults},
		Options: nodeOptions(o, method, most),
	}
	if err := nodes.SetupWithManager(ctx, mgr); err != nil {
		return fmt.Errorf("set up the node loop: %w", err)
	}
	caches := &imagecache.Reconciler{Client: mgr.GetClient(), Caches: &observe.Caches{Defaults: defaults}}
	if err := caches.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the ImageCache loop: %w", err)
	}
	if err := Gauges(mgr.GetClient()).AddTo(mgr); err != nil {
		return fmt.Errorf("set up the metrics: %w", err)
	}
	return addProbes(mgr)
}

func cacheDefaults(o Options) observe.Defaults {
	return observe.Defaults{
		PullPolicy:      corev1.PullPolicy(o.ImagePullPolicy),
		PullDeadline:    o.ImagePullDeadline,
		RefreshInterval: o.RefreshFrequency,
		ServiceAccount:  o.ServiceAccountName,
	}
}

func nodeOptions(o Options, method plan.Method, imagesPerJob int) nodecache.Options {
	return nodecache.Options{
		ImagesPerJob:    imagesPerJob,
		JobsMaxSurge:    o.JobsMaxSurge,
		PullMethod:      method,
		JobsPerRegistry: o.JobsPerRegistry,
		PullsPerNode:    o.PullsPerNode,
		VerifyInterval:  o.VerifyInterval,
		UnselectedGrace: o.UnselectedGrace,
		RemovalDisabled: !o.Removal,
		RetainJobs:      o.JobRetentionPolicy == retentionRetain,
		CRISocket:       o.criSocket(),
		Jobs:            jobOptions(o),
		Workers:         o.Workers,
	}
}

func jobOptions(o Options) jobs.Options {
	return jobs.Options{
		RemovalNamespace:   o.removalNamespace(),
		RemovalHostNetwork: o.RemovalHostNet,
		RetainFor:          o.retainFor(),
		HelperImage:        o.HelperImage,
		HelperPullPolicy:   corev1.PullPolicy(o.HelperImagePullPolicy),
		HelperPullSecrets:  o.HelperPullSecrets,
		ServiceAccountName: o.ServiceAccountName,
		PriorityClassName:  o.JobPriorityClassName,
		ExtraLabels:        o.PodLabels,
		ExtraAnnotations:   o.PodAnnotations,
	}
}

// addProbes serves /healthz, which answers while the process does, and
// /readyz, which answers once the informers have synced.
func addProbes(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add health probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("informers", informersSynced(mgr)); err != nil {
		return fmt.Errorf("add readiness probe: %w", err)
	}
	return nil
}
