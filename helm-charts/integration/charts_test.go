package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The API server takes every object, knows every field, and has no warnings.
func TestEveryObjectIsTaken(t *testing.T) {
	namespaces(t)
	files, err := filepath.Glob("../testdata/*.golden.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".golden.yaml")
		t.Run(name, func(t *testing.T) {
			var all strings.Builder
			for _, o := range manifests(t, name) {
				all.WriteString(o.text + "\n---\n")
			}
			// The host's network, which the original's users may ask for, is warned of.
			output := mustKubectl(t, all.String(), "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
			if strings.Contains(output, "Warning") && name != "original" {
				t.Error(output)
			}
		})
	}
}

// The pods that the Deployments make get past Pod Security on level restricted.
func TestPodsAreAdmitted(t *testing.T) {
	namespaces(t)
	for _, name := range []string{"defaults", "everything", "cert-manager", "high-availability"} {
		install(t, name, "PriorityClass", "ServiceAccount")
		pods := 0
		for _, o := range manifests(t, name) {
			if o.Kind != "Deployment" {
				continue
			}
			pods++
			var d appsv1.Deployment
			if err := yaml.Unmarshal([]byte(o.text), &d); err != nil {
				t.Fatal(err)
			}
			pod := corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
			pod.APIVersion, pod.Kind, pod.Name, pod.Namespace = "v1", "Pod", d.Name, d.Namespace
			manifest, err := yaml.Marshal(&pod)
			if err != nil {
				t.Fatal(err)
			}
			mustKubectl(t, string(manifest), "create", "--dry-run=server", "-f", "-")
		}
		if pods != 2 {
			t.Errorf("%s: %d pods", name, pods)
		}
	}
	// The level must be in force, or the above shows nothing.
	if output, err := kubectl(t, "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: kube-fledged}, spec: {containers: [{name: a, image: a}]}}", "create", "--dry-run=server", "-f", "-"); err == nil {
		t.Errorf("any pod is admitted: %s", output)
	}
}

const cache = `
apiVersion: kubefledged.io/v1alpha2
kind: ImageCache
metadata: {name: NAME, namespace: kube-fledged, finalizers: [kubefledged.io/purge]}
spec: {cacheSpec: [{images: ["nginx:1"]}]}
`

// No webhook server answers here: what changes a spec is refused, and all that an
// existing ImageCache lives and dies by passes.
func TestWithoutAWebhookServer(t *testing.T) {
	namespaces(t)
	first := strings.ReplaceAll(cache, "NAME", "first")
	mustKubectl(t, first, "create", "-f", "-")
	install(t, "defaults", "ValidatingWebhookConfiguration")
	// Other tests make ImageCaches, too.
	defer mustKubectl(t, "", "delete", "validatingwebhookconfiguration", "kubefledged-webhook-server")

	for what, refused := range map[string]func() (string, error){
		"a new ImageCache": func() (string, error) {
			return kubectl(t, strings.ReplaceAll(cache, "NAME", "second"), "create", "-f", "-")
		},
		"another spec": func() (string, error) {
			return kubectl(t, strings.ReplaceAll(first, "nginx:1", "nginx:2"), "apply", "--server-side", "--force-conflicts", "-f", "-")
		},
	} {
		if output, err := refused(); err == nil || !strings.Contains(err.Error(), "validate-image-cache.kubefledged.io") {
			t.Errorf("%s: %s, %v", what, output, err)
		}
	}
	for _, passes := range [][]string{
		{"annotate", "imagecache", "first", "-n", "kube-fledged", "kubefledged.io/purge-imagecache="},
		{"annotate", "imagecache", "first", "-n", "kube-fledged", "kubefledged.io/refresh-imagecache="},
		{"patch", "imagecache", "first", "-n", "kube-fledged", "--subresource=status", "--type=merge", "-p", `{"status":{"observedGeneration":1}}`},
		{"delete", "imagecache", "first", "-n", "kube-fledged", "--wait=false"},
		// Somebody may edit what is being deleted.
		{"patch", "imagecache", "first", "-n", "kube-fledged", "--type=merge", "-p", `{"spec":{"cacheSpec":[{"images":["nginx:3"]}]}}`},
		{"patch", "imagecache", "first", "-n", "kube-fledged", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`},
	} {
		mustKubectl(t, "", passes...)
	}
	if output, err := kubectl(t, "", "get", "imagecache", "first", "-n", "kube-fledged"); err == nil {
		t.Errorf("it is still there: %s", output)
	}
}

const (
	controller = "system:serviceaccount:kube-fledged:kubefledged-controller"
	webhook    = "system:serviceaccount:kube-fledged:kubefledged-webhook-server"
)

// What each service account may do more than any other, as the API server sees it,
// in its own namespace and in others: the same by the chart and by kustomize.
func TestRights(t *testing.T) {
	kinds := []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"}
	for what, all := range map[string][]object{
		"chart":          manifests(t, "defaults"),
		"config/default": documents(t, mustKubectl(t, "", "kustomize", filepath.Join("..", "..", "config", "default"))),
	} {
		t.Run(what, func(t *testing.T) {
			namespaces(t)
			roles := ofKinds(all, kinds...)
			mustKubectl(t, roles, "apply", "--server-side", "-f", "-")
			defer mustKubectl(t, roles, "delete", "-f", "-")
			accounts := 0
			for _, o := range all {
				if o.Kind == "ServiceAccount" {
					accounts++
					checkRights(t, o.Metadata.Name)
				}
			}
			if accounts == 0 {
				t.Error("no service account")
			}
		})
	}
}

// checkRights compares the rights of a service account in kube-fledged with a golden file.
func checkRights(t *testing.T, account string) {
	t.Helper()
	got, err := cp.Rights(t.Context(), "system:serviceaccount:kube-fledged:"+account, "kube-fledged", "kube-fledged-node", "default")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "rights-"+strings.TrimPrefix(account, "kubefledged-")+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what the API server says; run with -update if that is right:\n%s", path, got)
	}
}

// What they must not do, and the names that rights are for.
func TestRightsByName(t *testing.T) {
	install(t, "defaults", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount")
	for _, test := range []struct{ may, account, question string }{
		{"yes", controller, "create jobs.batch -n kube-fledged-node"},
		{"yes", controller, "update leases.coordination.k8s.io/kubefledged-controller.kubefledged.io -n kube-fledged"},
		{"no", controller, "update leases.coordination.k8s.io/other -n kube-fledged"},
		{"no", controller, "create leases.coordination.k8s.io -n default"},
		{"no", controller, "get secrets -n kube-fledged"},
		{"no", controller, "list secrets -A"},
		{"no", controller, "create pods -n kube-fledged-node"},
		{"no", controller, "patch nodes"},
		{"no", controller, "update imagecaches.kubefledged.io -n kube-fledged"},
		{"yes", webhook, "patch validatingwebhookconfigurations/kubefledged-webhook-server"},
		{"no", webhook, "patch validatingwebhookconfigurations/other"},
		{"no", webhook, "update validatingwebhookconfigurations/kubefledged-webhook-server"},
		{"no", webhook, "create validatingwebhookconfigurations"},
		{"yes", webhook, "update secrets/kubefledged-webhook-server-cert -n kube-fledged"},
		{"no", webhook, "get secrets/other -n kube-fledged"},
		{"no", webhook, "list secrets -n kube-fledged"},
		{"no", webhook, "create secrets -n default"},
		{"no", webhook, "patch imagecaches.kubefledged.io -n kube-fledged"},
		// The group that the original bound its roles to.
		{"no", "system:node:a", "create jobs.batch -n kube-fledged --as-group=system:nodes --as-group=system:authenticated"},
	} {
		output, _ := kubectl(t, "", append([]string{"auth", "can-i", "--as=" + test.account}, strings.Fields(test.question)...)...)
		lines := strings.Split(strings.TrimSpace(output), "\n")
		if got, _, _ := strings.Cut(lines[len(lines)-1], " "); got != test.may {
			t.Errorf("%s: may it %s? %s, want %s", test.account, test.question, output, test.may)
		}
	}
}
