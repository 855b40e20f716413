//go:build linux

package cluster

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubefledged/kubefledged-operator/test/cluster/build"
	"github.com/kubefledged/kubefledged-operator/test/cluster/images"
	"github.com/kubefledged/kubefledged-operator/test/cluster/require"
)

// Images of OLM and of operator-sdk's tests, under the names they have
// elsewhere, so that defaults find them.
const (
	olmImage       = "quay.io/operator-framework/olm:" + build.OLMVersion
	opmImage       = "quay.io/operator-framework/opm:" + build.OPMVersion
	shellImage     = "registry.access.redhat.com/ubi9/ubi:9.8" // unpacks catalogs for operator-sdk run bundle
	untarImage     = "quay.io/operator-framework/scorecard-untar:" + build.SDKVersion
	scorecardImage = "quay.io/operator-framework/scorecard-test:" + build.SDKVersion
)

// unprivileged is the user of OLM's images, by number: Pod Security restricted
// cannot tell whether a name is root.
const unprivileged = "1001"

// pushOLMImages makes the images from our own binaries, and busybox for what
// shell scripts of OLM and operator-sdk call.
func (r *running) pushOLMImages(ctx context.Context, scorecard bool) error {
	if err := require.Packages(ctx, []string{"busybox-static"}, r.progress); err != nil {
		return err
	}
	olm, err := r.ensure(ctx, build.OLM)
	if err != nil {
		return err
	}
	opm, err := r.ensure(ctx, build.OPM)
	if err != nil {
		return err
	}
	wanted := map[string]images.Assembly{
		olmImage:   withShell(programsOf(olm, "olm", "catalog", "package-server", "copy-content", "cpb")),
		opmImage:   opmAssembly(opm),
		shellImage: withShell(nil),
	}
	if scorecard {
		dir, err := r.ensure(ctx, build.ScorecardTest)
		if err != nil {
			return err
		}
		wanted[scorecardImage] = withShell(programsOf(dir, "scorecard-test"))
		wanted[untarImage] = withShell(nil)
	}
	for reference, assembly := range wanted {
		if err := r.pushAssembly(ctx, reference, assembly); err != nil {
			return fmt.Errorf("pushing %s: %w", reference, err)
		}
	}
	return nil
}

// opmAssembly serves catalogs. By its label and its empty catalog it can also
// be the index image of operator-sdk run bundle.
func opmAssembly(dir string) images.Assembly {
	programs := programsOf(dir, "opm")
	programs["bin/grpc_health_probe"] = filepath.Join(dir, "grpc-health-probe")
	assembly := withShell(programs)
	assembly.Entrypoint = []string{"/bin/opm"}
	assembly.Dirs = append(assembly.Dirs, "configs")
	assembly.Labels = map[string]string{"operators.operatorframework.io.index.configs.v1": "/configs"}
	return assembly
}

func programsOf(dir string, names ...string) map[string]string {
	programs := map[string]string{}
	for _, name := range names {
		programs["bin/"+name] = filepath.Join(dir, name)
	}
	return programs
}

func withShell(programs map[string]string) images.Assembly {
	assembly := images.Assembly{
		Programs: map[string]string{"bin/busybox": require.Find("busybox")},
		Texts: map[string]string{
			"etc/nsswitch.conf": "hosts: files dns\n",
			"etc/passwd":        "root:x:0:0:root:/:/bin/sh\nuser:x:" + unprivileged + ":0:user:/:/bin/sh\n",
		},
		Links: map[string]string{},
		Dirs:  []string{"tmp"},
		User:  unprivileged,
	}
	maps.Copy(assembly.Programs, programs)
	for _, name := range []string{"sh", "cat", "cp", "gunzip", "gzip", "ls", "mkdir", "rm", "tar"} {
		assembly.Links["bin/"+name] = "busybox"
	}
	return assembly
}

// pushAssembly pushes the image unless the registry has the very same one.
func (r *running) pushAssembly(ctx context.Context, reference string, assembly images.Assembly) error {
	image, err := images.Assemble(assembly)
	if err != nil {
		return err
	}
	there, err := r.hasImage(ctx, reference, image)
	if err != nil || there {
		return err
	}
	_, err = images.Push(ctx, image, reference, loopback(r.state.Ports.RegistryAdmin), nil)
	return err
}

func (r *running) hasImage(ctx context.Context, reference string, image v1.Image) (bool, error) {
	digest, err := image.Digest()
	if err != nil {
		return false, err
	}
	found, err := images.Digest(ctx, reference, loopback(r.state.Ports.RegistryAdmin), nil)
	return found == digest.String(), err
}
