package outcome_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/internal/outcome"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"two\nlines\tand\x00more \x1b[31mred":                                 "two lines and more [31mred",
		"bad \xff utf-8":                                                      "bad ? utf-8",
		"hid\u202eden\u2066":                                                  "hidden",
		`Get "https://me:pa@ss@reg.example/v2/": EOF`:                         `Get "https://reg.example/v2/": EOF`,
		"docker://reg.example:5000/a@sha256:ab":                               "docker://reg.example:5000/a@sha256:ab",
		"Authorization: Basic bWU6cGFzcw== was refused":                       "Authorization: Basic *** was refused",
		`"authorization":"Bearer abc.def.ghi"`:                                `"authorization":"Bearer ***"`,
		"with bearer eyJhbGciOiJIUzI1NiJ9.e30.x":                              "with bearer ***",
		`Bearer realm="https://auth.example/token"`:                           `Bearer realm="https://auth.example/token"`,
		"may require authorization: server message: insufficient_scope":       "may require authorization: server message: insufficient_scope",
		"https://s3.example/l?X-Amz-Date=1&X-Amz-Signature=abc&x=1: 403":      "https://s3.example/l?X-Amz-Date=1&X-Amz-Signature=***&x=1: 403",
		"https://blob.example/l?sv=1&sig=a%2Fb%3D: 403":                       "https://blob.example/l?sv=1&sig=***: 403",
		"https://auth.example/t?access_token=abc&token=def":                   "https://auth.example/t?access_token=***&token=***",
		`{"token":"abc","access_token": "def","code":"DENIED"}`:               `{"token":"***","access_token": "***","code":"DENIED"}`,
		`{"auths":{"r":{"auth":"bWU6cGFzcw=="}}}`:                             `{"auths":{"r":{"auth":"***"}}}`,
		`invalid decoded auth: "me and my password"`:                          `invalid decoded auth: "***"`,
		"https://r.example/v2/?a=1\\u0026X-Amz-Credential=AKIA%2F1\\u0026b=2": "https://r.example/v2/?a=1\\u0026X-Amz-Credential=***\\u0026b=2",
		`Get "https://r.example/l?X-Amz-Security-Token=abc%2F": EOF`:          `Get "https://r.example/l?X-Amz-Security-Token=***": EOF`,
		`Get "https://r.example/v2/a?token=eyJ.e30.x": EOF`:                   `Get "https://r.example/v2/a?token=***": EOF`,
		"map[Authorization:[Basic bWU6cGFzcw==] Accept:[*/*]]":                "map[Authorization:[Basic ***] Accept:[*/*]]",
		"Authorization: token ghp_0123456789abcdefghij":                       "Authorization: token ***",
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIA/1/s3, Signature=abc": "Authorization: AWS4-HMAC-SHA256 ***",
		"X-Registry-Auth: eyJ1c2VybmFtZSI6Im1lIn0= was refused":               "X-Registry-Auth: *** was refused",
		"sent Basic bWU6cGFzcw== and Bearer abcdefgh":                         "sent Basic *** and Bearer ***",
		"sent basic bWU6cGFzc3dvcmQ":                                          "sent basic ***",
		`Basic realm="Registry": no basic authentication credentials`:         `Basic realm="Registry": no basic authentication credentials`,
		"no basic auth credentials":                                           "no basic auth credentials",
		`read "{\"auths\":{\"r\":{\"auth\":\"bWU6cGFzcw==\"}}}"`:              `read "{\"auths\":{\"r\":{\"auth\":\"***\"}}}"`,
		`{"username":"me","password":"hunter2","registrytoken":"abc"}`:        `{"username":"me","password":"***","registrytoken":"***"}`,
		`data[".dockerconfigjson"]: eyJhdXRocyI6e319`:                         `data[".dockerconfigjson"]: ***`,
		`.dockerconfigjson: eyJhdXRocyI6e319`:                                 `.dockerconfigjson: ***`,
		"password=hunter2&grant_type=password":                                "password=***&grant_type=password",
		strings.Repeat("é", 200):                                              strings.Repeat("é", 126) + "...",
		`Error creating: pods "a" is forbidden` + strings.Repeat(".", 250):    `Error creating: pods "a" is forbidden` + strings.Repeat(".", 219),
	} {
		if got := outcome.Clean(in); got != want {
			t.Errorf("Clean(%q)\n got %q\nwant %q", in, got, want)
		}
	}
}

// The cause of a runtime's error is at its end.
func TestLongFailureKeepsItsCause(t *testing.T) {
	message := `failed to pull and unpack image "` + web + `": ` + strings.Repeat("é", 300) + ": no space left on device"
	got := outcome.Read(input(pod(wait(0, "ErrImagePull", message)))).Images[0].Message
	if len(got) > outcome.MaxMessage || !utf8.ValidString(got) ||
		!strings.HasPrefix(got, "...é") || !strings.HasSuffix(got, ": no space left on device") {
		t.Errorf("got %q", got)
	}
}

var userInfo = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]*@`)

func checkMessage(t *testing.T, s string) {
	t.Helper()
	if len(s) > outcome.MaxMessage || !utf8.ValidString(s) || userInfo.MatchString(s) ||
		strings.ContainsFunc(s, unicode.IsControl) {
		t.Errorf("unfit message %q", s)
	}
}

func FuzzRead(f *testing.F) {
	for _, m := range messages {
		f.Add("ErrImagePull", m.message, web, helper, uint8(0))
	}
	f.Add("ImagePullBackOff", `Back-off pulling image "a\"b": ErrImagePull: https://u:p@h/`, "a", "b", uint8(255))
	f.Add("Evicted", "://u:?sig=a/b\"p@", "", "", uint8(7))
	f.Fuzz(func(t *testing.T, reason, message, image, helper string, bits uint8) {
		in := fuzzInput(reason, message, image, helper, bits)
		got := outcome.Read(in)
		if len(got.Images) != len(in.Images) {
			t.Fatalf("%d outcomes of %d images", len(got.Images), len(in.Images))
		}
		for _, i := range got.Images {
			checkMessage(t, i.Message)
			if (i.Kind == outcome.Failed) != (i.Reason != "") || (got.Settled && i.Kind == outcome.Undecided) {
				t.Errorf("settled %v: %+v", got.Settled, i)
			}
		}
		if got.Refused != nil {
			checkMessage(t, got.Refused.Reason)
			checkMessage(t, got.Refused.Message)
		}
	})
}

func fuzzInput(reason, message, image, helper string, bits uint8) outcome.Input {
	bit := func(n int) bool { return bits>>n&1 == 1 }
	p := pod(wait(0, reason, message), wait(1, message, reason))
	install := wait(0, reason, message)
	install.Name = outcome.InitContainerName
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{install}
	if bit(0) {
		p = ended(p, corev1.PodFailed, reason, message)
	}
	if bit(1) {
		p.DeletionTimestamp = &p.CreationTimestamp
	}
	if bit(2) {
		p = nil
	}
	in := later(input(p), time.Minute)
	in.Images, in.Helper = []string{image, web}, helper
	in.ExecMethod, in.HasSecrets, in.JobFinished, in.EventsRead = bit(3), bit(4), bit(5), bit(6)
	if bit(7) {
		in.JobFailed = &outcome.Refusal{Reason: reason, Message: message}
	}
	in.Events = []outcome.Event{warning(1, reason, message), warning(2, "FailedCreate", message), event(3, "Pulling", message)}
	return in
}
