// Package keeper keeps the webhook server's certificates: it does what package
// certificate plans with the Secret and with the caBundle of the configuration,
// and says what is served. All replicas do the same; the API server's optimistic
// locking lets one of them write.
package keeper

import (
	"context"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
)

const (
	// lookAgain is the longest time between two looks: a timer of months would not
	// survive a suspended machine.
	lookAgain = time.Hour
	// raceAgain is the pause after another replica was faster.
	raceAgain = 50 * time.Millisecond
)

// Keeper keeps the certificates.
type Keeper struct {
	// Client reads from the API server, not from a cache: what was decided on old
	// grounds would undo what another replica just did. It is asked a few times an
	// hour.
	Client client.Client
	// Secret is the only one that is ever read.
	Secret types.NamespacedName
	// Configuration is the name of the ValidatingWebhookConfiguration; empty when
	// somebody else sees to it that the server is trusted.
	Configuration string
	Names         certificate.Names
	Periods       certificate.Periods
	Holder        *Holder
	Now           func() time.Time

	// What is remembered serves to do better than necessary, and is not needed.
	memory certificate.Set
	trust  trust
	absent bool
}

// SetupWithManager registers the keeper. The manager's cache must be restricted
// to the one Secret and the one configuration, which is all that we may watch.
func (k *Keeper) SetupWithManager(mgr ctrl.Manager) error {
	request := reconcile.Request{NamespacedName: k.Secret}
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{request}
	})
	// Neither object may be there at the start, so that no event would come.
	begin := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(request)
		return nil
	})
	builder := ctrl.NewControllerManagedBy(mgr).Named("certificate").
		Watches(&corev1.Secret{}, one).
		WatchesRawSource(begin).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1, SkipNameValidation: ptr.To(true)})
	if k.Configuration != "" {
		builder = builder.Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, one)
	}
	return builder.Complete(k)
}

// Reconcile does the next step of a rotation, if one is due.
func (k *Keeper) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	// In this order: who writes the Secret writes the configuration after it, so
	// that whoever still has an old Secret is refused when patching.
	configuration, err := k.readConfiguration(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	secret, err := k.readSecret(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if configuration == nil && k.Configuration != "" {
		k.wait(ctx, secret)
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	k.absent = false
	result, err := k.step(ctx, secret, configuration)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return reconcile.Result{RequeueAfter: raceAgain}, nil // another replica was faster
	}
	return result, err
}

func (k *Keeper) step(ctx context.Context, secret *corev1.Secret, configuration *admissionregistrationv1.ValidatingWebhookConfiguration) (reconcile.Result, error) {
	in := k.input(certificate.Parse(secret.Data), configuration)
	step := certificate.Plan(in)
	set := in.Set
	if step.Action != certificate.Keep {
		var err error
		if set, err = certificate.Apply(step.Action, in); err != nil {
			return reconcile.Result{}, err
		}
		if err := k.writeSecret(ctx, secret, &set, configuration); err != nil {
			return reconcile.Result{}, err
		}
		log.FromContext(ctx).Info("wrote certificates", "action", step.Action, "secret", k.Secret, "authorities", len(set.Authorities), "validUntil", set.Serving.Leaf.NotAfter)
	}
	k.serve(&set, configuration, in.Now)
	if err := k.patchBundle(ctx, configuration, set.Bundle()); err != nil {
		return reconcile.Result{}, err
	}
	if step.Action != certificate.Keep {
		return reconcile.Result{RequeueAfter: raceAgain}, nil // what comes next, and when
	}
	return reconcile.Result{RequeueAfter: pause(step.At, in.Now)}, nil
}

// input is what the step is planned from. When somebody deleted or spoiled the
// Secret while we serve, what we serve is the start of a rotation: it stays
// trusted until its successor is.
func (k *Keeper) input(stored certificate.Set, configuration *admissionregistrationv1.ValidatingWebhookConfiguration) certificate.Input {
	in := certificate.Input{Set: stored, Names: k.Names, Periods: k.Periods, Now: k.Now()}
	if !stored.Usable(k.Names, in.Now) && k.memory.Usable(k.Names, in.Now) {
		in.Set = k.memory
		in.Set.Key = nil
	}
	in.TrustedSince = k.trust.since(in.Set, bundles(configuration, in.Set), in.Now)
	return in
}

// serve takes the set's certificate into use, unless API servers do not trust it
// yet and trust the one that is in use.
func (k *Keeper) serve(set *certificate.Set, configuration *admissionregistrationv1.ValidatingWebhookConfiguration, now time.Time) {
	k.memory = *set
	recordExpiration("ca", set.Authorities[0])
	trusted := func(cert *certificate.Set) bool {
		for _, bundle := range bundles(configuration, *set) {
			if !certificate.TrustedBy(bundle, cert.Serving, k.Names, now) {
				return false
			}
		}
		return true
	}
	if current := k.Holder.Get(); current != nil && !trusted(set) && trusted(&certificate.Set{Serving: current}) {
		return
	}
	k.Holder.Set(set.Serving)
}

// wait serves what there is and makes nothing: the Secret goes with the
// configuration when KubeFledged is uninstalled, and must not come back.
func (k *Keeper) wait(ctx context.Context, secret *corev1.Secret) {
	if !k.absent {
		k.absent = true
		log.FromContext(ctx).Info("waiting for the configuration, which does not exist", "validatingWebhookConfiguration", k.Configuration)
	}
	if set := certificate.Parse(secret.Data); set.Usable(k.Names, k.Now()) {
		k.memory = set
		k.Holder.Set(set.Serving)
	}
}

func pause(at, now time.Time) time.Duration {
	if wait := at.Sub(now); !at.IsZero() && wait < lookAgain {
		return max(wait, time.Millisecond)
	}
	return lookAgain
}
