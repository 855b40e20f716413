package outcome

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "..."

// secret is one way credentials show up in the words of kubelets, runtimes
// and registries.
type secret struct {
	found   *regexp.Regexp
	replace string
}

const hidden = "***"

// secretNames are the query parameters and JSON fields that grant access: OAuth
// tokens (RFC 6749) and the signed URLs of AWS, Google, Azure and CloudFront,
// to which registries redirect for layers.
const secretNames = `(?:access_|refresh_|id_|identity|registry)?token|client_secret|secret|password|passwd|api_?key`

const queryNames = secretNames + `|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|` +
	`awsaccesskeyid|key-pair-id|signature|sig|policy|code`

// ampersand separates parameters; messages quoted as JSON or HTML write it otherwise.
const ampersand = `(?:[?&;]|\\u0026|%26)`

// userInfo is the user:password@ of a URL: all up to the last @ before the
// path, because a password may itself hold an @.
var userInfo = regexp.MustCompile(`://[^/\s]*@`)

var secrets = []secret{
	{userInfo, "://"},
	{regexp.MustCompile(`(?i)(authorization["']?\s*[:=]\s*["'\[]*(?:basic|bearer|digest|negotiate)\s+)[^\s"',;\]]+`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(authorization["']?\s*[:=]\s*["'\[]*token\s+)[^\s"',;\]]{16,}`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(\baws4-hmac-sha256\s+)[^"'\]]+`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(\b(?:x-registry-auth|x-auth-token|x-amz-security-token|private-token|set-cookie|cookie)["']?\s*[:=]\s*["'\[]*)[^\s"'\]]+`), "${1}" + hidden},
	// Basic without a header's name, told from the word by what base64 looks like.
	{regexp.MustCompile(`(\b[Bb]asic\s+)(?:[A-Za-z0-9+/]{6,}={1,2}|[A-Za-z0-9+/]*(?:[0-9]|[a-z][A-Z])[A-Za-z0-9+/]{3,}=*)`), "${1}" + hidden},
	// A challenge (Bearer realm="...") is no secret; its words are short.
	{regexp.MustCompile(`(?i)(\bbearer\s+)[a-z0-9._~+/=-]{8,}`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(` + ampersand + `(?:` + queryNames + `)=)[^&;\s"'<>\\]*[^&;\s"'<>:\\]`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(["'](?:` + secretNames + `|auth)\\*["']\s*:\s*\\*["'])[^"'\\]*`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(\b(?:password|passwd|(?:access_|refresh_|id_|identity)token|client_secret)=)[^&;\s"'<>]+`), "${1}" + hidden},
	{regexp.MustCompile(`(?i)(dockerconfigjson["'\]]*\s*[:=]\s*["']?)[a-z0-9+/=]{8,}`), "${1}" + hidden},
	// containerd quotes a pull secret that has no colon in full
	// (internal/cri/server/images/image_pull.go, ParseAuth).
	{regexp.MustCompile(`(invalid decoded auth: ").*?("|$)`), "${1}" + hidden + "${2}"},
	{userInfo, "://"}, // what is hidden may have held a slash
}

// Clean returns words of another program fit for a status: one line of valid
// UTF-8 without credentials, of at most MaxMessage bytes. Too long a text
// loses its end, as fits an API server's answer, which says first what is wrong.
func Clean(s string) string {
	return cutEnd(scrub(s), MaxMessage)
}

// cleanCause is Clean for the words of kubelets and runtimes, which wrap an
// error from the left: too long a text loses its beginning, so that the cause
// at the end survives.
func cleanCause(s string) string {
	return cutStart(scrub(s), MaxMessage)
}

// scrub flattens before it hides, so that a line break hides no credential.
func scrub(s string) string {
	s = strings.Map(printable, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	for _, kind := range secrets {
		s = kind.found.ReplaceAllString(s, kind.replace)
	}
	return s
}

// printable turns line breaks and control characters into spaces, and drops
// the invisible ones that could reorder the text on a terminal.
func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r), unicode.IsControl(r):
		return ' '
	case unicode.Is(unicode.Cf, r):
		return -1
	}
	return r
}

func cutEnd(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

func cutStart(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	start := len(s) - limit + len(ellipsis)
	for start < len(s) && !utf8.RuneStart(s[start]) {
		start++
	}
	return ellipsis + s[start:]
}
