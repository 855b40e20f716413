package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// asks is what a user's annotations are, as key and value in turn.
func asks(words ...string) map[string]string {
	keys := map[string]string{"purge": v1alpha2.AnnotationPurge, "refresh": v1alpha2.AnnotationRefresh}
	annotations := map[string]string{}
	for i := 0; i < len(words); i += 2 {
		annotations[keys[words[i]]] = words[i+1]
	}
	return annotations
}

// operation is one of generation 2.
func operation(kind OperationKind, id int64, purgeValue, refreshValue string) Operation {
	return Operation{Kind: kind, ID: id, Generation: 2, Time: now, PurgeValue: purgeValue, RefreshValue: refreshValue}
}

func TestAcceptRequests(t *testing.T) {
	first := now.Unix()
	purged, refreshed := operation(OperationPurge, 7, "a", ""), operation(OperationRefresh, 7, "", "a")
	later := purged
	later.ID = first + 100
	long := strings.Repeat("x", 65)
	hash := keptValue(long)
	type in = AcceptInput
	tests := map[string]struct {
		in     AcceptInput
		want   Operation // zero when nothing is accepted
		remove string
	}{
		"nothing asked":                {in{}, Operation{}, ""},
		"another annotation":           {in{Annotations: map[string]string{"example.com/note": "x"}}, Operation{}, ""},
		"a purge":                      {in{Annotations: asks("purge", "")}, operation(OperationPurge, first, "", ""), "purge"},
		"a purge with a value":         {in{Annotations: asks("purge", "a")}, operation(OperationPurge, first, "a", ""), "purge"},
		"a refresh":                    {in{Annotations: asks("refresh", "")}, operation(OperationRefresh, first, "", ""), "refresh"},
		"both: the purge comes first":  {in{Annotations: asks("purge", "", "refresh", "b")}, operation(OperationPurge, first, "", ""), "purge"},
		"a refresh within the purge":   {in{Operation: purged, Annotations: asks("refresh", "")}, Operation{}, ""},
		"a refresh after the purge":    {in{Operation: purged, Served: true, Annotations: asks("refresh", "b")}, operation(OperationRefresh, first, "a", "b"), "refresh"},
		"a purge within the purge":     {in{Operation: purged, Annotations: asks("purge", "")}, operation(OperationPurge, first, "a", ""), "purge"},
		"another purge, both asked":    {in{Operation: purged, Annotations: asks("purge", "b", "refresh", "")}, operation(OperationPurge, first, "b", ""), "purge"},
		"a refresh within a refresh":   {in{Operation: refreshed, Annotations: asks("refresh", "")}, operation(OperationRefresh, first, "", "a"), "refresh"},
		"a purge within a refresh":     {in{Operation: refreshed, Annotations: asks("purge", "b")}, operation(OperationPurge, first, "b", "a"), "purge"},
		"an edit lifted the purge":     {in{Generation: 3, Operation: purged, Annotations: asks("refresh", "")}, withGeneration(operation(OperationRefresh, first, "a", ""), 3), "refresh"},
		"the same purge again":         {in{Operation: purged, Served: true, Annotations: asks("purge", "a")}, Operation{}, ""},
		"the same refresh again":       {in{Operation: refreshed, Served: true, Annotations: asks("refresh", "a")}, Operation{}, ""},
		"the empty value again":        {in{Operation: operation(OperationPurge, 7, "", ""), Served: true, Annotations: asks("purge", "")}, operation(OperationPurge, first, "", ""), "purge"},
		"a purge with a refresh's":     {in{Operation: refreshed, Annotations: asks("purge", "a")}, operation(OperationPurge, first, "a", "a"), "purge"},
		"an old purge beside a new":    {in{Operation: purged, Served: true, Annotations: asks("purge", "a", "refresh", "c")}, operation(OperationRefresh, first, "a", "c"), "refresh"},
		"an old purge within itself":   {in{Operation: purged, Annotations: asks("purge", "a", "refresh", "c")}, Operation{}, ""},
		"an old purge after a refresh": {in{Operation: operation(OperationRefresh, 7, "a", "b"), Served: true, Annotations: asks("purge", "a", "refresh", "b")}, Operation{}, ""},
		"an empty one keeps the value": {in{Operation: purged, Served: true, Annotations: asks("purge", "")}, operation(OperationPurge, first, "a", ""), "purge"},
		"a longer value is hashed":     {in{Annotations: asks("purge", long)}, operation(OperationPurge, first, hash, ""), "purge"},
		"the same long value":          {in{Operation: operation(OperationPurge, 7, hash, ""), Served: true, Annotations: asks("purge", long)}, Operation{}, ""},
		"another long value":           {in{Operation: operation(OperationPurge, 7, hash, ""), Served: true, Annotations: asks("purge", long+"x")}, operation(OperationPurge, first, keptValue(long+"x"), ""), "purge"},
		"the hash as a value":          {in{Operation: operation(OperationPurge, 7, hash, ""), Served: true, Annotations: asks("purge", hash)}, operation(OperationPurge, first, keptValue(hash), ""), "purge"},
		"64 characters are kept":       {in{Annotations: asks("refresh", long[:64])}, operation(OperationRefresh, first, "", long[:64]), "refresh"},
		"the clock was ahead":          {in{Operation: later, Served: true, Annotations: asks("purge", "b")}, operation(OperationPurge, first+101, "b", ""), "purge"},
		"being deleted":                {in{Deleting: true, Annotations: asks("purge", "", "refresh", "")}, Operation{}, ""},
		"being deleted with a purge":   {in{Deleting: true, PurgeOnDeletion: true, Held: true, Annotations: asks("refresh", "")}, Operation{}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.in.Now, tc.in.Generation = now.Add(300*time.Millisecond), max(tc.in.Generation, 2)
			got := Accept(tc.in)
			want := Acceptance{}
			if tc.remove != "" {
				want.Operation = &tc.want
				want.Remove = "kubefledged.io/" + tc.remove + "-imagecache"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if got.Empty() != (tc.remove == "") {
				t.Errorf("empty: %v", got.Empty())
			}
		})
	}
}

