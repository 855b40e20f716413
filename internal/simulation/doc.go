// Package simulation tests internal/plan against a fake cluster: an API server
// whose watches lag, a job controller, kubelets, a registry, users, faults and
// a virtual clock. Everything is in its tests; nothing imports it.
//
// TestRandomWorlds runs hundreds of random worlds and checks the promises of
// the design after every write (promises_test.go). TestStories runs a handful
// of scenarios in a fixed order and compares what happens, told in words, with
// testdata/*.log.golden.
//
//	go test ./internal/simulation                                     # a few hundred worlds
//	SIM_SEEDS=5000 go test ./internal/simulation -run RandomWorlds    # more
//	SIM_SEED=42 go test ./internal/simulation -run RandomWorlds -v    # one, with its story
//	go test ./internal/simulation -run Stories -update                # rewrite the stories
package simulation
