package critest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// World is a node with a container runtime, as far as the cases need it. Each
// case has one of its own, or names of its own. What cannot be done ends the test.
type World interface {
	// Name returns a name of a registry that no other case uses, for a
	// repository and tag such as app:1.
	Name(registry, suffix string) string
	// Have gives the node one image under all of these names.
	Have(names ...string)
	// HaveArtifacts gives the node an artifact under each name. They differ,
	// and have the same config.
	HaveArtifacts(names ...string)
	// Run starts a pod that runs an image, Mount one that mounts it as a
	// volume. They return its namespace and name: team/web.
	Run(image string) (pod string)
	Mount(image string) (pod string)
	// Pinned returns the name of an image that the runtime has pinned.
	Pinned() string
	// Names returns the names of all images on the node.
	Names() []string
	// Remove runs the helper with these arguments after `remove`, and returns
	// its report and exit code.
	Remove(args ...string) (cri.Report, int)
}

// Suite runs all cases, each in a world of its own.
func Suite(t *testing.T, newWorld func(t *testing.T) World) {
	for name, run := range map[string]func(t *testing.T, w World){
		"an image goes":                imageGoes,
		"an absent image":              absentImage,
		"two tags of a digest":         twoTags,
		"two repositories of a digest": twoRepositories,
		"two artifacts of a config":    twoArtifacts,
		"names nobody knows":           unknownNames,
		"a tag and its digest":         tagAndDigest,
		"another spelling":             anotherSpelling,
		"a pinned image":               pinnedImage,
		"a running container's image":  runningImage,
		"a mounted image":              mountedImage,
		"what is no name":              noNames,
		"two thousand names to keep":   manyKept,
		"order":                        anyOrder,
		"the same image many times":    repeated,
		"the termination message":      terminationMessage,
		"both to go and to be kept":    contradiction,
		"an abbreviated ID":            abbreviatedID,
	} {
		t.Run(name, func(t *testing.T) { run(t, newWorld(t)) })
	}
}

