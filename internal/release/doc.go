// Package release turns a KubeFledged into a Helm release: its spec into the
// chart's values, what Helm has recorded into a state, and the state into the
// next action. All of that is computed from values; helm.go alone speaks to
// Helm, and the controller carries out what is decided here.
package release
