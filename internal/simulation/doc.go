// Package simulation tests internal/plan against a fake cluster: an API server
// whose watches lag, a job controller, kubelets with an image store, a registry
// whose tags move, users, faults and a virtual clock. Everything is in its
// tests; nothing imports it.
//
// TestRandomWorlds runs hundreds of random worlds and checks the promises of
// the design after every write (promises_test.go). What may be removed is judged
// by the users' own writes (truth_test.go), what must be there in the end by the
// image stores (settled_test.go); a world that is as it should be then has to
// stay so without a write (idle_test.go). TestStories runs scenarios in a fixed
// order and compares what happens, told in words, with testdata/*.log.golden.
//
//	go test ./internal/simulation                                     # three hundred worlds
//	SIM_SEEDS=5000 go test ./internal/simulation -run RandomWorlds    # more
//	SIM_SEED=42 go test ./internal/simulation -run RandomWorlds -v    # one, with its story
//	go test ./internal/simulation -run Stories -update                # rewrite the stories
package simulation
