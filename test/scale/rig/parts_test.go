package rig

import (
	"slices"
	"testing"
)

func TestPartsOf(t *testing.T) {
	if got, err := PartsOf("edit,purge"); err != nil || !slices.Equal(got, []string{"edit", "purge"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := PartsOf("all"); err != nil || len(got) != len(parts)-len(needed) {
		t.Errorf("all: %v, %v", got, err)
	}
	for _, wrong := range []string{"", "edit,", "create", "edits"} {
		if got, err := PartsOf(wrong); err == nil {
			t.Errorf("%q: %v", wrong, got)
		}
	}
}
