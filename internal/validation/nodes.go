package validation

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

func nodeSelector(selector map[string]string, path *field.Path) field.ErrorList {
	errs := atMost(len(selector), MaxNodeLabels, path)
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		errs = append(errs, metav1validation.ValidateLabelName(key, path)...)
		for _, problem := range validation.IsValidLabelValue(selector[key]) {
			errs = append(errs, field.Invalid(path.Key(key), selector[key], problem))
		}
	}
	return errs
}

// nodeAffinity checks the requirement. Preferences are not looked at: they
// choose between nodes, and a cache does not choose.
func nodeAffinity(affinity *corev1.NodeAffinity, path *field.Path) field.ErrorList {
	if affinity == nil || affinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	required := affinity.RequiredDuringSchedulingIgnoredDuringExecution
	path = path.Child("requiredDuringSchedulingIgnoredDuringExecution")
	terms := path.Child("nodeSelectorTerms")
	if len(required.NodeSelectorTerms) == 0 {
		return field.ErrorList{field.Required(terms, "must have at least one node selector term")}
	}
	_, err := nodeaffinity.NewNodeSelector(required, field.WithPath(path))
	errs := fieldErrors(err, path)
	for i := range required.NodeSelectorTerms {
		errs = append(errs, matchFields(required.NodeSelectorTerms[i].MatchFields, terms.Index(i).Child("matchFields"))...)
	}
	return errs
}

// matchFields adds what the scheduler's parser leaves open: a node has one
// field that can be matched, and a term with another never matches anything.
func matchFields(requirements []corev1.NodeSelectorRequirement, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, requirement := range requirements {
		if requirement.Key != "metadata.name" {
			errs = append(errs, field.NotSupported(path.Index(i).Child("key"), requirement.Key, []string{"metadata.name"}))
		}
	}
	return errs
}

// fieldErrors takes an aggregate apart; what has no place of its own gets path.
func fieldErrors(err error, path *field.Path) field.ErrorList {
	if err == nil {
		return nil
	}
	parts := []error{err}
	var aggregate utilerrors.Aggregate
	if errors.As(err, &aggregate) {
		parts = utilerrors.Flatten(aggregate).Errors()
	}
	var errs field.ErrorList
	for _, part := range parts {
		var placed *field.Error
		if !errors.As(part, &placed) {
			placed = field.Invalid(path, nil, part.Error())
		}
		errs = append(errs, placed)
	}
	return errs
}

// tolerations checks what the API server checks of a Pod's, as they end up there.
func tolerations(tolerations []corev1.Toleration, path *field.Path) field.ErrorList {
	errs := atMost(len(tolerations), MaxTolerations, path)
	for i := range tolerations {
		t, at := &tolerations[i], path.Index(i)
		if t.Key != "" {
			errs = append(errs, metav1validation.ValidateLabelName(t.Key, at.Child("key"))...)
		} else if t.Operator != corev1.TolerationOpExists {
			errs = append(errs, field.Invalid(at.Child("operator"), t.Operator, "must be Exists when key is empty, which tolerates every taint"))
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			errs = append(errs, field.Invalid(at.Child("effect"), t.Effect, "must be NoExecute when tolerationSeconds is set"))
		}
		errs = append(errs, tolerationValue(t, at)...)
		errs = append(errs, tolerationEffect(t.Effect, at.Child("effect"))...)
	}
	return errs
}

func tolerationValue(t *corev1.Toleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch at := path.Child("value"); t.Operator {
	case "", corev1.TolerationOpEqual:
		for _, problem := range validation.IsValidLabelValue(t.Value) {
			errs = append(errs, field.Invalid(at, t.Value, problem))
		}
	case corev1.TolerationOpExists:
		if t.Value != "" {
			errs = append(errs, field.Invalid(at, t.Value, "must be empty when operator is Exists"))
		}
	case corev1.TolerationOpLt, corev1.TolerationOpGt:
		if _, err := strconv.ParseInt(t.Value, 10, 64); err != nil {
			errs = append(errs, field.Invalid(at, t.Value, "must be an integer when operator is Lt or Gt"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("operator"), t.Operator, []corev1.TolerationOperator{
			corev1.TolerationOpEqual, corev1.TolerationOpExists, corev1.TolerationOpGt, corev1.TolerationOpLt}))
	}
	return errs
}

func tolerationEffect(effect corev1.TaintEffect, path *field.Path) field.ErrorList {
	switch effect {
	case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		return nil
	default:
		return field.ErrorList{field.NotSupported(path, effect, []corev1.TaintEffect{
			corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute})}
	}
}
