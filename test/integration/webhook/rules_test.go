package webhook

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
)

func listing(namespace, name string, images ...v1alpha2.Image) *v1alpha2.ImageCache {
	ic := fixture.ImageCache(name, fixture.InNamespace(namespace), fixture.New())
	ic.Spec.CacheSpec = []v1alpha2.CacheSpecImages{{Images: images}}
	return ic
}

// twice returns what only the webhook refuses: to the schema they are two images.
func twice(namespace, name string) *v1alpha2.ImageCache {
	return listing(namespace, name, "nginx", "docker.io/library/nginx:latest")
}

const manifest = `{apiVersion: kubefledged.io/v1alpha2, kind: ImageCache, metadata: {name: bad}, spec: {%s}}`

// TestEveryRule creates with kubectl what breaks one rule. What kubectl prints
// must name the field and say what may be there, whether the schema refuses it,
// which is asked first, or the webhook.
func TestEveryRule(t *testing.T) {
	namespace := serving(t)
	lists := strings.TrimSuffix(strings.Repeat("{images: [a]},", 65), ",")
	const terms = "spec.cacheSpec[0].nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	requires := func(terms string) string {
		return `cacheSpec: [{images: [a], nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [` + terms + `]}}}]`
	}
	for name, test := range map[string]struct {
		spec string
		want []string
	}{
		"the same image in two spellings": {`cacheSpec: [{images: [nginx, "docker.io/library/nginx:latest"]}]`,
			[]string{`The ImageCache "bad" is invalid`, `spec.cacheSpec[0].images[1]: Duplicate value: "docker.io/library/nginx:latest"`,
				"Duplicate image names within image list: docker.io/library/nginx:latest (the same image as spec.cacheSpec[0].images[0]: nginx)"}},
		"an identifier in place of a name": {`cacheSpec: [{images: [ok, "` + strings.Repeat("a", 64) + `"]}]`,
			[]string{"spec.cacheSpec[0].images[1]: Invalid value"}},
		"a repository that is too long": {`cacheSpec: [{images: ["quay.io/` + strings.Repeat("a", 256) + `"]}]`,
			[]string{"spec.cacheSpec[0].images[0]: Invalid value", "255"}},
		"a shell command":  {`cacheSpec: [{images: [ok, "$(reboot)"]}]`, []string{"spec.cacheSpec[0].images[1]: Invalid value"}},
		"no images":        {`cacheSpec: [{images: [a]}, {images: []}]`, []string{"spec.cacheSpec[1].images", "at least 1 items"}},
		"too many lists":   {`cacheSpec: [` + lists + `]`, []string{"spec.cacheSpec: Too many: 65: must have at most 64 items"}},
		"a label's key":    {`cacheSpec: [{images: [a], nodeSelector: {"a b": c}}]`, []string{`spec.cacheSpec[0].nodeSelector: Invalid value: "a b"`, "name part must consist of alphanumeric characters"}},
		"a label's value":  {`cacheSpec: [{images: [a], nodeSelector: {tier: "back end"}}]`, []string{`spec.cacheSpec[0].nodeSelector[tier]: Invalid value: "back end"`, "a valid label must be"}},
		"no terms":         {requires(""), []string{terms + ": Required value: must have at least one node selector term"}},
		"In of nothing":    {requires("{matchExpressions: [{key: tier, operator: In}]}"), []string{terms + "[0].matchExpressions[0].values", "values set can't be empty"}},
		"an operator":      {requires("{matchExpressions: [{key: tier, operator: Like, values: [a]}]}"), []string{terms + `[0].matchExpressions[0].operator: Unsupported value: "Like"`, `"Exists"`}},
		"a field of nodes": {requires("{matchFields: [{key: spec.unschedulable, operator: In, values: [a]}]}"), []string{terms + `[0].matchFields[0].key: Unsupported value: "spec.unschedulable": supported values: "metadata.name"`}},
		"a toleration":     {`cacheSpec: [], tolerations: [{value: a}]`, []string{"spec.tolerations[0].operator: Invalid value", "must be Exists when key is empty"}},
		"its seconds":      {`cacheSpec: [], tolerations: [{key: a, operator: Exists, effect: NoSchedule, tolerationSeconds: 5}]`, []string{"spec.tolerations[0].effect", "must be NoExecute when tolerationSeconds is set"}},
		"its effect":       {`cacheSpec: [], tolerations: [{key: a, operator: Exists, effect: Never}]`, []string{`spec.tolerations[0].effect: Unsupported value: "Never"`}},
		"a secret's name":  {`cacheSpec: [], imagePullSecrets: [{name: ok}, {name: No_Name}]`, []string{`spec.imagePullSecrets[1].name: Invalid value: "No_Name"`, "lowercase RFC 1123 subdomain"}},
		"a secret without": {`cacheSpec: [], imagePullSecrets: [{}]`, []string{"spec.imagePullSecrets[0].name: Required value"}},
		"a deadline":       {`cacheSpec: [], pullDeadline: soon`, []string{"spec.pullDeadline", "must be a duration such as 90s, 5m or 1h30m"}},
		"a short one":      {`cacheSpec: [], pullDeadline: 10ms`, []string{"spec.pullDeadline", "must be at least 1s"}},
		"an interval":      {`cacheSpec: [], refreshInterval: 5s`, []string{"spec.refreshInterval", "must be 0s (off) or at least 10s"}},
		"a policy":         {`cacheSpec: [], imagePullPolicy: Never`, []string{`spec.imagePullPolicy: Unsupported value: "Never": supported values: "Always", "IfNotPresent"`}},
		"another policy":   {`cacheSpec: [], deletionPolicy: Keep`, []string{`spec.deletionPolicy: Unsupported value: "Keep": supported values: "Retain", "Purge"`}},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := kubectl(t, fmt.Sprintf(manifest, test.spec), "create", "-n", namespace, "--validate=false", "-f", "-")
			if err == nil {
				t.Fatalf("accepted: %s", output)
			}
			for _, want := range test.want {
				if !strings.Contains(output, want) {
					t.Errorf("kubectl does not say %q:\n%s", want, output)
				}
			}
		})
	}
}

