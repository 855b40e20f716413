// Package version tells which build of KubeFledged is running.
package version

import (
	"fmt"
	"runtime"
)

// Version and Commit are set by the linker (see LDFLAGS in the Makefile).
var (
	// Version is the release tag, or what git describes an untagged build as.
	Version = "dev"
	// Commit is the full hash of the commit that was built.
	Commit = "unknown"
)

// String returns one line for logs and for the version commands.
func String() string {
	return fmt.Sprintf("%s (commit %s, %s, %s/%s)", Version, Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
