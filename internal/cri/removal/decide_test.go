package removal

import (
	"strings"
	"testing"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
)

const (
	id      = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	digestA = "quay.io/a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "quay.io/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	older   = "quay.io/a@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		names        []string
		pinned       bool
		remove, keep []string
		otherNames   bool
		uses         []use
		want         cri.Result
		words        string
	}{
		"a tag and its digest":     {names: []string{"quay.io/a:1", digestA}, remove: []string{"quay.io/a:1"}, want: cri.Removed},
		"two digests of its own":   {names: []string{"quay.io/a:1", digestA, older}, remove: []string{"quay.io/a:1"}, want: cri.Removed},
		"no names any longer":      {remove: []string{"quay.io/a:1"}, want: cri.Removed},
		"pinned":                   {names: []string{"quay.io/a:1"}, pinned: true, remove: []string{"quay.io/a:1"}, otherNames: true, want: cri.Pinned, words: "pinned"},
		"another tag is kept":      {names: []string{"quay.io/a:1", "quay.io/a:2", digestA}, remove: []string{"quay.io/a:1"}, keep: []string{"quay.io/a:2"}, want: cri.Shared, words: "quay.io/a:2 is wanted"},
		"its digest is kept":       {names: []string{"quay.io/a:1", digestA}, remove: []string{"quay.io/a:1"}, keep: []string{digestA}, want: cri.Shared, words: digestA},
		"tag and digest are kept":  {names: []string{"quay.io/a:1", digestA}, remove: []string{"quay.io/a:1"}, keep: []string{"quay.io/a:7@" + digestA[10:]}, want: cri.Shared},
		"itself is kept":           {names: []string{"quay.io/a:1"}, remove: []string{"quay.io/a:1"}, keep: []string{"quay.io/a:1"}, otherNames: true, want: cri.Shared},
		"kept, spelled otherwise":  {names: []string{"docker.io/library/a:latest", "quay.io/a:1"}, remove: []string{"quay.io/a:1"}, keep: []string{"a"}, want: cri.Shared},
		"listed, spelled shortly":  {names: []string{"a:latest", "quay.io/a:1"}, remove: []string{"quay.io/a:1"}, keep: []string{"docker.io/library/a"}, want: cri.Shared},
		"another version is kept":  {names: []string{"quay.io/a:1", digestA}, remove: []string{"quay.io/a:1"}, keep: []string{"quay.io/a:2"}, want: cri.Removed},
		"unknown tag":              {names: []string{"quay.io/a:1", "quay.io/a:2"}, remove: []string{"quay.io/a:1"}, want: cri.Shared, words: "quay.io/a:2 is the same image, and nobody asked"},
		"unknown digest":           {names: []string{"quay.io/a:1", digestB}, remove: []string{"quay.io/a:1"}, want: cri.Shared, words: digestB},
		"unknown no reference":     {names: []string{"quay.io/a:1", "UPPER"}, remove: []string{"quay.io/a:1"}, want: cri.Shared, words: "UPPER"},
		"unknown but that is well": {names: []string{"quay.io/a:1", "quay.io/a:2", digestB}, remove: []string{"quay.io/a:1"}, otherNames: true, want: cri.Removed},
		"all tags asked":           {names: []string{"quay.io/a:1", "quay.io/a:2", digestA}, remove: []string{"quay.io/a:1", "quay.io/a:2"}, want: cri.Removed},
		"a digest of a kept name":  {names: []string{"quay.io/a:1", digestB}, remove: []string{"quay.io/a:1"}, keep: []string{"quay.io/b:1"}, otherNames: true, want: cri.Shared, words: digestB},
		"asked by digest":          {names: []string{digestA}, remove: []string{digestA}, want: cri.Removed},
		"by digest, with a tag":    {names: []string{digestA, "quay.io/a:1"}, remove: []string{digestA}, want: cri.Shared},
		"the tag has moved":        {names: []string{digestA}, remove: []string{"quay.io/a:1"}, want: cri.Shared},
		"kept wins over unknown":   {names: []string{"quay.io/a:1", "quay.io/x:1", "quay.io/b:1"}, remove: []string{"quay.io/a:1"}, keep: []string{"quay.io/b:1"}, want: cri.Shared, words: "quay.io/b:1 is wanted"},
		"shared and in use":        {names: []string{"quay.io/a:1", "quay.io/b:1"}, remove: []string{"quay.io/a:1"}, keep: []string{"quay.io/b:1"}, uses: []use{{"pod", []string{id}}}, want: cri.Shared},
		"used by ID":               {names: []string{"quay.io/a:1"}, remove: []string{"quay.io/a:1"}, uses: []use{{"pod x/y", []string{"", id}}}, want: cri.InUse, words: "used by pod x/y"},
		"used by bare ID":          {names: []string{"quay.io/a:1"}, remove: []string{"quay.io/a:1"}, uses: []use{{"pod", []string{strings.TrimPrefix(id, "sha256:")}}}, want: cri.InUse},
		"used by digest":           {names: []string{"quay.io/a:1", digestA}, remove: []string{"quay.io/a:1"}, uses: []use{{"pod", []string{digestA}}}, want: cri.InUse},
		"used by a short name":     {names: []string{"docker.io/library/a:1"}, remove: []string{"a:1"}, uses: []use{{"pod", []string{"a:1"}}}, want: cri.InUse},
		"used under another name":  {names: []string{"quay.io/a:1", "quay.io/b:1"}, remove: []string{"quay.io/a:1"}, otherNames: true, uses: []use{{"pod", []string{"quay.io/b:1"}}}, want: cri.InUse},
		"others are used":          {names: []string{"quay.io/a:1"}, remove: []string{"quay.io/a:1"}, uses: []use{{"pod", []string{"sha256:2", "quay.io/a:2", ""}}}, want: cri.Removed},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(image{id, c.names, c.pinned}, newIntent(c.remove, c.keep, c.otherNames), c.uses)
			if got.result != c.want || !strings.Contains(got.message, c.words) {
				t.Errorf("decide = %v, want %s with the words %q", got, c.want, c.words)
			}
		})
	}
}

// Whatever the names look like, an image with a kept name is not removed, nor
// one in use.
func FuzzDecide(f *testing.F) {
	for _, seed := range [][2]string{{"a", "docker.io/library/a:latest"}, {"quay.io/a:1", digestA}, {"", "@"}, {"UPPER", "sha256:"}, {"[::1]:5/a", "a:1@" + id}, {"$(id)", "-x"}} {
		f.Add(seed[0], seed[1], true)
		f.Add(seed[1], seed[0], false)
	}
	f.Fuzz(func(t *testing.T, first, second string, otherNames bool) {
		img := image{id: id, names: []string{first, second}}
		in := newIntent([]string{first}, []string{second}, otherNames)
		if got := decide(img, in, nil); got.result != cri.Shared || got.message == "" {
			t.Errorf("%q is kept, but decide = %v", second, got)
		}
		in = newIntent([]string{first, second}, nil, otherNames)
		if got := decide(img, in, []use{{"pod", []string{id}}}); got.result != cri.InUse {
			t.Errorf("in use, but decide = %v", got)
		}
		if got := decide(img, in, nil); got.result != cri.Removed {
			t.Errorf("all names are to go, but decide = %v", got)
		}
	})
}
