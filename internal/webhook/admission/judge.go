// Package admission answers the API server's questions about ImageCaches: from
// an HTTP request to a verdict, with the rules of internal/validation.
package admission

import (
	"fmt"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

// mostMistakes are told at once: two thousand wrong images are one mistake in
// some script, and the API server would cut the answer anyway.
const mostMistakes = 10

// Others returns how other ImageCaches of a namespace pull their images, as far
// as that is known at once.
type Others func(namespace string) []validation.Pulled

var kind = v1alpha2.GroupVersion.WithKind("ImageCache")

// judge answers one question. It never fails: what cannot be read is refused,
// with words for whoever sent it.
func judge(request *admissionv1.AdmissionRequest, others Others) *admissionv1.AdmissionResponse {
	if asked := schema.GroupVersionKind(request.Kind); asked != kind {
		return badRequest("this webhook judges %s, not %s: the webhook configuration has a wrong rule", kind, asked)
	}
	if request.Operation != admissionv1.Create && request.Operation != admissionv1.Update {
		return allowed() // nothing that is deleted has to be right
	}
	ic := &v1alpha2.ImageCache{}
	if err := json.Unmarshal(request.Object.Raw, ic); err != nil {
		return badRequest("cannot read the ImageCache: %v", err)
	}
	if ic.DeletionTimestamp != nil || request.SubResource != "" {
		return allowed() // a finalizer must be able to go, whatever the spec is
	}
	if errs := mistakes(request, ic); len(errs) > 0 {
		return refused(request.Name, errs)
	}
	response := allowed()
	response.Warnings = warnings(request.Namespace, ic, others)
	return response
}

// mistakes returns all of a new object and those that an edit adds to a stored one.
func mistakes(request *admissionv1.AdmissionRequest, ic *v1alpha2.ImageCache) field.ErrorList {
	if request.Operation == admissionv1.Create {
		return validation.ImageCache(ic)
	}
	old := &v1alpha2.ImageCache{}
	if err := json.Unmarshal(request.OldObject.Raw, old); err != nil {
		// What is stored is of no use to anybody: the new one has to be right.
		return validation.ImageCache(ic)
	}
	return validation.ImageCacheUpdate(old, ic)
}

func warnings(namespace string, ic *v1alpha2.ImageCache, others Others) []string {
	all := validation.Warnings(ic)
	if others == nil {
		return all
	}
	if known := others(namespace); len(known) > 0 {
		if warning := validation.PolicyWarning(validation.PulledBy(ic), known); warning != "" {
			all = append(all, warning)
		}
	}
	return all
}

func allowed() *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Allowed: true}
}

// refused words mistakes as the API server words those that the schema finds, so
// that kubectl prints them alike, each with its field.
func refused(name string, errs field.ErrorList) *admissionv1.AdmissionResponse {
	if more := len(errs) - mostMistakes; more > 0 {
		errs = slices.Clone(errs[:mostMistakes])
		errs = append(errs, field.Invalid(field.NewPath("spec"), field.OmitValueType{}, fmt.Sprintf("and %d more mistakes", more)))
	}
	status := apierrors.NewInvalid(kind.GroupKind(), name, errs).Status()
	return &admissionv1.AdmissionResponse{Result: &status}
}

func badRequest(format string, args ...any) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest,
		Message: fmt.Sprintf(format, args...),
	}}
}
