package kubefledged

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	cachev1alpha2 "github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	helmcharts "github.com/kubefledged/kubefledged-operator/helm-charts"
	"github.com/kubefledged/kubefledged-operator/internal/memory"
	"github.com/kubefledged/kubefledged-operator/internal/release"
	"github.com/kubefledged/kubefledged-operator/internal/version"
)

// leaseName is the name of the leader election's Lease.
const leaseName = "kubefledged-operator.kubefledged.io"

// stopTime is for an operation that has begun: Helm is let finish, so that a
// restart of the operator leaves nothing pending.
const stopTime = 45 * time.Second

// Run runs the operator until ctx ends.
func Run(ctx context.Context, o Options, logger logr.Logger) error {
	if err := o.Validate(); err != nil {
		return err
	}
	ctrl.SetLogger(logger)
	memory.FollowLimit(logger)
	rc, err := restConfig(o.Kubeconfig)
	if err != nil {
		return err
	}
	return RunWith(ctx, rc, o)
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig != "" {
		rc, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("--kubeconfig: %w", err)
		}
		return rc, nil
	}
	rc, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w (outside a cluster, give --kubeconfig)", err)
	}
	return rc, nil
}

// RunWith runs the operator with this client configuration.
func RunWith(ctx context.Context, rc *rest.Config, o Options) error {
	mgr, err := ctrl.NewManager(rc, managerOptions(o))
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	if err := setup(mgr, rc, o); err != nil {
		return err
	}
	mgr.GetLogger().Info("starting", "version", version.String(), "controllerImage", o.Images.Controller, "criClientImage", o.Images.CRIClient)
	return mgr.Start(ctx)
}

// Scheme returns the types the operator reads and writes.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha2.AddToScheme, cachev1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one kind: a mistake in the code
		}
	}
	return scheme
}

func managerOptions(o Options) ctrl.Options {
	return ctrl.Options{
		Scheme:                        Scheme(),
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.ProbeAddress,
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       ptr.To(stopTime),
		// Names are unique in one process of ours; tests run several operators in theirs.
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	}
}

func setup(mgr ctrl.Manager, rc *rest.Config, o Options) error {
	installed, err := cluster.New(rc, installedOnly(mgr, o.WatchNamespaces))
	if err != nil {
		return fmt.Errorf("set up the informers of what is installed: %w", err)
	}
	if err := mgr.Add(installed); err != nil {
		return fmt.Errorf("set up the informers of what is installed: %w", err)
	}
	reconciler, err := newReconciler(mgr, rc, o)
	if err != nil {
		return err
	}
	reconciler.Installed = installed.GetClient()
	if err := reconciler.SetupWithManager(mgr, installed.GetCache()); err != nil {
		return err
	}
	if err := Gauges(mgr.GetClient()).AddTo(mgr); err != nil {
		return fmt.Errorf("set up the metrics: %w", err)
	}
	return addProbes(mgr)
}

// installedOnly makes informers that hold what we have installed and nothing
// else, in full, as edits are told by comparing. Where namespaces are given, we
// may have no rights in others, but for NetworkPolicies: one is in the namespace
// of removals.
func installedOnly(mgr ctrl.Manager, namespaces []string) cluster.Option {
	options := cache.Options{DefaultLabelSelector: labels.SelectorFromSet(labels.Set{v1alpha2.LabelInstalledBy: v1alpha2.LabelInstalledByValue})}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
		policies := &unstructured.Unstructured{}
		policies.SetGroupVersionKind(kind("networking.k8s.io/v1", "NetworkPolicy"))
		options.ByObject = map[client.Object]cache.ByObject{policies: {Namespaces: map[string]cache.Config{cache.AllNamespaces: {}}}}
	}
	return func(o *cluster.Options) {
		o.Scheme, o.Cache = mgr.GetScheme(), options
		o.Client = client.Options{Cache: &client.CacheOptions{Unstructured: true}}
	}
}

func newReconciler(mgr ctrl.Manager, rc *rest.Config, o Options) (*Reconciler, error) {
	chart := o.Chart
	if chart == nil {
		var err error
		if chart, err = release.LoadChart(helmcharts.Files, helmcharts.KubeFledged); err != nil {
			return nil, err
		}
	}
	forHelm := release.Unthrottled(rc)
	getter, err := release.NewGetter(forHelm, mgr.GetRESTMapper())
	if err != nil {
		return nil, fmt.Errorf("set up Helm: %w", err)
	}
	kube, err := kubernetes.NewForConfig(forHelm)
	if err != nil {
		return nil, fmt.Errorf("set up Helm: %w", err)
	}
	return &Reconciler{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Kube: kube, Getter: getter,
		Chart: chart, Images: o.Images, Namespaces: o.WatchNamespaces,
	}, nil
}

// addProbes serves /healthz, which answers while the process does, and
// /readyz, which answers once the informers have synced.
func addProbes(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add health probe: %w", err)
	}
	synced := func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), 500*time.Millisecond)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the informers have not synced")
		}
		return nil
	}
	if err := mgr.AddReadyzCheck("informers", synced); err != nil {
		return fmt.Errorf("add readiness probe: %w", err)
	}
	return nil
}
