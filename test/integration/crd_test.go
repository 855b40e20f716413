package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

// TestTutorial applies the manifests of the original's tutorial as its readers
// do: create, then edit the file and apply, then annotate.
func TestTutorial(t *testing.T) {
	ensureNamespace(t, "kube-fledged")
	mustKubectl(t, sample(t, "kubefledged_v1alpha2_imagecache.yaml"), "create", "-f", "-")
	mustKubectl(t, sample(t, "kubefledged_v1alpha2_imagecache_modified.yaml"), "apply", "-f", "-")
	ic := get(t, "kube-fledged", "imagecache1")
	if got := ic.Spec.CacheSpec[0].Images; !slices.Equal(got, []v1alpha2.Image{"quay.io/bitnami/nginx:1.21.1"}) {
		t.Errorf("images after the edit: %v", got)
	}
	for _, annotation := range []string{v1alpha2.AnnotationPurge, v1alpha2.AnnotationRefresh} {
		mustKubectl(t, "", "annotate", "imagecaches", "imagecache1", "-n", "kube-fledged", annotation+"=")
		if value, found := get(t, "kube-fledged", "imagecache1").Annotations[annotation]; !found || value != "" {
			t.Errorf("annotation %s: %q, %t", annotation, value, found)
		}
	}
}

// TestSamples: what is shown to users is accepted by server and rules alike.
func TestSamples(t *testing.T) {
	ensureNamespace(t, "kube-fledged")
	ensureNamespace(t, "team-a")
	files, err := os.ReadDir("../../config/samples")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasPrefix(file.Name(), "kubefledged_v1alpha2_") {
			continue
		}
		manifest := sample(t, file.Name())
		mustKubectl(t, manifest, "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		ic := &v1alpha2.ImageCache{}
		if err := yaml.UnmarshalStrict([]byte(manifest), ic); err != nil {
			t.Errorf("%s: %v", file.Name(), err)
		}
		if errs, warnings := validation.ImageCache(ic), validation.Warnings(ic); len(errs)+len(warnings) > 0 {
			t.Errorf("%s: %v %v", file.Name(), errs, warnings)
		}
	}
}

