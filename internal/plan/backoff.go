package plan

import (
	"hash/fnv"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// Waits between tries, doubled with each one. What only a human can mend is
// tried rarely; what passes by itself is tried soon.
const (
	permanentFirst = 5 * time.Minute
	permanentMost  = time.Hour
	transientFirst = 10 * time.Second
	transientMost  = 10 * time.Minute
	refusedFirst   = 30 * time.Second
	refusedMost    = 10 * time.Minute
)

// retryAt returns when a failed image is due again on the node with this uid.
func retryAt(rec *v1alpha2.ImageRecord, node types.UID) time.Time {
	first, most := transientFirst, transientMost
	// What took too long takes the node's one pull slot for as long again.
	if outcome.Permanent(rec.Reason) || rec.Reason == v1alpha2.ReasonPullDeadlineExceeded {
		first, most = permanentFirst, permanentMost
	}
	seed := string(node) + rec.Image + rec.Identity + strconv.Itoa(int(rec.Attempts))
	return rec.Time.Add(jitter(doubled(first, most, rec.Attempts), seed))
}

// doubled returns first * 2^(attempts-1), at most most.
func doubled(first, most time.Duration, attempts int32) time.Duration {
	wait := first
	for i := int32(1); i < attempts && wait < most; i++ {
		wait *= 2
	}
	return min(wait, most)
}

// jitter spreads wait by up to a fifth, by a hash of seed: the same in every
// replica, different on every node, so that a thousand nodes that failed
// together do not come back together.
func jitter(wait time.Duration, seed string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(seed))
	return wait + time.Duration(float64(wait)*float64(h.Sum32()%1000)/5000)
}