// expect removes and compares the results, in the order of the images, which
// are the last arguments. It returns the report.
func expect(t *testing.T, w World, args []string, want ...cri.Result) cri.Report {
	t.Helper()
	report, code := w.Remove(args...)
	var got []cri.Result
	for i, image := range report.Images {
		got = append(got, image.Result)
		if name := args[len(args)-len(report.Images)+i]; image.Image != name {
			t.Errorf("result %d is of %q, want %q", i, image.Image, name)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("remove %.500q\nreturned %v: %v, want %v", args, got, report, want)
	}
	wantCode := 0
	if slices.Contains(want, cri.Failed) {
		wantCode = 1
	}
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	return report
}

func checkThere(t *testing.T, w World, there bool, names ...string) {
	t.Helper()
	all := w.Names()
	for _, name := range names {
		if slices.Contains(all, name) != there {
			t.Errorf("%s is on the node: %t, want %t", name, !there, there)
		}
	}
}

func checkMessage(t *testing.T, report cri.Report, words ...string) {
	t.Helper()
	for _, word := range words {
		if message := report.Images[0].Message; !strings.Contains(message, word) {
			t.Errorf("message %q does not say %q", message, word)
		}
	}
}

func imageGoes(t *testing.T, w World) {
	image, other := w.Name("quay.io", "app:1"), w.Name("quay.io", "other:1")
	w.Have(image)
	w.Have(other)
	expect(t, w, []string{"--keep", other, image}, cri.Removed)
	checkThere(t, w, false, image)
	checkThere(t, w, true, other)
	for _, name := range w.Names() {
		if strings.HasPrefix(name, reference.Repository(image)) {
			t.Errorf("%s is left of the image", name)
		}
	}
	expect(t, w, []string{"--keep", other, image}, cri.Absent) // once more
}

func absentImage(t *testing.T, w World) {
	before := len(w.Names())
	expect(t, w, []string{w.Name("quay.io", "absent:1")}, cri.Absent)
	if after := len(w.Names()); after != before {
		t.Errorf("the node has %d names, had %d", after, before)
	}
}

func twoTags(t *testing.T, w World) {
	first, second := w.Name("quay.io", "app:1"), w.Name("quay.io", "app:2")
	checkPair(t, w, first, second)
}

func twoRepositories(t *testing.T, w World) {
	first, second := w.Name("quay.io", "app:1"), w.Name("gcr.io", "app:1")
	checkPair(t, w, first, second)
}

// checkPair is about one image with two names.
func checkPair(t *testing.T, w World, first, second string) {
	t.Helper()
	w.Have(first, second)
	report := expect(t, w, []string{"--keep", second, first}, cri.Shared)
	checkMessage(t, report, second, "wanted")
	checkThere(t, w, true, first, second)
	expect(t, w, []string{first, second}, cri.Removed, cri.Removed)
	checkThere(t, w, false, first, second)
}

// twoArtifacts: the runtime has them under one ID, and removes them as one.
func twoArtifacts(t *testing.T, w World) {
	model, adapter := w.Name("quay.io", "model:1"), w.Name("quay.io", "adapter:1")
	w.HaveArtifacts(model, adapter)
	expect(t, w, []string{"--keep", adapter, model}, cri.Shared)
	checkThere(t, w, true, model, adapter)
	expect(t, w, []string{model, adapter}, cri.Removed, cri.Removed)
	checkThere(t, w, false, model, adapter)
}

func unknownNames(t *testing.T, w World) {
	ours, theirs := w.Name("quay.io", "app:1"), w.Name("gcr.io", "app:1")
	w.Have(ours, theirs)
	report := expect(t, w, []string{ours}, cri.Shared)
	checkMessage(t, report, theirs, "nobody asked")
	checkThere(t, w, true, ours, theirs)
	expect(t, w, []string{"--other-names", "--keep", theirs, ours}, cri.Shared)
	expect(t, w, []string{"--other-names", ours}, cri.Removed)
	checkThere(t, w, false, ours, theirs)
}

func tagAndDigest(t *testing.T, w World) {
	tag := w.Name("quay.io", "app:1")
	w.Have(tag)
	names := w.Names() // once: a runtime lists in no order
	i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, reference.Repository(tag)+"@") })
	if i < 0 {
		t.Fatalf("no digest of %s in %q", tag, names)
	}
	digest := names[i]
	expect(t, w, []string{"--keep", digest, tag}, cri.Shared)
	expect(t, w, []string{"--keep", tag, digest}, cri.Shared)
	expect(t, w, []string{digest}, cri.Shared) // somebody may count on the tag
	checkThere(t, w, true, tag, digest)
	both := tag + strings.TrimPrefix(digest, reference.Repository(tag)) // app:1@sha256:... means the digest
	expect(t, w, []string{tag, both}, cri.Removed, cri.Removed)
	checkThere(t, w, false, tag, digest)
}

func anotherSpelling(t *testing.T, w World) {
	image := w.Name("docker.io", "app:latest")
	w.Have(image)
	short := strings.TrimSuffix(strings.TrimPrefix(image, "docker.io/"), ":latest")
	expect(t, w, []string{"--keep", short, "index." + image}, cri.Shared)
	checkThere(t, w, true, image)
	expect(t, w, []string{short}, cri.Removed)
	checkThere(t, w, false, image)
}

func pinnedImage(t *testing.T, w World) {
	image := w.Pinned()
	expect(t, w, []string{"--other-names", image}, cri.Pinned)
	checkThere(t, w, true, image)
}

func runningImage(t *testing.T, w World) {
	image := w.Name("quay.io", "app:1")
	w.Have(image)
	pod := w.Run(image)
	report := expect(t, w, []string{"--other-names", image}, cri.InUse)
	checkMessage(t, report, "pod "+pod, "container ")
	checkThere(t, w, true, image)
}

