package kubefledged

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kindIn is a kind and where the chart makes objects of it.
type kindIn struct {
	schema.GroupVersionKind
	// everywhere: in no namespace, or also in others than the release's.
	everywhere bool
}

// installedKinds are all kinds that the chart can make. What is left of a
// release is looked for among them; the operator's roles allow it to list them.
var installedKinds = []kindIn{
	{kind("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"), true},
	{kind("apps/v1", "Deployment"), false},
	{kind("v1", "Service"), false},
	{kind("v1", "ConfigMap"), false},
	{kind("v1", "ServiceAccount"), false},
	{kind("policy/v1", "PodDisruptionBudget"), false},
	{kind("networking.k8s.io/v1", "NetworkPolicy"), true},
	{kind("monitoring.coreos.com/v1", "ServiceMonitor"), false},
	{kind("monitoring.coreos.com/v1", "PrometheusRule"), false},
	{kind("cert-manager.io/v1", "Certificate"), false},
	{kind("cert-manager.io/v1", "Issuer"), false},
	{kind("rbac.authorization.k8s.io/v1", "RoleBinding"), false},
	{kind("rbac.authorization.k8s.io/v1", "Role"), false},
	{kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"), true},
	{kind("rbac.authorization.k8s.io/v1", "ClusterRole"), true},
	{kind("scheduling.k8s.io/v1", "PriorityClass"), true},
	{kind("v1", "Namespace"), true},
}

func kind(version, name string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(version, name)
}

func listOf(kind schema.GroupVersionKind) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	return list
}
