package outcome_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

// FuzzSecretsStaySecret puts a credential into the words of a runtime or a
// registry, in the ways they do it, with anything around it: it must not show.
func FuzzSecretsStaySecret(f *testing.F) {
	for _, around := range []string{"", "failed to pull: ", "a\nb", "\x00", "https://other/?x=", `"quoted" `, "token=", "://", "\u202e", "Bearer "} {
		f.Add(around, ": 401 Unauthorized", "hunter2hunter2", uint8(0))
		f.Add("GET ", around, "p@ss:word/with?signs", uint8(1))
		f.Add(around, around, "eyJhbGciOiJIUzI1NiJ9.e30.abc", uint8(2))
	}
	f.Fuzz(func(t *testing.T, before, behind, secret string, kind uint8) {
		said, plain := leak(before, behind, secret, kind)
		if plain == "" || strings.Contains(before+behind, plain) {
			return
		}
		got := outcome.Clean(said)
		checkMessage(t, got)
		if strings.Contains(got, plain) {
			t.Errorf("%q shows %q as %q", said, plain, got)
		}
		attempt := outcome.Read(input(pod(wait(0, "ErrImagePull", said))))
		for _, image := range attempt.Images {
			checkMessage(t, image.Message)
			if strings.Contains(image.Message, plain) {
				t.Errorf("%q shows %q as %q", said, plain, image.Message)
			}
		}
	})
}

// leak returns words that hold a secret, and the secret as it would show; it
// is empty where the words would not be a runtime's.
func leak(before, behind, secret string, kind uint8) (said, plain string) {
	// What a URL or a form holds is encoded, and a secret is not a word of English.
	plain = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) && r < 128 || unicode.IsDigit(r) && r < 128 || strings.ContainsRune("._~%+-", r) {
			return r
		}
		return -1
	}, secret)
	if len(plain) < 8 {
		return "", ""
	}
	// The words around begin and end as other words do.
	before, behind = before+" ", " "+behind
	switch kind % 6 {
	case 0:
		return before + `Get "https://user:` + plain + `@registry.example/v2/"` + behind, plain
	case 1:
		return before + "https://auth.example/token?service=registry&token=" + plain + "&scope=pull" + behind, plain
	case 2:
		return before + "Authorization: Bearer " + plain + behind, plain
	case 3:
		return before + `{"token":"` + plain + `"}` + behind, plain
	case 4:
		return before + "grant_type=password&password=" + plain + "&x=1" + behind, plain
	default:
		return before + "https://s3.example/layer?X-Amz-Date=1&X-Amz-Signature=" + plain + "&y=2" + behind, plain
	}
}
