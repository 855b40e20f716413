// Package e2e holds the scenarios on real nodes: `make e2e` runs them as root
// on Linux. What a scenario asserts is what the container runtimes and the
// registry say; the product's own status comes second.
//
// Environment: E2E_KEEP=1 leaves the cluster running, E2E_FULL=1 runs the
// longer forms too.
package e2e
