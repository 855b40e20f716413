package plan

import "time"

// OperationKind is what a user asked for.
type OperationKind string

const (
	// OperationPurge removes the images of an ImageCache from its nodes.
	OperationPurge OperationKind = "purge"
	// OperationRefresh brings them up to date, or back after a purge.
	OperationRefresh OperationKind = "refresh"
)

// Operation is a purge or refresh that the controller has accepted, as the
// annotation kubefledged.io/operation of the ImageCache holds it.
type Operation struct {
	Kind OperationKind `json:"kind"`
	// ID grows with each operation of an ImageCache.
	ID int64 `json:"id"`
	// Generation of the ImageCache when the operation was accepted.
	Generation int64 `json:"generation"`
	// Time of acceptance; for humans and the status.
	Time time.Time `json:"time"`
	// PurgeValue and RefreshValue are the values the annotations had when a
	// purge or refresh was accepted last, for telling a repetition.
	PurgeValue   string `json:"purgeValue,omitempty"`
	RefreshValue string `json:"refreshValue,omitempty"`
}

// Purged tells whether a purge holds: until a later refresh or edit, or because
// the ImageCache is being deleted with its images.
func (c *Cache) Purged() bool {
	return c.Purging || c.Operation.Kind == OperationPurge && c.Operation.Generation == c.Generation
}
