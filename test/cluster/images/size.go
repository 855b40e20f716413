package images

import (
	"fmt"
	"strconv"
	"strings"
)

// units are ordered so that no unit hides one that ends like it.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, // as in Kubernetes
	{"KB", 1000}, {"kB", 1000}, {"MB", 1000 * 1000}, {"GB", 1000 * 1000 * 1000},
	{"B", 1}, {"", 1},
}

// ParseSize returns the bytes that a text such as "100MB", "1GiB", "1Gi" or "512"
// stands for.
func ParseSize(text string) (int64, error) {
	for _, unit := range units {
		digits, found := strings.CutSuffix(text, unit.name)
		if !found {
			continue
		}
		number, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || number < 0 || number > (1<<62)/unit.bytes {
			return 0, fmt.Errorf("size %q: want a number with B, KB, MB, GB, KiB, MiB or GiB", text)
		}
		return number * unit.bytes, nil
	}
	return 0, nil
}
