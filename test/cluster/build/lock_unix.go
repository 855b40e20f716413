//go:build unix

package build

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock takes an exclusive lock on file, which the system drops by itself when
// this process ends, and returns the function that gives it back. It waits
// until ctx is done.
func lock(ctx context.Context, file string) (func(), error) {
	handle, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for unix.Flock(int(handle.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		select {
		case <-ctx.Done():
			_ = handle.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return func() { _ = handle.Close() }, nil
}
