//go:build e2e

package olm

import (
	"regexp"
	"testing"

	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// secureRegistry is the cluster's registry with TLS, for this machine's programs
// in the control plane's network as for nodes: operator-sdk reads index images
// over HTTPS only.
const secureRegistry = "198.18.0.1:5443"

// operator-sdk run bundle and its companions, as users call them by make, in a
// namespace that enforces Pod Security baseline.
func TestRunBundle(t *testing.T) {
	w := newWorld(t)
	w.namespaces("baseline")
	w.step("run bundle "+oldVersion, func() {
		w.sdk("run-bundle", "BUNDLE_IMG="+bundleImage(oldVersion), "RUN_BUNDLE_FLAGS=--index-image="+indexImage(w))
	})
	w.installed(oldVersion)
	w.imageCacheReady(oldVersion)
	w.tutorial()
	w.step("run bundle-upgrade "+newVersion, func() {
		w.sdk("run-bundle-upgrade", "BUNDLE_IMG="+bundleImage(newVersion))
	})
	w.installed(newVersion)
	w.ready(newVersion)

	w.step("image cache removed", w.removeImageCache)
	w.step("cleanup", func() { w.sdk("cleanup-bundle") })
	w.kubectl("delete", "namespace", operatorNamespace, lab.Namespace, "--timeout=2m")
	w.kubectl("delete", "operators.operators.coreos.com", "kubefledged-operator."+operatorNamespace, "--ignore-not-found")
	w.onlyOLM()
}

func bundleImage(version string) string {
	return secureRegistry + "/kubefledged/kubefledged-operator-bundle@" + releases[version].Digest
}

// indexImage is the image of OLM's own opm, from where operator-sdk can read it.
func indexImage(w *world) string {
	w.Helper()
	const opm = "/operator-framework/opm:"
	args := w.kubectl("get", "deployment", "catalog-operator", "-n", "olm", "-o", "jsonpath={.spec.template.spec.containers[0].args}")
	tag := regexp.MustCompile(opm + `(v[0-9.]+[0-9])`).FindStringSubmatch(args)
	if tag == nil {
		w.Fatalf("no image of opm among OLM's arguments: %s", args)
	}
	return secureRegistry + opm + tag[1]
}

// sdk runs a target that runs operator-sdk, inside the cluster's network and
// with trust in the registry's certificate.
func (w *world) sdk(target string, variables ...string) string {
	w.Helper()
	ca, err := cluster.Run(w.ctx, "path", "ca")
	w.check(err)
	inside := "SDK_WITH=" + localcluster() + " exec --name=" + cluster.Name + " -- env SSL_CERT_FILE=" + ca
	output, err := runMake(w.ctx, append([]string{target, inside}, variables...)...)
	w.check(err)
	return output
}
