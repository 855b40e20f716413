package simulation

import (
	"strconv"
	"strings"
	"time"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// registry says what a pull of an image brings, and how long it takes.
type registry struct {
	missing, private map[string]bool
	// megabytes of each image.
	megabytes map[string]int
	// moved counts how often a tag was moved to another image; same has the
	// names whose image is that of another name.
	moved map[string]int
	same  map[string]string
	// speed in megabytes a second.
	speed int
	// down makes every pull fail for a while.
	down bool
}

func newRegistry() *registry {
	return &registry{
		missing: map[string]bool{}, private: map[string]bool{}, megabytes: map[string]int{},
		moved: map[string]int{}, same: map[string]string{}, speed: 50,
	}
}

// digest is what the registry has under a name now: the ID of the image.
func (r *registry) digest(image string) string {
	if moves := r.moved[image]; moves > 0 {
		return "sha256:" + image + "#" + strconv.Itoa(moves)
	}
	if other := r.same[image]; other != "" {
		return r.digest(other)
	}
	return "sha256:" + image
}

// alias makes name another name of image.
func (r *registry) alias(name, image string) {
	r.same[name], r.megabytes[name] = image, r.megabytes[image]
	r.missing[name], r.private[name] = r.missing[image], r.private[image]
}

// bad returns why an image cannot be pulled with identity whatever is tried
// again, "" when it can. Private images want a secret named good.
func (r *registry) bad(image, identity string) string {
	switch {
	case r.missing[image]:
		return v1alpha2.ReasonImageNotFound
	case r.private[image] && (identity == plan.IdentityNode || !strings.Contains(identity, "good")):
		return v1alpha2.ReasonUnauthorized
	}
	return ""
}

// fetch is how long the blobs of an image take.
func (r *registry) fetch(image string) time.Duration {
	return time.Duration(r.megabytes[image]) * time.Second / time.Duration(r.speed)
}

// manifest is how long a manifest takes, or a refusal.
const manifest = 200 * time.Millisecond

func failed(reason string) outcome.Image {
	return outcome.Image{Kind: outcome.Failed, Reason: reason, Message: "the registry says: " + reason}
}
