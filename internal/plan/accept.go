package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// longestValue is the longest value of a request that is kept as it is; a user
// may write anything, and it is kept in an annotation.
const longestValue = 64

// AcceptInput is all that Accept looks at: the metadata of one ImageCache and
// how far it is.
type AcceptInput struct {
	Now        time.Time
	Generation int64
	// Operation is the one accepted last; zero when there is none.
	Operation Operation
	// Annotations of the ImageCache.
	Annotations map[string]string
	// Deleting is true when the object is being deleted.
	Deleting bool
	// PurgeOnDeletion is true when the images are to go with the object.
	PurgeOnDeletion bool
	// Held is true when our finalizer holds the object.
	Held bool
	// Served is true when all who can have carried out Operation.
	Served bool
	// Released is true when the object needs not be held any more.
	Released bool
}

// Acceptance is one change of an ImageCache's metadata, to be written at once.
type Acceptance struct {
	// Operation to note; nil when none is accepted.
	Operation *Operation
	// Remove is the user's annotation that asked for it.
	Remove string
	// Hold and Release add and remove our finalizer.
	Hold, Release bool
}

// Empty tells whether there is nothing to write.
func (a Acceptance) Empty() bool { return a.Operation == nil && !a.Hold && !a.Release }

// Accept decides on the requests of a user and on our finalizer. What it
// returns is written in one patch that fails when the object has changed, so
// that a request is accepted once however often this is tried: with the write
// the request is gone, without it nothing has happened.
func Accept(in AcceptInput) Acceptance {
	if in.Deleting {
		return Acceptance{Release: in.Held && (in.Released || !in.PurgeOnDeletion)}
	}
	a := Acceptance{Hold: in.PurgeOnDeletion && !in.Held, Release: in.Held && !in.PurgeOnDeletion}
	switch {
	case in.asked(v1alpha2.AnnotationPurge, in.Operation.PurgeValue):
		a.accept(&in, OperationPurge, v1alpha2.AnnotationPurge)
	case in.purging():
		// A refresh that overtook the purge would leave images that were to go
		// and come back, as the user asked for.
	case in.asked(v1alpha2.AnnotationRefresh, in.Operation.RefreshValue):
		a.accept(&in, OperationRefresh, v1alpha2.AnnotationRefresh)
	}
	return a
}

// asked tells whether an annotation is a new request. The value of the last one
// is none, unless empty: GitOps puts back what is in git, and would purge at
// every sync. It stays where it is, or it would be put back again.
func (in *AcceptInput) asked(annotation, last string) bool {
	value, present := in.Annotations[annotation]
	return present && (value == "" || keptValue(value) != last)
}

// purging tells whether a purge holds and is not carried out by all who can.
func (in *AcceptInput) purging() bool {
	op := &in.Operation
	return op.Kind == OperationPurge && op.Generation == in.Generation && !in.Served
}

// accept notes an operation. Its id is later than any before, also when the
// annotation that held the last one was damaged or removed: nodes compare ids.
func (a *Acceptance) accept(in *AcceptInput, kind OperationKind, annotation string) {
	op := in.Operation
	op.Kind, op.ID = kind, max(op.ID+1, in.Now.Unix())
	op.Generation, op.Time = in.Generation, in.Now.UTC().Truncate(time.Second)
	value := keptValue(in.Annotations[annotation])
	if kind == OperationPurge {
		op.PurgeValue = cmp.Or(value, op.PurgeValue)
	} else {
		op.RefreshValue = cmp.Or(value, op.RefreshValue)
	}
	a.Operation, a.Remove = &op, annotation
}

// keptValue returns what is kept of a request's value: itself, or its hash, which
// is longer than any value that is kept as it is.
func keptValue(value string) string {
	if len(value) <= longestValue {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:])
}
