package kubefledged

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// observation is what is known of one KubeFledged's release.
type observation struct {
	input release.Input
	helm  *release.Helm
	// What an install or an upgrade needs.
	values       map[string]any
	capabilities *release.Capabilities
	// problem is why the spec cannot be rendered.
	problem error
	// damages are the objects of the deployed revision that are not as they should be.
	damages []damage
	// resisting are those of them that could not be restored.
	resisting []damage
	// leftovers are objects of older revisions that are still there.
	leftovers  []*release.Object
	components []release.Component
}

// damage is an object that is missing or has been edited.
type damage struct {
	want *release.Object
	// fields that differ; none when the object is missing.
	fields []string
}

// String says what happened to the object.
func (d *damage) String() string {
	if len(d.fields) == 0 {
		return "deleted"
	}
	return "edited (" + strings.Join(d.fields, ", ") + ")"
}

// damageOf compares an object with the one in the cluster, nil if there is none.
// One that is on its way out cannot be restored before it is gone.
func damageOf(want, live *release.Object) *damage {
	if live == nil {
		return &damage{want: want}
	}
	if fields := release.Differences(want, live); len(fields) > 0 && live.GetDeletionTimestamp() == nil {
		return &damage{want: want, fields: fields}
	}
	return nil
}

// lookAgainAfter is when to look although nothing has happened, 0 for never.
func (o *observation) lookAgainAfter() time.Duration {
	for i := range o.components {
		if o.components[i].Rolling {
			return whileRolling
		}
	}
	return 0
}

// observe reads everything that is decided on.
func (r *Reconciler) observe(ctx context.Context, kf *v1alpha2.KubeFledged) (*observation, error) {
	owner, err := r.ownerFor(ctx, kf)
	if err != nil {
		return nil, err
	}
	seen := &observation{helm: release.NewHelm(r.Getter, r.Kube, owner, log.FromContext(ctx))}
	seen.input = release.Input{Now: clock.Now(), Adopt: kf.Annotations[v1alpha2.AnnotationAdopt] == "true"}
	if seen.input.History, err = seen.helm.History(ctx); err != nil {
		return seen, err
	}
	if seen.capabilities, err = r.cluster.of(r.Getter); err != nil {
		return seen, err
	}
	seen.input.Desired, seen.problem = r.render(kf, owner, seen)
	if seen.problem != nil && notTheSpec(seen.problem) {
		return seen, seen.problem
	}
	if err := r.inspect(ctx, seen); err != nil {
		return seen, err
	}
	seen.input.Damaged = len(seen.damages)+len(seen.leftovers) > 0
	return seen, nil
}

// render computes the manifest that the spec asks for.
func (r *Reconciler) render(kf *v1alpha2.KubeFledged, owner release.Owner, seen *observation) (string, error) {
	var err error
	if seen.values, err = release.Values(&kf.Spec, r.Images); err != nil {
		return "", err
	}
	// Helm merges the chart's values into those it is given.
	values, err := release.Values(&kf.Spec, r.Images)
	if err != nil {
		return "", err
	}
	manifest, err := r.Chart.Render(kf.Name, kf.Namespace, values, seen.capabilities)
	if err != nil {
		return "", err
	}
	return release.Own(manifest, owner, r.namespaced)
}

// scopeError is a failure to find out about a kind, which is not the spec's.
type scopeError struct{ error }

func notTheSpec(err error) bool {
	var scope scopeError
	return errors.As(err, &scope)
}

