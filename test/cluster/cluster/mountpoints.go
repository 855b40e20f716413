//go:build linux

package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

const (
	// madeDirs lists, a line each, the directories of this machine that clusters
	// have made in order to mount their nodes' over them. All clusters share them.
	madeDirs = "/run/kubefledged-localcluster-dirs"
	// machineLock keeps a cluster from going down, and the directories with it,
	// while another one is about to use them.
	machineLock = "/run/kubefledged-localcluster-lock"
)

// noteMountPoints adds the mount points that are missing to the list.
func noteMountPoints(plan components.Plan) error {
	file, err := os.OpenFile(madeDirs, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, mount := range plan.Mounts(components.Node{}) {
		for dir := mount.Target; dir != "/"; dir = filepath.Dir(dir) {
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				break
			}
			if _, err := file.WriteString(dir + "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeMountPoints removes the directories on the list, once the last cluster's
// namespaces are gone: removing one would take the mount away from the others'
// nodes. Somebody else's files in it keep a directory where it is.
func removeMountPoints() error {
	others, err := filepath.Glob(network.Path(network.NamePrefix + "*"))
	if err != nil || len(others) > 0 {
		return err
	}
	content, err := os.ReadFile(madeDirs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for dir := range strings.Lines(string(content)) {
		err := unix.Rmdir(strings.TrimSpace(dir))
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EBUSY) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.Remove(madeDirs))...)
}