func mountedImage(t *testing.T, w World) {
	image := w.Name("quay.io", "data:1")
	w.Have(image)
	pod := w.Mount(image)
	report := expect(t, w, []string{"--other-names", image}, cri.InUse)
	checkMessage(t, report, "pod "+pod, "a volume of container ")
	checkThere(t, w, true, image)
}

func noNames(t *testing.T, w World) {
	image := w.Name("quay.io", "app:1")
	w.Have(image)
	pwned := filepath.Join(t.TempDir(), "pwned")
	bad := []string{"$(touch " + pwned + ")", "`touch " + pwned + "`", "a; touch " + pwned, "a\nb", "", "-x", "--keep", "../../etc", "*"}
	want := make([]cri.Result, len(bad), len(bad)+1)
	for i := range want {
		want[i] = cri.Failed
	}
	report := expect(t, w, append(append([]string{"--"}, bad...), image), append(want, cri.Removed)...)
	checkMessage(t, report, `character '$'`)
	if _, err := os.Stat(pwned); err == nil {
		t.Error("a name was executed")
	}
	checkThere(t, w, false, image)
}

// manyKept: the names of a large cluster fit the arguments of one process.
func manyKept(t *testing.T, w World) {
	image, kept, shared := w.Name("quay.io", "app:1"), w.Name("quay.io", "kept:1"), w.Name("quay.io", "shared:1")
	w.Have(image)
	w.Have(kept, shared)
	var names []string
	for i := range 2000 {
		names = append(names, w.Name("quay.io", fmt.Sprintf("%s/%d:1", strings.Repeat("long-name/", 12), i)))
	}
	args := cri.RemoveArgs(append(names, kept), []string{image, shared})
	expect(t, w, args[1:], cri.Removed, cri.Shared)
	checkThere(t, w, true, kept, shared)
}

func anyOrder(t *testing.T, w World) {
	goes, absent := w.Name("quay.io", "goes:1"), w.Name("quay.io", "absent:1")
	stays, wanted := w.Name("quay.io", "stays:1"), w.Name("gcr.io", "wanted:1")
	w.Have(stays, wanted)
	for _, reversed := range []bool{false, true} {
		w.Have(goes)
		images, want := []string{goes, absent, "no name", stays}, []cri.Result{cri.Removed, cri.Absent, cri.Failed, cri.Shared}
		if reversed {
			slices.Reverse(images)
			slices.Reverse(want)
		}
		expect(t, w, append([]string{"--keep", wanted}, images...), want...)
		checkThere(t, w, false, goes)
	}
}

func repeated(t *testing.T, w World) {
	image := w.Name("quay.io", "app:1")
	w.Have(image)
	expect(t, w, []string{image, image, image}, cri.Removed, cri.Removed, cri.Removed)
}

func terminationMessage(t *testing.T, w World) {
	image, absent := w.Name("quay.io", "app:1"), w.Name("quay.io", "absent:1")
	w.Have(image)
	file := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(file, []byte("what an earlier start of the container left, longer than what follows "+strings.Repeat(".", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, w, []string{"--termination-message-path", file, image, absent}, cri.Removed, cri.Absent)
	message, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := cri.ParseReport(string(message), []string{image, absent}); err != nil || report.Images[0].Result != cri.Removed {
		t.Errorf("termination message %q: %v", message, err)
	}
}

func contradiction(t *testing.T, w World) {
	image := w.Name("quay.io", "app:1")
	w.Have(image)
	expect(t, w, []string{"--keep", image, image}, cri.Shared)
	checkThere(t, w, true, image)
}

// abbreviatedID: runtimes take the first digits of an ID for a name, so that an
// image called deadbeef could stand for any.
func abbreviatedID(t *testing.T, w World) {
	image := w.Name("quay.io", "app:1")
	w.Have(image)
	digits := []string{"sha256:" + strings.Repeat("0", 64)}
	for _, digit := range "0123456789abcdef" {
		digits = append(digits, string(digit))
	}
	want := slices.Repeat([]cri.Result{cri.Absent}, len(digits))
	expect(t, w, digits, want...)
	checkThere(t, w, true, image)
}
