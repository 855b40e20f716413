package outcome

import "strings"

// culprit is whose image a container lacks.
type culprit int

const (
	// unclear: the message names nobody, and the events are not read yet.
	unclear culprit = iota
	ownImage
	helperImage
)

// isHelper tells whether image i is the helper image itself.
func (r *reader) isHelper(i int) bool {
	return r.helper.full != "" && r.images[i].full == r.helper.full
}

// culprit returns whose image the container of image i lacks. In the exec
// method the container has only its own. A container that mounts its image
// runs from the helper, and shows the failure of either under the same reason;
// only the message tells them apart.
func (r *reader) culprit(i int, message string) culprit {
	if r.ExecMethod || r.isHelper(i) || r.helper.full == "" {
		return ownImage
	}
	if who := r.named(i, message); who != unclear {
		return who
	}
	if r.needEvents() {
		return unclear
	}
	_, helperFailed := r.newest(pullFailureOf(r.helper))
	_, ownFailed := r.newest(pullFailureOf(r.images[i]))
	if helperFailed && !ownFailed {
		return helperImage
	}
	return ownImage
}

// named returns whose image a message names more exactly.
func (r *reader) named(i int, message string) culprit {
	if strings.HasPrefix(message, "Back-off pulling image ") {
		if subject, ok := firstQuoted(message); ok && subject.full == r.helper.full {
			return helperImage
		} else if ok {
			return ownImage
		}
	}
	switch own, helper := mentions(message, r.images[i]), mentions(message, r.helper); {
	case own > helper:
		return ownImage
	case helper > own:
		return helperImage
	}
	return unclear
}
