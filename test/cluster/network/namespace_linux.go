package network

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Dir is where named network namespaces are, as for "ip netns".
const Dir = "/run/netns"

// Path returns the file of the namespace.
func Path(name string) string { return filepath.Join(Dir, name) }

// Do runs work inside the named namespace, "" being the one of the process.
// What work starts or opens belongs to that namespace.
func Do(name string, work func() error) error {
	if name == "" {
		return work()
	}
	runtime.LockOSThread()
	original, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer original.Close()
	target, err := netns.GetFromName(name)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer target.Close()
	if err := netns.Set(target); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	workErr := work()
	if err := netns.Set(original); err != nil {
		// The thread stays locked and dies with its goroutine, rather than
		// carrying other work into the wrong namespace.
		return errors.Join(workErr, err)
	}
	runtime.UnlockOSThread()
	return workErr
}

// Dialer returns a dial function that connects from inside the namespace.
// Addresses must be literal: names would be looked up on another thread.
func Dialer(namespace string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (connection net.Conn, err error) {
		err = Do(namespace, func() error {
			connection, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		return connection, err
	}
}

// ensureNamespace makes the namespace with its loopback up and forwarding on.
func ensureNamespace(name string) error {
	if usable(name) {
		return nil
	}
	if err := removeNamespace(name); err != nil {
		return err
	}
	if err := create(name); err != nil {
		return err
	}
	return Do(name, func() error {
		if err := setUp("lo"); err != nil {
			return err
		}
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
	})
}

// create makes the namespace from a thread of its own and returns to the
// original one.
func create(name string) error {
	runtime.LockOSThread()
	original, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer original.Close()
	created, err := netns.NewNamed(name)
	if err == nil {
		err = created.Close()
	}
	if restore := netns.Set(original); restore != nil {
		return errors.Join(err, restore)
	}
	runtime.UnlockOSThread()
	return err
}

// usable tells whether the file is a namespace, and not the plain file that
// stays behind when its mount is gone.
func usable(name string) bool {
	var info unix.Statfs_t
	return unix.Statfs(Path(name), &info) == nil && info.Type == unix.NSFS_MAGIC
}

// removeNamespace unmounts and deletes the file; one that is absent is fine.
func removeNamespace(name string) error {
	path := Path(name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RemoveAll removes every namespace whose name begins with the cluster's
// prefix, and with them all their devices and routes.
func (n Names) RemoveAll() error {
	entries, err := os.ReadDir(Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), n.Prefix+"-") {
			errs = append(errs, removeNamespace(entry.Name()))
		}
	}
	return errors.Join(errs...)
}
