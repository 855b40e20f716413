package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const dockerfile = `# a comment
FROM scratch AS one
ARG TARGETARCH
LABEL a="b c" \
      d=e
COPY bin/linux_${TARGETARCH}/x bin/linux_${TARGETARCH}/y /
USER 65532:65532
ENTRYPOINT ["/x", "run"]

FROM scratch AS two
COPY z /z
`
	got, err := parse(dockerfile, "one", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	want := recipe{
		labels: map[string]string{"a": "b c", "d": "e"}, user: "65532:65532", entrypoint: []string{"/x", "run"},
		copies: []copied{{from: []string{"bin/linux_arm64/x", "bin/linux_arm64/y"}, to: "/"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recipe{}, copied{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What is not understood is refused: it would make another image than Docker does.
func TestParseRefuses(t *testing.T) {
	for dockerfile, why := range map[string]string{
		"FROM debian\nCOPY a /a":                         "only scratch",
		"FROM scratch\nRUN rm -rf /":                     "RUN is not built here",
		"FROM scratch\nWORKDIR /":                        "WORKDIR is not built here",
		"FROM scratch\nCOPY --chown=1 a /a":              "want COPY",
		"FROM scratch\nLABEL a":                          "want key=value",
		"FROM scratch\nLABEL a=\"b":                      "quote",
		"FROM scratch\nENTRYPOINT /x":                    "invalid character",
		"FROM scratch AS other\nCOPY a /a":               "no stage",
		"FROM scratch\nCOPY a /\nFROM busybox AS second": "only scratch",
	} {
		if _, err := parse(dockerfile, "", "amd64"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", dockerfile, err, why)
		}
	}
}

// All our Dockerfiles can be built, and that of the bundle says what is made of
// its folder.
func TestOurDockerfiles(t *testing.T) {
	for file, stages := range map[string][]string{
		"Dockerfile":         {"controller", "cri-client", "operator"},
		"catalog.Dockerfile": {""},
		"bundle.Dockerfile":  {""},
	} {
		content, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, stage := range stages {
			if _, err := parse(string(content), stage, "amd64"); err != nil {
				t.Errorf("%s, %q: %v", file, stage, err)
			}
		}
	}
	content, err := os.ReadFile("../../bundle.Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	written, err := parse(string(content), "", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	made, err := bundleRecipe("../../bundle")
	if err != nil {
		t.Fatal(err)
	}
	for i := range made.copies {
		made.copies[i].from[0] = "bundle/" + made.copies[i].from[0]
	}
	if diff := cmp.Diff(written, made, cmp.AllowUnexported(recipe{}, copied{})); diff != "" {
		t.Errorf("bundle.Dockerfile and what is made (-written +made)\n%s", diff)
	}
}
