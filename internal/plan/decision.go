package plan

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// NodeInput is all that Decide looks at: one node as one reconcile saw it.
type NodeInput struct {
	Now  time.Time
	Node Node
	// Record is the node's NodeCache; nil while there is none.
	Record *Record
	// Caches are all ImageCaches that exist.
	Caches []*Cache
	// Jobs are our Jobs for a node of this name, and the pods that outlived theirs.
	Jobs    []Job
	Options Options
}

// NodeDecision is what should happen on one node now.
type NodeDecision struct {
	// Actions to carry out in order, up to the first error.
	Actions []Action
	// RequeueAfter is when to look again though nothing changed; 0 means never.
	RequeueAfter time.Duration
	// Notes tell, in words, why; for logs and golden files.
	Notes []string
}

// Action is one write. Its concrete types are DropRecord, WriteRecord,
// DeleteJob and CreateJob.
type Action interface{ action() }

// DropRecord deletes the NodeCache with this uid: it is of a node that was replaced.
type DropRecord struct{ UID types.UID }

// WriteRecord creates or updates the NodeCache; the write fails when the
// object is not the one that was read.
type WriteRecord struct{ Status v1alpha2.NodeCacheStatus }

// DeleteJob deletes a Job (by uid) and its pods.
type DeleteJob struct {
	Namespace, Name string
	UID             types.UID
	// Foreground keeps the Job until its pods are gone: its kubelet may still
	// work on a pod that no informer has shown yet.
	Foreground bool
}

// CreateJob creates a Job when the cluster-wide cap leaves room for it.
type CreateJob struct{ Spec JobSpec }

func (DropRecord) action()  {}
func (WriteRecord) action() {}
func (DeleteJob) action()   {}
func (CreateJob) action()   {}
