// Package kubefledged is the operator's loop, with one key per KubeFledged: it
// reads what Helm has recorded and what is in the cluster, lets internal/release
// decide on one action, carries it out, and says in status how things are.
package kubefledged
