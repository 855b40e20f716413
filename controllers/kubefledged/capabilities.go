package kubefledged

import (
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/release"
)

// capabilitiesAge is how long an answer about the cluster's version and kinds is
// good for: asking takes a request for each of its groups.
const capabilitiesAge = 5 * time.Minute

// capabilities remembers what the cluster has.
type capabilities struct {
	known *release.Capabilities
	asked time.Time
}

func (c *capabilities) of(getter release.Getter) (*release.Capabilities, error) {
	if c.known != nil && clock.Since(c.asked) < capabilitiesAge {
		return c.known, nil
	}
	known, err := release.CapabilitiesOf(getter)
	if err != nil {
		return nil, err
	}
	c.known, c.asked = known, clock.Now()
	return known, nil
}
