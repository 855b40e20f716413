package outcome_test

import (
	"testing"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

const containerd = `rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/library/web:1": `

// messages are what runtimes say, each with what it means.
var messages = []struct{ message, reason string }{
	// containerd 2.4
	{`rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/web:1": failed to resolve reference "docker.io/library/web:1": docker.io/library/web:1: not found`, v1alpha2.ReasonImageNotFound},
	{containerd + `failed to resolve reference "docker.io/library/web:1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`, v1alpha2.ReasonUnauthorized},
	{containerd + `failed to resolve reference "docker.io/library/web:1": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.example/token?scope=repository%3Alibrary%2Fweb%3Apull&service=registry: 401 Unauthorized`, v1alpha2.ReasonUnauthorized},
	{containerd + `failed to resolve reference "docker.io/library/web:1": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.example/token: 503 Service Unavailable`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to resolve reference "docker.io/library/web:1": unexpected status from HEAD request to https://registry.example/v2/library/web/manifests/1: 403 Forbidden`, v1alpha2.ReasonUnauthorized},
	{containerd + `failed to resolve reference "docker.io/library/web:1": unexpected status from HEAD request to https://registry.example/v2/library/web/manifests/1: 520 `, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to resolve reference "docker.io/library/web:1": unexpected status from HEAD request to https://registry.example/v2/library/web/manifests/1: 500 Internal Server Error`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://registry-1.docker.io/v2/library/web/manifests/sha256:abc: 429 Too Many Requests`, v1alpha2.ReasonRegistryThrottled},
	{containerd + `failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/web/manifests/sha256:abc: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.`, v1alpha2.ReasonRegistryThrottled},
	{containerd + `no match for platform in manifest: not found`, v1alpha2.ReasonPlatformMismatch},
	{containerd + `no match for platform in manifest sha256:b9ab2c28208d75a75807445d4c370801da3992817325cc349764ad740abe40a6: not found`, v1alpha2.ReasonPlatformMismatch},
	{containerd + `failed to extract layer sha256:ab: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/9/fs/x: no space left on device: unknown`, v1alpha2.ReasonNoSpaceLeft},
	{containerd + `failed to resolve reference "docker.io/library/web:1": failed to do request: Head "https://registry.example/v2/library/web/manifests/1": dial tcp 10.0.0.1:443: connect: connection refused`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to resolve reference "docker.io/library/web:1": failed to do request: Head "https://registry.example/v2/library/web/manifests/1": dial tcp 10.0.0.1:443: i/o timeout`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to resolve reference "docker.io/library/web:1": failed to do request: Head "https://registry.example/v2/library/web/manifests/1": dial tcp: lookup registry.example on 10.96.0.10:53: no such host`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to resolve reference "docker.io/library/web:1": failed to do request: Head "https://registry.example/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to resolve reference "docker.io/library/web:1": failed to do request: Head "https://registry.example/v2/": http: server gave HTTP response to HTTPS client`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://registry.example/v2/library/web/blobs/sha256:ab": EOF`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed to copy: read tcp 10.0.0.5:41230->10.0.0.1:443: read: connection reset by peer`, v1alpha2.ReasonRegistryUnavailable},
	{`rpc error: code = Canceled desc = failed to pull and unpack image "docker.io/library/web:1": failed to copy: context canceled`, v1alpha2.ReasonRegistryUnavailable},
	{`rpc error: code = DeadlineExceeded desc = context deadline exceeded`, v1alpha2.ReasonRegistryUnavailable},
	{containerd + `failed commit on ref "layer-sha256:ab": "layer-sha256:ab" failed size validation: 10 != 20: failed precondition`, v1alpha2.ReasonImagePullFailed},
	{containerd + `failed to prepare extraction snapshot "extract-1 sha256:ab": parent snapshot sha256:cd does not exist: not found`, v1alpha2.ReasonImagePullFailed},
	{containerd + `failed to extract layer sha256:ab: mount callback failed: permission denied: unknown`, v1alpha2.ReasonImagePullFailed},
	{containerd + `failed to resolve reference "docker.io/library/web:1": rejecting 9000000 byte manifest for docker.io/library/web:1: not found`, v1alpha2.ReasonImagePullFailed},
	{containerd + `could not fetch content descriptor sha256:ab (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found`, v1alpha2.ReasonImageNotFound},
	{containerd + `image verifier cosign blocked pull of docker.io/library/web:1 with digest sha256:ab for reason: no signature`, v1alpha2.ReasonSignatureValidationFailed},
	{`rpc error: code = InvalidArgument desc = failed to parse image reference "web:1": invalid reference format`, v1alpha2.ReasonInvalidImageName},
	{`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"`, v1alpha2.ReasonImagePullFailed},
	// CRI-O
	{`rpc error: code = Unknown desc = reading manifest 1 in docker.io/library/web: manifest unknown`, v1alpha2.ReasonImageNotFound},
	{`rpc error: code = Unknown desc = unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password`, v1alpha2.ReasonUnauthorized},
	{`Error reading manifest 1 in docker.io/library/web: unauthorized: access to the requested resource is not authorized`, v1alpha2.ReasonUnauthorized},
	{`reading manifest 1 in docker.io/library/web: errors: denied: requested access to the resource is denied unauthorized: authentication required`, v1alpha2.ReasonUnauthorized},
	{`reading manifest 1 in docker.io/library/web: denied`, v1alpha2.ReasonUnauthorized},
	{`initializing source docker://docker.io/library/web:1: reading manifest 1 in docker.io/library/web: received unexpected HTTP status: 502 Bad Gateway`, v1alpha2.ReasonRegistryUnavailable},
	{`parsing image configuration: fetching blob: invalid status code from registry 503 (Service Unavailable)`, v1alpha2.ReasonRegistryUnavailable},
	{`choosing an image from manifest list docker://docker.io/library/web:1: no image found in image index for architecture "arm64", variant "v8", OS "linux"`, v1alpha2.ReasonPlatformMismatch},
	{`Source image rejected: A signature was required, but no signature exists`, v1alpha2.ReasonSignatureValidationFailed},
	{`short-name "web:1" did not resolve to an alias and no unqualified-search registries are defined in "/etc/containers/registries.conf"`, v1alpha2.ReasonInvalidImageName},
	{`writing blob: storing blob to file "/var/tmp/storage1/1": write /var/tmp/storage1/1: no space left on device`, v1alpha2.ReasonNoSpaceLeft},
	// cri-dockerd
	{`Error response from daemon: manifest for web:1 not found: manifest unknown: manifest unknown`, v1alpha2.ReasonImageNotFound},
	{`Error response from daemon: pull access denied for web, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`, v1alpha2.ReasonUnauthorized},
	{`no matching manifest for linux/arm64/v8 in the manifest list entries`, v1alpha2.ReasonPlatformMismatch},
	{`no matching manifest for linux/arm64/v8 in the manifest list entries: no match for platform in manifest: not found`, v1alpha2.ReasonPlatformMismatch},
	{`toomanyrequests: You have reached your pull rate limit`, v1alpha2.ReasonRegistryThrottled},
	// registries
	{`name unknown: The repository with name 'web' does not exist in the registry with id '123456789012'`, v1alpha2.ReasonImageNotFound},
	{`denied: Permission "artifactregistry.repositories.downloadArtifacts" denied on resource "projects/p"`, v1alpha2.ReasonUnauthorized},
	{`unauthorized: unauthorized to access repository: library/web, action: pull`, v1alpha2.ReasonUnauthorized},
	// nothing known
	{`something new`, v1alpha2.ReasonImagePullFailed},
	{``, v1alpha2.ReasonImagePullFailed},
}

func TestMessages(t *testing.T) {
	for _, m := range messages {
		in := withEvents(input(pod(wait(0, "ErrImagePull", m.message), end(1, 0, "Completed"))))
		if got := outcome.Read(in).Images[0]; got.Kind != outcome.Failed || got.Reason != m.reason {
			t.Errorf("%s: got %s %s, want %s", m.message, got.Kind, got.Reason, m.reason)
		}
		// While it backs off, the kubelet repeats what the last try said.
		again := `Back-off pulling image "web:1": ErrImagePull: ` + m.message
		in.Pod = pod(wait(0, "ImagePullBackOff", again), end(1, 0, "Completed"))
		if got := outcome.Read(in).Images[0]; got.Kind != outcome.Failed || got.Reason != m.reason {
			t.Errorf("%s: got %s %s, want %s", again, got.Kind, got.Reason, m.reason)
		}
	}
}

// An image may be called like an error.
func TestNamesDoNotMislead(t *testing.T) {
	for _, image := range []string{
		"docker.io/foo/not-found:429", "docker.io/library/toomanyrequests:429", "docker.io/library/unauthorized:latest",
		"unauthorized.example.com/denied/x509:eof", "429.example:500/manifest-unknown/no-such-host:401",
	} {
		for _, message := range []string{
			`failed to pull and unpack image "` + image + `": failed to resolve reference "` + image + `": something odd`,
			`reading manifest unauthorized in ` + image + `: something odd`,
			`Back-off pulling image "` + image + `": ErrImagePull: Get "https://` + image + `": something odd`,
		} {
			in := withEvents(input(pod(wait(0, "ErrImagePull", message))))
			in.Images = []string{image}
			if got := outcome.Read(in).Images[0].Reason; got != v1alpha2.ReasonImagePullFailed {
				t.Errorf("%s: got %s", message, got)
			}
		}
	}
}

func TestPermanent(t *testing.T) {
	permanent := map[string]bool{
		v1alpha2.ReasonImageNotFound: true, v1alpha2.ReasonUnauthorized: true, v1alpha2.ReasonPullSecretMissing: true,
		v1alpha2.ReasonInvalidImageName: true, v1alpha2.ReasonPlatformMismatch: true,
		v1alpha2.ReasonSignatureValidationFailed: true,
		v1alpha2.ReasonRegistryThrottled:         false, v1alpha2.ReasonRegistryUnavailable: false,
		v1alpha2.ReasonNoSpaceLeft: false, v1alpha2.ReasonImagePullFailed: false,
		v1alpha2.ReasonPullDeadlineExceeded: false, v1alpha2.ReasonHelperImageUnavailable: false,
		v1alpha2.ReasonPodNotCreated: false, v1alpha2.ReasonJobNotCreated: false, v1alpha2.ReasonPodStuck: false,
	}
	for reason, want := range permanent {
		if got := outcome.Permanent(reason); got != want {
			t.Errorf("Permanent(%s) = %v", reason, got)
		}
	}
}