// namespaced asks the cluster about a kind. One that it does not have, as those
// of an operator that is not installed, is the spec's problem.
func (r *Reconciler) namespaced(kind schema.GroupVersionKind) (bool, error) {
	mapping, err := r.Client.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	switch {
	case meta.IsNoMatchError(err):
		return false, fmt.Errorf("the cluster has no kind %s of %s", kind.Kind, kind.GroupVersion())
	case err != nil:
		return false, scopeError{fmt.Errorf("ask for the kind %s: %w", kind, err)}
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
}

// ownerFor returns what the objects of the release belong to.
func (r *Reconciler) ownerFor(ctx context.Context, kf *v1alpha2.KubeFledged) (release.Owner, error) {
	var namespace corev1.Namespace
	if err := r.Reader.Get(ctx, client.ObjectKey{Name: kf.Namespace}, &namespace); err != nil {
		return release.Owner{}, fmt.Errorf("read the namespace: %w", err)
	}
	// Neither reference blocks the owner's deletion: that needs a right over its
	// finalizers where OwnerReferencesPermissionEnforcement is on, and brings nothing.
	return release.Owner{
		Release: kf.Name, Namespace: kf.Namespace,
		KubeFledged: metav1.OwnerReference{APIVersion: v1alpha2.GroupVersion.String(), Kind: v1alpha2.KindKubeFledged, Name: kf.Name, UID: kf.UID},
		OfNamespace: metav1.OwnerReference{APIVersion: "v1", Kind: "Namespace", Name: namespace.Name, UID: namespace.UID},
	}, nil
}

// inspect compares the deployed revision with the cluster.
func (r *Reconciler) inspect(ctx context.Context, seen *observation) error {
	deployed := seen.input.History.Deployed()
	if deployed == nil || !seen.input.History.Ours() {
		return nil
	}
	objects, err := release.Parse(deployed.Manifest)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	for _, want := range objects {
		live, err := r.installed(ctx, want)
		if err != nil {
			return err
		}
		if d := damageOf(want, live); d != nil {
			seen.add(*d, live != nil && r.stubborn[live.GetUID()] == live.GetResourceVersion())
		}
		if want.GetKind() == "Deployment" {
			component, err := r.component(ctx, want, live)
			if err != nil {
				return err
			}
			seen.components = append(seen.components, component)
		}
	}
	return r.inspectLeftovers(ctx, seen, objects)
}

func (o *observation) add(d damage, resists bool) {
	if resists {
		o.resisting = append(o.resisting, d)
		return
	}
	o.damages = append(o.damages, d)
}

func (r *Reconciler) inspectLeftovers(ctx context.Context, seen *observation, current []*release.Object) error {
	if seen.input.History.Last().Status != release.StatusDeployed {
		return nil // an operation is under way, and who knows what it still needs
	}
	for _, left := range release.Leftovers(&seen.input.History, current) {
		live, err := r.installed(ctx, left)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return err
		}
		annotations := left.GetAnnotations()
		if live != nil && live.GetDeletionTimestamp() == nil &&
			release.BelongsTo(live, annotations[v1alpha2.AnnotationReleaseName], annotations[v1alpha2.AnnotationReleaseNamespace]) {
			seen.leftovers = append(seen.leftovers, live)
		}
	}
	return nil
}

// installed reads an object from the informers of what we have installed, which
// are started when first asked.
func (r *Reconciler) installed(ctx context.Context, want *release.Object) (*release.Object, error) {
	if err := r.watches.start(r.Client.RESTMapper(), want.GroupVersionKind()); err != nil {
		return nil, fmt.Errorf("%s: %w", release.KeyOf(want), err)
	}
	if err := r.watches.wait(ctx, want.GroupVersionKind()); err != nil {
		return nil, r.whyNotWatched(ctx, want.GroupVersionKind(), err)
	}
	return r.read(ctx, r.Installed, want)
}

// whyNotWatched asks the API server for what an informer waits for in vain: only
// its log has the reason, which mostly is a Role that is not there.
func (r *Reconciler) whyNotWatched(ctx context.Context, kind schema.GroupVersionKind, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestRead)
	defer cancel()
	namespaces := r.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	for _, namespace := range namespaces {
		if asked := r.Reader.List(ctx, listOf(kind), client.InNamespace(namespace), client.Limit(1)); asked != nil {
			return fmt.Errorf("watch what is installed: %w", asked)
		}
	}
	return fmt.Errorf("watch what is installed: %w", err)
}

// read returns the object of the cluster, nil when there is none.
func (r *Reconciler) read(ctx context.Context, from client.Reader, want *release.Object) (*release.Object, error) {
	live := &release.Object{}
	live.SetGroupVersionKind(want.GroupVersionKind())
	err := from.Get(ctx, client.ObjectKeyFromObject(want), live)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", release.KeyOf(want), err)
	}
	return live, nil
}
