package validation

import (
	"fmt"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// ImageCacheUpdate returns the mistakes that an edit adds to an ImageCache. What
// was wrong before and is the same now is not judged again: an object that was
// stored before a rule came can still be edited elsewhere, and repaired in parts.
//
// Mistakes are compared and not entries, which does the same for every rule,
// whatever it looks at. Positions do not count, so that an entry stays what it is
// when one before it goes.
func ImageCacheUpdate(old, updated *v1alpha2.ImageCache) field.ErrorList {
	errs := ImageCache(updated)
	if len(errs) == 0 {
		return nil
	}
	known := map[string]int{}
	for _, err := range ImageCache(old) {
		known[withoutPositions(err)]++
	}
	var added field.ErrorList
	for _, err := range errs {
		// One old mistake excuses one: the same one twice is a new mistake.
		if key := withoutPositions(err); known[key] > 0 {
			known[key]--
			continue
		}
		added = append(added, err)
	}
	return added
}

var position = regexp.MustCompile(`\[[0-9]+\]`)

func withoutPositions(err *field.Error) string {
	return fmt.Sprintf("%s %s %v %s", err.Type, position.ReplaceAllString(err.Field, "[]"),
		err.BadValue, position.ReplaceAllString(err.Detail, "[]"))
}
