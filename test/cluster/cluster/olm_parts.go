//go:build linux

package cluster

import (
	"context"
	"fmt"
)

// olmPart is one part of OLM as its status shows it.
type olmPart struct {
	name, status string
	healthy      bool
}

func (r *running) olmParts(ctx context.Context) ([]olmPart, error) {
	var parts []olmPart
	for _, name := range []string{"olm-operator", "catalog-operator", "packageserver"} {
		var deployment struct {
			Metadata struct{ Generation int64 }
			Spec     struct{ Replicas int }
			Status   struct {
				ObservedGeneration                 int64
				UpdatedReplicas, AvailableReplicas int
			}
		}
		if err := r.getUnlessMissing(ctx, "/apis/apps/v1/namespaces/"+olmNamespace+"/deployments/"+name, &deployment); err != nil {
			return nil, err
		}
		s := deployment.Status
		parts = append(parts, olmPart{
			"deployment " + name, fmt.Sprintf("%d of %d pods available, %d updated", s.AvailableReplicas, deployment.Spec.Replicas, s.UpdatedReplicas),
			deployment.Spec.Replicas > 0 && s.ObservedGeneration == deployment.Metadata.Generation &&
				s.AvailableReplicas == deployment.Spec.Replicas && s.UpdatedReplicas == deployment.Spec.Replicas,
		})
	}
	var csv struct {
		Status struct{ Phase, Message string }
	}
	if err := r.getUnlessMissing(ctx, "/apis/operators.coreos.com/v1alpha1/namespaces/"+olmNamespace+"/clusterserviceversions/packageserver", &csv); err != nil {
		return nil, err
	}
	parts = append(parts, olmPart{"clusterserviceversion packageserver", csv.Status.Phase + " " + csv.Status.Message, csv.Status.Phase == "Succeeded"})
	service, err := r.apiServicePart(ctx)
	return append(parts, service), err
}

func (r *running) apiServicePart(ctx context.Context) (olmPart, error) {
	const name = "v1.packages.operators.coreos.com"
	part := olmPart{name: "apiservice " + name, status: "missing"}
	var service struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	err := r.getUnlessMissing(ctx, "/apis/apiregistration.k8s.io/v1/apiservices/"+name, &service)
	for _, condition := range service.Status.Conditions {
		if condition.Type == "Available" {
			part.status, part.healthy = condition.Message, condition.Status == "True"
		}
	}
	return part, err
}

// getUnlessMissing leaves result as it is when there is no such object, or no
// such kind.
func (r *running) getUnlessMissing(ctx context.Context, path string, result any) error {
	if err := r.get(ctx, path, result); !isNotFound(err) {
		return err
	}
	return nil
}
