package outcome

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// Permanent tells whether trying again soon is pointless: somebody has to
// change the image, the registry or a secret first. Everything else passes.
func Permanent(reason string) bool {
	switch reason {
	case v1alpha2.ReasonImageNotFound, v1alpha2.ReasonUnauthorized, v1alpha2.ReasonPullSecretMissing,
		v1alpha2.ReasonInvalidImageName, v1alpha2.ReasonPlatformMismatch, v1alpha2.ReasonSignatureValidationFailed:
		return true
	}
	return false
}

// rule gives a message its reason: the first one with a matching word wins.
type rule struct {
	reason string
	words  []string
	expr   *regexp.Regexp
}

// rules are in the order of what is surest. Wordings are those of containerd
// 2.4 (core/remotes/docker, core/images, core/unpack, pkg/imageverifier), of
// CRI-O (containers/image), of cri-dockerd and of Go's net and TLS packages.
// All are in lower case and see a message without references and addresses.
var rules = []rule{
	// The node's own trouble comes first: no registry answers for it.
	{reason: v1alpha2.ReasonNoSpaceLeft, words: []string{
		"no space left on device", "disk quota exceeded", "not enough space"}},
	{reason: v1alpha2.ReasonImagePullFailed, words: []string{
		"dial unix", "error while dialing", // the runtime's socket
		"byte manifest for", "no resolve hosts", "no pull hosts", // end in "not found" without being it
		"failed size validation", "unexpected commit"}},
	{reason: v1alpha2.ReasonSignatureValidationFailed, words: []string{
		"signaturevalidationfailed", "signature validation failed", "source image rejected",
		"blocked pull of", "blocking pull of"}},
	// An image that has no match for the node is reported as "not found" too.
	{reason: v1alpha2.ReasonPlatformMismatch, words: []string{
		"no match for platform", "no matching manifest for", "no image found in image index for architecture",
		"no image found in manifest list for architecture", "cannot be used on this platform",
		"does not match the specified platform", "does not support platform"}},
	// Quotas speak of denied requests, and answers of a proxy or token server
	// come wrapped in "failed to authorize": both before the refusals.
	{reason: v1alpha2.ReasonRegistryThrottled,
		words: []string{"toomanyrequests", "too many requests", "rate limit"},
		expr:  regexp.MustCompile(`\b(?:status|code)(?: code)?(?: from registry)?:? 429\b`)},
	{reason: v1alpha2.ReasonRegistryUnavailable,
		words: []string{
			"internal server error", "bad gateway", "service unavailable", "gateway timeout", "gateway time-out",
			"connection refused", "connection reset", "broken pipe", "connection timed out", "no route to host",
			"network is unreachable", "host is down", "no such host", "server misbehaving",
			"temporary failure in name resolution", "i/o timeout", "handshake timeout", "timeout exceeded",
			"timeout awaiting response headers", "deadline exceeded", "request canceled", "context canceled",
			"x509:", "tls:", "server gave http response to https client", "malformed http response",
			"proxyconnect", "stream error", "unexpected eof", "the registry is unavailable", "registryunavailable"},
		expr: regexp.MustCompile(`\b(?:status|code)(?: code)?(?: from registry)?:? 5\d\d\b|\brequest to: 5\d\d\b|\beof\b`)},
	// Docker Hub answers a missing repository like a refusal, so refusals
	// come before what is missing.
	{reason: v1alpha2.ReasonUnauthorized,
		words: []string{
			"pull access denied", "insufficient_scope", "unauthorized", "authorization failed", "not authorized",
			"authentication required", "authentication failed", "no basic auth credentials", "missing username or secret",
			"403 forbidden", "failed to authorize", "access to the resource is denied", "access denied",
			"access forbidden", "incorrect username or password", "unable to retrieve auth token", "invalid decoded auth"},
		expr: regexp.MustCompile(`\b(?:status|code)(?: code)?(?: from registry)?:? 40[13]\b|(?:^|: )denied(?::|$)`)},
	{reason: v1alpha2.ReasonInvalidImageName, words: []string{
		"invalid reference format", "failed to parse image reference", "couldn't parse image",
		"no unqualified-search registries"}},
	// A bare "not found" may be a lost snapshot or blob of the node.
	{reason: v1alpha2.ReasonImageNotFound,
		words: []string{
			"manifest unknown", "manifest_unknown", "name unknown", "name_unknown", "not known to registry",
			"404 not found", "manifest for not found", "content at not found", "from remote: not found",
			"does not exist in the registry"},
		expr: regexp.MustCompile(`\bfailed to resolve (?:reference|image)\b.*\bnot found\b|\brepository\b.*\bnot found\b|` +
			`\b(?:status|code)(?: code)?(?: from registry)?:? 404\b`)},
}

// classify returns the reason of a failed pull from what the runtime said.
// The names of the images involved must not mislead it.
func classify(message string, involved []ref) string {
	text := strings.ToLower(withoutNames(message, involved))
	for _, r := range rules {
		if r.matches(text) {
			return r.reason
		}
	}
	return v1alpha2.ReasonImagePullFailed
}

func (r *rule) matches(text string) bool {
	return slices.ContainsFunc(r.words, func(w string) bool { return strings.Contains(text, w) }) ||
		(r.expr != nil && r.expr.MatchString(text))
}

var manifestTag = regexp.MustCompile(`(?i)\bmanifest \S+ in\b`)

// withoutNames removes references, addresses and registries from a message,
// and the quotes around them.
func withoutNames(message string, involved []ref) string {
	message = manifestTag.ReplaceAllString(message, "manifest in")
	var b strings.Builder
	last := 0
	for _, t := range tokens(message) {
		if isName(t, involved) {
			b.WriteString(message[last:t.start])
			last = t.end
		}
	}
	b.WriteString(message[last:])
	bare := strings.NewReplacer(`\`, " ", `"`, " ", `'`, " ", "`", " ").Replace(b.String())
	text := strings.Join(strings.Fields(bare), " ")
	return strings.NewReplacer(" :", ":", " ,", ",").Replace(text)
}

// isName tells whether a token only names something. Nothing that explains an
// error holds a slash, but for Go's "i/o timeout".
func isName(t token, involved []ref) bool {
	if strings.Contains(t.text, "/") {
		return !strings.EqualFold(t.text, "i/o")
	}
	r, ok := t.ref()
	return slices.ContainsFunc(involved, func(known ref) bool {
		return t.text == known.domain || (ok && (r.full == known.full || r.repo == known.repo))
	})
}