func withGeneration(op Operation, generation int64) Operation {
	op.Generation = generation
	return op
}

// TestAcceptedOnce: after the write the request is gone, and when it is put
// back with its value nothing is written again.
func TestAcceptedOnce(t *testing.T) {
	in := AcceptInput{Now: now, Generation: 1, Annotations: asks("purge", "a", "refresh", "b")}
	var kinds []OperationKind
	var ids []int64
	for range 10 {
		a := Accept(in)
		in.Served = !in.Served
		if a.Empty() {
			continue
		}
		kinds, ids = append(kinds, a.Operation.Kind), append(ids, a.Operation.ID)
		in.Operation = *a.Operation // and GitOps puts the annotation back
	}
	if diff := cmp.Diff([]OperationKind{OperationPurge, OperationRefresh}, kinds); diff != "" {
		t.Error(diff)
	}
	if ids[1] <= ids[0] {
		t.Errorf("ids %v", ids)
	}
}

func TestAcceptFinalizer(t *testing.T) {
	type in = AcceptInput
	for name, tc := range map[string]struct {
		in   AcceptInput
		want Acceptance
	}{
		"Retain":                          {in{}, Acceptance{}},
		"Purge":                           {in{PurgeOnDeletion: true}, Acceptance{Hold: true}},
		"Purge, held":                     {in{PurgeOnDeletion: true, Held: true}, Acceptance{}},
		"no longer Purge":                 {in{Held: true}, Acceptance{Release: true}},
		"released is for the deletion":    {in{PurgeOnDeletion: true, Held: true, Released: true}, Acceptance{}},
		"deleted":                         {in{Deleting: true, PurgeOnDeletion: true, Held: true}, Acceptance{}},
		"deleted and released":            {in{Deleting: true, PurgeOnDeletion: true, Held: true, Released: true}, Acceptance{Release: true}},
		"deleted, no longer Purge":        {in{Deleting: true, Held: true}, Acceptance{Release: true}},
		"deleted, never held":             {in{Deleting: true, PurgeOnDeletion: true, Released: true}, Acceptance{}},
		"together with a request":         {in{PurgeOnDeletion: true, Annotations: asks("purge", "")}, Acceptance{Hold: true, Remove: v1alpha2.AnnotationPurge, Operation: &Operation{Kind: OperationPurge, ID: now.Unix(), Time: now}}},
		"no longer Purge, with a request": {in{Held: true, Annotations: asks("refresh", "")}, Acceptance{Release: true, Remove: v1alpha2.AnnotationRefresh, Operation: &Operation{Kind: OperationRefresh, ID: now.Unix(), Time: now}}},
	} {
		tc.in.Now = now
		if diff := cmp.Diff(tc.want, Accept(tc.in)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