// TestRefused holds, for each mistake, that the server names the field, and
// that our own rules, where they can see the object, refuse it too.
func TestRefused(t *testing.T) {
	in := namespace(t)
	const list, first = "spec.cacheSpec[0].images", "spec.cacheSpec[0].images[0]"
	for name, test := range map[string]struct {
		spec string
		want string
	}{
		"upper case":          {one(`"UPPER/case"`), first + `: Invalid value: "UPPER/case"`},
		"a space":             {one(`"a b"`), first},
		"shell":               {one(`"$(touch /pwned)"`), first},
		"shell, again":        {one(`"nginx;rm"`), first},
		"an empty name":       {one(`""`), first},
		"an empty tag":        {one(`"nginx:"`), first},
		"a short digest":      {one(`"nginx@sha256:abc"`), first},
		"a line break":        {one(`"nginx\n"`), first},
		"no images":           {one(``), list},
		"no list of images":   {`cacheSpec: [{}]`, list},
		"no spec":             {``, "spec"},
		"no cacheSpec":        {`suspend: true`, "spec.cacheSpec"},
		"a duplicate":         {one(`"a:1", "b:1", "a:1"`), list + "[2]: Duplicate value"},
		"513 characters":      {one(`"` + strings.Repeat("a", 513) + `"`), first},
		"2,049 images":        {one(`"` + strings.Join(names(2049), `","`) + `"`), list + ": Too many: 2049"},
		"65 lists":            {"cacheSpec: [" + strings.Repeat(`{images: ["a:1"]},`, 65) + "]", "spec.cacheSpec: Too many: 65"},
		"pull policy":         {one(`"a:1"`) + "\nimagePullPolicy: Never", "spec.imagePullPolicy: Unsupported value"},
		"deletion policy":     {one(`"a:1"`) + "\ndeletionPolicy: Keep", "spec.deletionPolicy: Unsupported value"},
		"negative deadline":   {one(`"a:1"`) + "\npullDeadline: -5m", "spec.pullDeadline"},
		"zero deadline":       {one(`"a:1"`) + "\npullDeadline: 0s", `spec.pullDeadline: Invalid value: "0s": must be at least 1s`},
		"malformed deadline":  {one(`"a:1"`) + "\npullDeadline: five minutes", `spec.pullDeadline: Invalid value: "five minutes": must be a duration such as 90s`},
		"deadline in days":    {one(`"a:1"`) + "\npullDeadline: 1d", "spec.pullDeadline"},
		"empty deadline":      {one(`"a:1"`) + "\npullDeadline: ''", "spec.pullDeadline"},
		"number as deadline":  {one(`"a:1"`) + "\npullDeadline: 300", "spec.pullDeadline"},
		"deadline too large":  {one(`"a:1"`) + "\npullDeadline: 3000000h", "spec.pullDeadline"},
		"refresh 5s":          {one(`"a:1"`) + "\nrefreshInterval: 5s", `spec.refreshInterval: Invalid value: "5s": must be 0s (off) or at least 10s`},
		"malformed refresh":   {one(`"a:1"`) + "\nrefreshInterval: soon", "spec.refreshInterval"},
		"negative refresh":    {one(`"a:1"`) + "\nrefreshInterval: -10m", "spec.refreshInterval"},
		"refresh too large":   {one(`"a:1"`) + "\nrefreshInterval: 99999999999999999999h", "spec.refreshInterval"},
		"65 labels":           {`cacheSpec: [{images: ["a:1"], nodeSelector: {` + labels(65) + `}}]`, "spec.cacheSpec[0].nodeSelector: Too many"},
		"33 secrets":          {one(`"a:1"`) + "\nimagePullSecrets: [" + strings.Repeat("{name: s},", 33) + "]", "spec.imagePullSecrets: Too many"},
		"65 tolerations":      {one(`"a:1"`) + "\ntolerations: [" + strings.Repeat("{operator: Exists},", 65) + "]", "spec.tolerations: Too many"},
		"a selector's number": {`cacheSpec: [{images: ["a:1"], nodeSelector: {tier: 1}}]`, "spec.cacheSpec[0].nodeSelector.tier"},
	} {
		t.Run(name, func(t *testing.T) {
			object := imageCache(t, in, test.spec)
			err := cp.Client.Create(testContext(t), object)
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v\nwant it invalid, naming %s", shorten(err), test.want)
			}
			refusedByRules(t, object)
		})
	}
}

// refusedByRules decodes the object as our programs do; one that cannot be
// decoded needs no rule.
func refusedByRules(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	content, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	ic := &v1alpha2.ImageCache{}
	if json.Unmarshal(content, ic) == nil && len(validation.ImageCache(ic)) == 0 {
		t.Error("the server refuses what internal/validation accepts")
	}
}

// TestAccepted are the corners on the good side of the bounds, and durations in
// every spelling the schema lets pass: one that Go could not decode would stop
// the controller's informers.
func TestAccepted(t *testing.T) {
	in := namespace(t)
	for i, spec := range []string{
		`cacheSpec: []`,
		one(`"` + strings.Repeat("a", 100) + `:1"`),
		one(`"a:1"`) + "\npullDeadline: 1s\nrefreshInterval: 0s",
		one(`"a:1"`) + "\npullDeadline: 1h30m\nrefreshInterval: 10s",
		one(`"a:1"`) + "\npullDeadline: 1.5h\nrefreshInterval: '0'",
		one(`"a:1"`) + "\npullDeadline: 2000ms\nrefreshInterval: 10000000000ns",
		one(`"a:1"`) + "\npullDeadline: 2562047h\nrefreshInterval: 0h0m0s",
		one(`"a:1", "docker.io/library/b", "localhost:5000/c", "[fd00::1]:5000/d:1", "Reg.Example.com/e:1"`),
		"cacheSpec: [" + strings.Repeat(`{images: ["a:1"]},`, 64) + "]",
	} {
		object := imageCache(t, in, spec)
		if err := cp.Client.Create(testContext(t), object); err != nil {
			t.Errorf("%d: %v", i, shorten(err))
			continue
		}
		ic := get(t, in, object.GetName())
		if errs := validation.ImageCache(ic); len(errs) > 0 {
			t.Errorf("%d: the server accepts what internal/validation refuses: %v", i, errs)
		}
		if ic.Spec.DeletionPolicy != v1alpha2.DeletionPolicyRetain {
			t.Errorf("%d: deletionPolicy is %q, not defaulted", i, ic.Spec.DeletionPolicy)
		}
	}
}