func TestWarningsAreShown(t *testing.T) {
	namespace := serving(t)
	other := listing(namespace, "other", "quay.io/a/b:1")
	other.Spec.ImagePullPolicy = corev1.PullAlways
	if err := cp.Client.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Warning: with imagePullPolicy IfNotPresent a node keeps the copy it has, though the tag may have moved on: nginx",
		"Warning: other ImageCaches of this namespace pull the same images with another policy; on nodes that both select, Always counts: quay.io/a/b:1 (Always in other)",
	} {
		eventually(t, "kubectl warns", func() error {
			output, err := kubectl(t, fmt.Sprintf(manifest, `imagePullPolicy: IfNotPresent, cacheSpec: [{images: [nginx, "quay.io/a/b:1"]}]`),
				"create", "--dry-run=server", "-n", namespace, "-f", "-")
			if err != nil || !strings.Contains(output, want) {
				return fmt.Errorf("kubectl printed %q: %w", output, errors.Join(err, errors.New("no such warning")))
			}
			return nil
		})
	}
}

// TestStoredBeforeTheRules: what the webhook would refuse today can still be
// edited elsewhere, repaired in parts, and be wrong in no new way.
func TestStoredBeforeTheRules(t *testing.T) {
	listener, address := listen(t)
	namespace := newNamespace(t)
	if err := cp.Client.Create(t.Context(), twice(namespace, "old")); err != nil {
		t.Fatal(err)
	}
	install(t, address)
	start(t, namespace, listener)
	waitUntilAsked(t, namespace)

	for _, step := range []struct {
		name   string
		edit   string
		refuse bool
	}{
		{"an edit elsewhere", `{"spec":{"suspend":true}}`, false},
		{"another image", `{"spec":{"cacheSpec":[{"images":["redis:1","nginx","docker.io/library/nginx:latest"]}]}}`, false},
		{"one more mistake", `{"spec":{"cacheSpec":[{"images":["redis:1","nginx","docker.io/library/nginx:latest"],"nodeSelector":{"a b":"c"}}]}}`, true},
		{"the repair", `{"spec":{"cacheSpec":[{"images":["redis:1","nginx"]}]}}`, false},
		{"the mistake again", `{"spec":{"cacheSpec":[{"images":["redis:1","nginx","docker.io/library/nginx:latest"]}]}}`, true},
	} {
		output, err := kubectl(t, "", "patch", "imagecache", "old", "-n", namespace, "--type=merge", "-p", step.edit)
		if (err != nil) != step.refuse {
			t.Errorf("%s: %v: %s", step.name, err, output)
		}
	}
}

// TestTwoThousandImages are judged long before the timeout.
func TestTwoThousandImages(t *testing.T) {
	namespace := serving(t)
	ic := listing(namespace, "large")
	for i := range 2000 {
		ic.Spec.CacheSpec[0].Images = append(ic.Spec.CacheSpec[0].Images, v1alpha2.Image(fmt.Sprintf("registry.example.com/team/app-%d:1", i)))
	}
	begun := time.Now()
	if err := cp.Client.Create(t.Context(), ic); err != nil {
		t.Fatal(err)
	}
	created := time.Since(begun)
	ic.Spec.CacheSpec[0].Images[1998] = "docker.io/library/nginx"
	ic.Spec.CacheSpec[0].Images[1999] = "nginx:latest"
	err := cp.Client.Update(t.Context(), ic)
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.cacheSpec[0].images[1999]: Duplicate value") {
		t.Errorf("got %v", err)
	}
	t.Logf("created in %s", created.Round(time.Millisecond))
	if created > 3*time.Second {
		t.Errorf("two thousand images took %s", created)
	}
	if err := cp.Client.Delete(t.Context(), ic, client.GracePeriodSeconds(0)); err != nil {
		t.Error(err)
	}
}
