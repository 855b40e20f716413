package rig

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/scale/report"
)

// part is a piece of a run.
type part struct {
	name string
	do   func(*Rig, context.Context, *report.Result) error
	// long parts are left out of a short run.
	long bool
}

// parts are those of a run, in order.
var parts = []part{
	{name: "floor", do: (*Rig).floor},
	{name: "create", do: (*Rig).create},
	{name: "reports", do: (*Rig).reports},
	{name: "refresh", do: (*Rig).refreshes},
	{name: "demand", do: (*Rig).demand, long: true},
	{name: "join", do: (*Rig).newNodes},
	{name: "replace", do: (*Rig).replaced},
	{name: "restart", do: (*Rig).restarts},
	{name: "idle", do: (*Rig).idle},
	{name: "missing", do: (*Rig).missing},
	{name: "slow", do: (*Rig).slow},
	{name: "edit", do: (*Rig).edit, long: true},
	{name: "second", do: (*Rig).another, long: true},
	{name: "purge", do: (*Rig).purges, long: true},
}

// needed are the parts that all others build on.
var needed = []string{"floor", "create"}

// Parts returns the names of those that can be left out.
func Parts() []string {
	var names []string
	for _, p := range parts {
		if !slices.Contains(needed, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// PartsOf reads a list of Parts separated by commas; "all" is all of them.
func PartsOf(list string) ([]string, error) {
	if list == "all" {
		return Parts(), nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(Parts(), name) {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(Parts(), ", "))
		}
	}
	return names, nil
}