func TestTwoThousandImages(t *testing.T) {
	ctx := testContext(t)
	ic := fixture.ImageCache("many", fixture.New(), fixture.InNamespace(namespace(t)), fixture.WithImages(nil, names(2000)...))
	created := measure(t, "create with 2,000 images", func() error { return cp.Client.Create(ctx, ic) })
	ic.Spec.CacheSpec[0].Images[1999] = "registry.example.com/team/app:2"
	updated := measure(t, "update of one of them", func() error { return cp.Client.Update(ctx, ic) })
	if slowest := max(created, updated); slowest > 5*time.Second {
		t.Errorf("a write took %s", slowest)
	}
}

// TestLongNames: the longest name the server allows, which no label could hold.
func TestLongNames(t *testing.T) {
	ctx, in := testContext(t), namespace(t)
	image := "registry.example.com/" + strings.Repeat("a/", 116) + "a:" + strings.Repeat("t", 128)
	ic := fixture.ImageCache(strings.Repeat("n", 253), fixture.New(), fixture.InNamespace(in), fixture.WithImages(nil, image))
	if err := cp.Client.Create(ctx, ic); err != nil {
		t.Error(err)
	}
	ic = fixture.ImageCache(strings.Repeat("n", 254), fixture.New(), fixture.InNamespace(in), fixture.WithImages(nil, "a"))
	if err := cp.Client.Create(ctx, ic); !apierrors.IsInvalid(err) {
		t.Errorf("a name of 254 characters: %v", err)
	}
}

// TestUnknownFields: kubectl validates strictly, other clients are warned and
// the field is dropped.
func TestUnknownFields(t *testing.T) {
	in := namespace(t)
	spec := one(`"a:1"`) + "\nimagePullDeadline: 5m"
	err := cp.Client.Create(testContext(t), imageCache(t, in, spec), client.FieldValidation("Strict"))
	if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), `unknown field "spec.imagePullDeadline"`) {
		t.Errorf("strict: %v", err)
	}
	object := imageCache(t, in, spec)
	if err := cp.Client.Create(testContext(t), object, client.FieldValidation("Warn")); err != nil {
		t.Fatal(err)
	}
	if _, found, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "imagePullDeadline"); found {
		t.Error("the unknown field was kept")
	}
}

// one is a spec of one list.
func one(images string) string { return "cacheSpec: [{images: [" + images + "]}]" }

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("registry.example.com/team/application-%04d:v1.2.3", i)
	}
	return all
}

func labels(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("l%d: x", i)
	}
	return strings.Join(all, ", ")
}

// imageCache makes an object of a spec in YAML, with a name the server generates.
func imageCache(t *testing.T, in, spec string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{}}
	if spec != "" {
		var content map[string]any
		if err := yaml.Unmarshal([]byte(spec), &content); err != nil {
			t.Fatal(err)
		}
		object.Object["spec"] = content
	}
	object.SetGroupVersionKind(v1alpha2.GroupVersion.WithKind("ImageCache"))
	object.SetNamespace(in)
	object.SetGenerateName("ic-")
	return object
}

func ensureNamespace(t *testing.T, name string) {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := client.IgnoreAlreadyExists(cp.Client.Create(testContext(t), object)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, in, name string) *v1alpha2.ImageCache {
	t.Helper()
	ic := &v1alpha2.ImageCache{}
	if err := cp.Client.Get(context.Background(), client.ObjectKey{Namespace: in, Name: name}, ic); err != nil {
		t.Fatal(err)
	}
	return ic
}

func measure(t *testing.T, what string, do func() error) time.Duration {
	t.Helper()
	start := time.Now()
	if err := do(); err != nil {
		t.Fatal(shorten(err))
	}
	took := time.Since(start)
	t.Logf("%s: %s", what, took.Round(time.Millisecond))
	return took
}

// shorten keeps the message of an object with thousands of mistakes readable.
func shorten(err error) string {
	if err == nil {
		return "no error"
	}
	if s := err.Error(); len(s) > 600 {
		return s[:600] + "..."
	}
	return err.Error()
}
