package kubefledged

import (
	"context"
	"errors"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
	cachev1alpha2 "github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// letGoOfCaches takes the finalizer of those ImageCaches that purge on deletion,
// which nobody would do after the controller, and says which images stay.
func (u *uninstallation) letGoOfCaches(ctx context.Context) error {
	var caches cachev1alpha2.ImageCacheList
	if err := u.Reader.List(ctx, &caches); err != nil {
		if meta.IsNoMatchError(err) {
			return nil
		}
		return fmt.Errorf("list the ImageCaches: %w", err)
	}
	for i := range caches.Items {
		cache := &caches.Items[i]
		if !slices.Contains(cache.Finalizers, cachev1alpha2.FinalizerPurge) {
			continue
		}
		if err := client.IgnoreNotFound(u.patchFinalizers(ctx, cache, without(cachev1alpha2.FinalizerPurge))); err != nil {
			return fmt.Errorf("let the ImageCache %s/%s go: %w", cache.Namespace, cache.Name, err)
		}
		images := imagesOf(cache)
		log.FromContext(ctx).Info("the images of an ImageCache stay on the nodes", "namespace", cache.Namespace, "name", cache.Name, "images", images)
		u.warn(u.kf, v1alpha2.EventImagesStay, "Uninstall", "the %d images of ImageCache %s/%s stay on the nodes: %s", len(images), cache.Namespace, cache.Name, images)
	}
	return nil
}

func imagesOf(cache *cachev1alpha2.ImageCache) []string {
	var images []string
	for _, list := range cache.Spec.CacheSpec {
		for _, image := range list.Images {
			images = append(images, string(image))
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// deleteBelongings deletes what the programs of the release have made for
// themselves: records of nodes, Jobs, and the Secrets and Leases that their
// Roles name.
func (u *uninstallation) deleteBelongings(ctx context.Context) error {
	objects, err := u.named()
	if err != nil {
		return err
	}
	var records cachev1alpha2.NodeCacheList
	if err := u.Reader.List(ctx, &records); err != nil && !meta.IsNoMatchError(err) {
		return fmt.Errorf("list the NodeCaches: %w", err)
	}
	for i := range records.Items {
		objects = append(objects, &records.Items[i])
	}
	var jobs batchv1.JobList
	if err := u.Reader.List(ctx, &jobs, client.MatchingLabels{
		cachev1alpha2.LabelApp: cachev1alpha2.LabelAppValue, cachev1alpha2.LabelController: cachev1alpha2.LabelControllerValue,
	}); err != nil {
		return fmt.Errorf("list the Jobs: %w", err)
	}
	for i := range jobs.Items {
		objects = append(objects, &jobs.Items[i])
	}
	var errs []error
	for _, object := range objects {
		if err := u.remove(ctx, object); err != nil {
			errs = append(errs, fmt.Errorf("delete %T %s/%s: %w", object, object.GetNamespace(), object.GetName(), err))
		}
	}
	return errors.Join(errs...)
}

// named returns the Secrets and Leases that the Roles of the release name.
func (u *uninstallation) named() ([]client.Object, error) {
	var objects []client.Object
	for _, object := range u.objects {
		if object.GetKind() != "Role" {
			continue
		}
		var role rbacv1.Role
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			return nil, fmt.Errorf("read %s: %w", release.KeyOf(object), err)
		}
		for _, rule := range role.Rules {
			for _, name := range rule.ResourceNames {
				at := metav1.ObjectMeta{Namespace: role.Namespace, Name: name}
				if slices.Contains(rule.Resources, "secrets") {
					objects = append(objects, &corev1.Secret{ObjectMeta: at})
				}
				if slices.Contains(rule.Resources, "leases") {
					objects = append(objects, &coordinationv1.Lease{ObjectMeta: at})
				}
			}
		}
	}
	return objects, nil
}
