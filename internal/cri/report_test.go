package cri

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestEncode(t *testing.T) {
	report := Report{[]ImageResult{{"a:1", Removed, ""}, {"b:1", Shared, "c:1 is <wanted>"}}}
	line, err := report.Encode()
	want := `{"images":[{"image":"a:1","result":"Removed"},{"image":"b:1","result":"Shared","message":"c:1 is <wanted>"}]}` + "\n"
	if err != nil || string(line) != want {
		t.Errorf("Encode = %q, %v, want %q", line, err, want)
	}
}

// Whatever is asked, the controller learns the result of each image.
func TestEncodeWithinATerminationMessage(t *testing.T) {
	for name, c := range map[string]struct {
		images, nameLength, messageLength int
		whole                             bool // messages are whole
		messages                          bool // there are messages
	}{
		"one":                    {1, 20, 100, true, true},
		"one with long errors":   {1, 20, 10_000, false, true},
		"a batch":                {10, 80, 240, true, true},
		"a batch with errors":    {10, 80, 3000, false, true},
		"fifty":                  {50, 40, 200, false, false},
		"as long as names are":   {10, 512, 300, false, false},
		"as many as may be":      {MaxRemovals, 200, 300, false, false},
		"as many with no errors": {MaxRemovals, 512, 0, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			report := Report{}
			var names []string
			for i := range c.images {
				image := fmt.Sprintf("%03d%s", i, strings.Repeat("n", c.nameLength-3))
				names = append(names, image)
				report.Images = append(report.Images, ImageResult{image, Removed, strings.Repeat("€", c.messageLength/len("€"))})
			}
			line, err := report.EncodeWithin(MaxTerminationMessage)
			if err != nil || len(line) > MaxTerminationMessage || !utf8.Valid(line) {
				t.Fatalf("%d bytes, error %v", len(line), err)
			}
			got, err := ParseReport(string(line), names)
			if err != nil {
				t.Fatal(err)
			}
			if got.Images[c.images-1].Image != names[c.images-1] || got.Images[c.images-1].Result != Removed {
				t.Errorf("the last is %+v", got.Images[c.images-1])
			}
			message := got.Images[0].Message
			if (message == report.Images[0].Message) != c.whole || (message != "") != c.messages {
				t.Errorf("message %q", message)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	for length, want := range map[int]string{0: "", 3: "", 4: "...", 5: "é...", 6: "éa...", 7: "éa...", 8: "éaé...", 9: "éaéa..."} {
		if got := shorten("éaéaéaéaé", length); got != want || len(got) > length {
			t.Errorf("shorten to %d = %q, want %q", length, got, want)
		}
	}
	if got := shorten("short", 5); got != "short" {
		t.Errorf("shorten changed what fits: %q", got)
	}
}

func TestParseReportRefusesOthers(t *testing.T) {
	for message, words := range map[string]string{
		"":              "read the report",
		"panic: oh":     "read the report",
		`{"images":[]}`: "about 0 images, asked were 1",
		`{"images":[{}`: "read the report",
		`{"images":[{"image":"b:1","result":"Removed"}]}`: `about "b:1" where "a:1" was asked`,
	} {
		if _, err := ParseReport(message, []string{"a:1"}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("ParseReport(%q): %v, want the words %q", message, err, words)
		}
	}
}

func TestFailures(t *testing.T) {
	report := Report{[]ImageResult{{Result: Removed}, {Result: Failed}, {Result: InUse}, {Result: Failed}}}
	if n := report.Failures(); n != 2 {
		t.Errorf("%d failures, want 2", n)
	}
}

func TestRemoveArgs(t *testing.T) {
	got := RemoveArgs([]string{"a:1", "b:1"}, []string{"-c", "d:1"})
	if diff := cmp.Diff([]string{"remove", "--keep=a:1", "--keep=b:1", "--", "-c", "d:1"}, got); diff != "" {
		t.Error(diff)
	}
	got = RemoveArgs([]string{"a:1"}, []string{"b:1"}, RuntimeEndpoint("/run/r.sock"), TimeLimit(90*time.Second))
	if diff := cmp.Diff([]string{"remove", "--runtime-endpoint=unix:///run/r.sock", "--timeout=1m30s", "--keep=a:1", "--", "b:1"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzEncodeWithin(f *testing.F) {
	f.Add("a:1", "message", 3)
	f.Add("\xff", "\u2028<>&\x00", MaxRemovals)
	f.Fuzz(func(t *testing.T, name, message string, n int) {
		if n < 0 || n > MaxRemovals {
			return
		}
		var report Report
		for range n {
			report.Images = append(report.Images, ImageResult{name, Failed, message})
		}
		line, err := report.EncodeWithin(MaxTerminationMessage)
		if err != nil || len(line) > MaxTerminationMessage {
			t.Fatalf("%d bytes, %v", len(line), err)
		}
		var got Report
		if err := json.Unmarshal(line, &got); err != nil || len(got.Images) != n || got.Failures() != n {
			t.Fatalf("%d images of %d, %v", len(got.Images), n, err)
		}
	})
}
