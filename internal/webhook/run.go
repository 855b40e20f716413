package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/memory"
	"github.com/kubefledged/kubefledged-operator/internal/version"
	"github.com/kubefledged/kubefledged-operator/internal/webhook/admission"
	"github.com/kubefledged/kubefledged-operator/internal/webhook/keeper"
	"github.com/kubefledged/kubefledged-operator/internal/webhook/others"
)

// Run runs the webhook server until ctx ends. It returns an error when a setting
// is wrong, or the port or the API server cannot be used.
func Run(ctx context.Context, o Options, logger logr.Logger) error {
	if err := o.Validate(); err != nil {
		return err
	}
	ctrl.SetLogger(logger)
	memory.FollowLimit(logger)
	if o.InitServer {
		// The original's init container runs the program with it and must end.
		logger.Info("--init-server is ignored: the server makes its certificates by itself. There is nothing to do")
		return nil
	}
	if defaults := DefaultOptions(); o.SelfSigned && (o.CertFile != defaults.CertFile || o.KeyFile != defaults.KeyFile) {
		logger.Info("--cert-file and --key-file are ignored: the server makes its own certificate, unless --self-signed=false is set")
	}
	rc, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w (outside a cluster, set KUBECONFIG)", err)
	}
	return RunWith(ctx, rc, o)
}

// RunWith runs the webhook server with this client configuration.
func RunWith(ctx context.Context, rc *rest.Config, o Options) error {
	mgr, err := ctrl.NewManager(rc, managerOptions(o))
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	known, err := others.New(rc, mgr.GetScheme())
	if err != nil {
		return err
	}
	if err := mgr.Add(known); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	certificates, err := setUpCertificates(mgr, o)
	if err != nil {
		return err
	}
	s, err := setUpServer(mgr, o, known, certificates)
	if err != nil {
		return err
	}
	mgr.GetLogger().Info("starting", "version", version.String(), "address", s.listener.Addr().String(), "selfSigned", o.SelfSigned)
	return together(ctx, mgr.Start, s.run)
}

// together runs the manager and the server, which ends first: until then its
// certificates are kept and its probes are answered.
func together(ctx context.Context, manager, server func(context.Context) error) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	managed := make(chan error, 1)
	go func() {
		managed <- manager(background)
		stopServing()
	}()
	err := server(serving)
	stop()
	return errors.Join(err, <-managed)
}

// managerOptions restrict what is watched to two objects by their names, for
// which we have rights, and no more.
func managerOptions(o Options) ctrl.Options {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	return ctrl.Options{
		Scheme:                 scheme(),
		Metrics:                metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress: o.ProbeAddress,
		LivenessEndpointName:   pathHealth,
		ReadinessEndpointName:  pathReady,
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{o.Namespace: {FieldSelector: named(o.certificateSecret())}}},
			&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: named(o.WebhookConfiguration)},
		}},
	}
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha2.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // two types of one kind: a mistake in the code
		}
	}
	return s
}

// getCertificate is that of a tls.Config.
type getCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

func setUpCertificates(mgr ctrl.Manager, o Options) (getCertificate, error) {
	if !o.SelfSigned {
		return watchFiles(mgr, o)
	}
	// Reads must be live, and the manager's own client reads from its cache.
	live, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient()})
	if err != nil {
		return nil, fmt.Errorf("set up the certificates: %w", err)
	}
	k := &keeper.Keeper{
		Client: live,
		Secret: types.NamespacedName{Namespace: o.Namespace, Name: o.certificateSecret()}, Configuration: o.WebhookConfiguration,
		Names: o.names(), Periods: o.Periods, Holder: &keeper.Holder{}, Now: now,
	}
	if err := k.SetupWithManager(mgr); err != nil {
		return nil, fmt.Errorf("set up the certificates: %w", err)
	}
	return k.Holder.GetCertificate, nil
}

// watchFiles serves the files that somebody mounted, and what becomes of them.
func watchFiles(mgr ctrl.Manager, o Options) (getCertificate, error) {
	watcher, err := certwatcher.New(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--cert-file, --key-file: %w", err)
	}
	watcher.RegisterCallback(func(cert tls.Certificate) { keeper.RecordServing(&cert) })
	if err := mgr.Add(watcher); err != nil {
		return nil, fmt.Errorf("set up the certificates: %w", err)
	}
	return watcher.GetCertificate, nil
}

func setUpServer(mgr ctrl.Manager, o Options, known *others.Caches, certificates getCertificate) (*server, error) {
	listener := o.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(o.Port))); err != nil {
			return nil, fmt.Errorf("--port: %w", err)
		}
	}
	logger := mgr.GetLogger().WithName("webhook")
	ready := &readiness{configurations: mgr.GetCache(), configuration: o.WebhookConfiguration, host: o.host(), log: logger}
	mux := newMux(&admission.Handler{Others: known.Of, Log: logger}, ready)
	config := &tls.Config{GetCertificate: certificates, MinVersion: tls.VersionTLS12}
	ready.server = newServer(listener, config, mux, o.ShutdownDelay, logger)
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add health probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("tls", ready.check); err != nil {
		return nil, fmt.Errorf("add readiness probe: %w", err)
	}
	return ready.server, nil
}

func newMux(handler *admission.Handler, ready *readiness) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(pathValidate, handler.Validate())
	mux.Handle(pathMutate, handler.Mutate())
	mux.Handle(pathReady, healthz.CheckHandler{Checker: ready.check})
	mux.Handle(pathHealth, healthz.CheckHandler{Checker: healthz.Ping})
	return mux
}
