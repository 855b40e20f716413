//go:build e2e

package olm

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// scorecardTests are those of operator-sdk and our own one.
var scorecardTests = []string{
	"basic-check-spec", "imagecache-images-arrive", "olm-bundle-validation", "olm-crds-have-resources",
	"olm-crds-have-validation", "olm-spec-descriptors", "olm-status-descriptors",
}

// cachedImage is the one that our own test caches.
const cachedImage = "registry.k8s.io/e2e-test-images/agnhost:2.53"

// operator-sdk scorecard, under Pod Security restricted, on an installed operator.
func TestScorecard(t *testing.T) {
	w := newWorld(t)
	_, err := cluster.Run(w.ctx, "olm", "up", "--scorecard")
	w.check(err)
	_, err = cluster.PushImage(w.ctx, cachedImage, "5MB")
	w.check(err)
	output, err := runMake(w.ctx, "scorecard-push", "SCORECARD_IMG="+cluster.Registry.Address+"/kubefledged/kubefledged-scorecard:e2e")
	w.check(err)
	digest, err := digestIn(output, "kubefledged-scorecard")
	w.check(err)
	w.serve(newVersion)
	w.catalogByAddress()
	w.namespaces("restricted")
	w.subscribe("Automatic")
	w.installed(newVersion)
	w.imageCacheReady(newVersion)

	w.Cleanup(func() {
		_, _ = cluster.Kubectl(w.background(), "delete", "namespace", "kubefledged-scorecard", "--ignore-not-found")
		_, _ = cluster.Kubectl(w.background(), "delete", "clusterrole,clusterrolebinding", "kubefledged-scorecard", "--ignore-not-found")
	})
	w.kubectl("create", "namespace", "kubefledged-scorecard")
	w.kubectl("label", "namespace", "kubefledged-scorecard", "pod-security.kubernetes.io/enforce=restricted")
	w.step("seven tests of scorecard", func() {
		output = w.sdk("scorecard", "BUNDLE_DIR="+releases[newVersion].Dir, "SCORECARD_IMG="+repositories+"/kubefledged-scorecard@"+digest)
	})
	w.judgeScorecard(output)
	w.removeImageCache()
	w.removeOperator()
	w.removeCatalog()
}

// judgeScorecard checks that all tests have run and passed, and writes what they
// said to the file that the environment variable SCORECARD_OUTPUT names.
func (w *world) judgeScorecard(output string) {
	w.Helper()
	_, output, _ = strings.Cut(output, "\n{")
	var list struct {
		Items []struct {
			Spec   struct{ Image string }
			Status struct {
				Results []struct {
					Name, Log, State    string
					Errors, Suggestions []string
				}
			}
		}
	}
	w.check(json.NewDecoder(strings.NewReader("{" + output)).Decode(&list))
	passed := map[string]bool{}
	var text strings.Builder
	for _, item := range list.Items {
		for _, result := range item.Status.Results {
			passed[result.Name] = result.State == "pass"
			fmt.Fprintf(&text, "%s: %s\n  image: %s\n", result.Name, result.State, item.Spec.Image)
			for _, line := range slices.Concat(logLines(result.Log), result.Errors, result.Suggestions) {
				fmt.Fprintf(&text, "  %s\n", line)
			}
		}
	}
	w.Log(text.String())
	for _, name := range scorecardTests {
		if !passed[name] {
			w.Errorf("%s has not passed", name)
		}
	}
	if len(passed) != len(scorecardTests) {
		w.Errorf("%d tests have run, want %d", len(passed), len(scorecardTests))
	}
	if file := os.Getenv("SCORECARD_OUTPUT"); file != "" {
		w.check(os.WriteFile(file, []byte(text.String()), 0o644))
	}
}

// logLines leaves out what the tests of operator-sdk print of whole CRDs.
func logLines(log string) []string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	lines = lines[:min(len(lines), 5)]
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" || len(line) > 200 || strings.HasPrefix(line, " ") })
}
