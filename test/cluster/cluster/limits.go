//go:build linux

package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// inotifyFile has how many inotify instances a user may have. A cluster of two
// nodes needs 40, and most systems allow 128: with the fourth cluster, kubelets
// would end with "too many open files".
const (
	inotifyFile   = "/proc/sys/fs/inotify/max_user_instances"
	inotifyWanted = 1024
)

// ensureInotify raises the machine's limit unless it is high enough. Nobody
// lowers it again, as other programs may rely on it by then.
func (c *Cluster) ensureInotify() error {
	content, err := os.ReadFile(inotifyFile)
	if err != nil {
		return err
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || limit >= inotifyWanted {
		return err
	}
	c.say("raising fs.inotify.max_user_instances from %d to %d", limit, inotifyWanted)
	if err := os.WriteFile(inotifyFile, []byte(strconv.Itoa(inotifyWanted)), 0o644); err != nil {
		return fmt.Errorf("raising %s, which kubelets need: %w", inotifyFile, err)
	}
	return nil
}
