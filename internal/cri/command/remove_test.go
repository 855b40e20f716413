package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubefledged/kubefledged-operator/internal/cri"
	"github.com/kubefledged/kubefledged-operator/internal/cri/critest"
)

func TestParseRemove(t *testing.T) {
	o, err := parseRemove([]string{"--keep", "a:1", "--timeout=5s", "--keep=b:1", "--runtime-endpoint", "unix:///run/crio/crio.sock", "--other-names", "c:1", "d:1"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Socket != "/run/crio/crio.sock" || o.Timeout != 5*time.Second || !o.OtherNames || o.messagePath != "/dev/termination-log" ||
		!slices.Equal(o.Keep, []string{"a:1", "b:1"}) || !slices.Equal(o.Images, []string{"c:1", "d:1"}) {
		t.Errorf("parsed %+v", o)
	}
	o, err = parseRemove([]string{"c:1"})
	if err != nil || o.Socket != "/run/containerd/containerd.sock" || o.Timeout != 2*time.Minute || o.OtherNames {
		t.Errorf("defaults %+v, error %v", o, err)
	}
}

// What the controller passes is understood, whatever the names look like.
func TestParseRemoveArgs(t *testing.T) {
	keep, images := []string{"a:1", "=", "x --keep y"}, []string{"--keep", "-h", "--", "$(id)", ""}
	o, err := parseRemove(cri.RemoveArgs(keep, images)[1:])
	if err != nil || !slices.Equal(o.Keep, keep) || !slices.Equal(o.Images, images) {
		t.Errorf("parsed %+v, error %v", o, err)
	}
}

func TestRemoveUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		words string
	}{
		"nothing":                 {nil, "no image given"},
		"flags only":              {[]string{"--keep", "a:1"}, "no image given"},
		"end of flags only":       {[]string{"--"}, "no image given"},
		"unknown flag":            {[]string{"--force", "a:1"}, "-force"},
		"a flag after images":     {[]string{"a:1", "--keep", "b:1"}, `"--keep" does not`},
		"end of flags too late":   {[]string{"a:1", "--", "--keep", "b:1"}, "flags come before the images"},
		"a value is missing":      {[]string{"--keep", "--timeout", "1m", "a:1"}, `"--timeout" is no name of an image`},
		"an empty name to keep":   {[]string{"--keep=", "a:1"}, "no name of an image"},
		"no limit":                {[]string{"--timeout=0", "a:1"}, "--timeout must be more than 0"},
		"a limit without unit":    {[]string{"--timeout=10", "a:1"}, "timeout"},
		"an endpoint over TCP":    {[]string{"--runtime-endpoint=tcp://127.0.0.1:1", "a:1"}, "expected unix:///path"},
		"an endpoint on Windows":  {[]string{"--runtime-endpoint=npipe:////./pipe/containerd", "a:1"}, "expected unix:///path"},
		"an empty endpoint":       {[]string{"--runtime-endpoint=", "a:1"}, "expected unix:///path"},
		"more than a message has": {slices.Repeat([]string{"a:1"}, cri.MaxRemovals+1), "takes 150 images at once, got 151"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := Run(t.Context(), append([]string{"remove"}, c.args...), &out)
			var usage *UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.words) || out.Len() > 0 {
				t.Errorf("error %v, output %q, want a UsageError with the words %q", err, out.String(), c.words)
			}
		})
	}
}

func TestRemoveHelp(t *testing.T) {
	for _, flag := range []string{"-h", "--help", "help"} {
		var out bytes.Buffer
		if err := Run(t.Context(), []string{"remove", flag}, &out); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"-keep image", "-other-names", "(default 2m0s)", "unix:///run/containerd/containerd.sock", "/dev/termination-log",
			"Exit code", string(cri.Removed), string(cri.Absent), string(cri.Shared), string(cri.InUse), string(cri.Pinned), string(cri.Failed)} {
			if !strings.Contains(out.String(), word) {
				t.Errorf("help does not say %q:\n%s", word, out.String())
			}
		}
	}
}

// A removal that nobody would hear of counts as failed: it can be repeated.
func TestRemoveWithoutTerminationMessage(t *testing.T) {
	fake := critest.NewFake(t)
	path := filepath.Join(t.TempDir(), "none")
	var out bytes.Buffer
	err := Run(t.Context(), []string{"remove", "--runtime-endpoint=" + fake.Socket, "--termination-message-path", path, "a:1"}, &out)
	if err == nil || !strings.Contains(err.Error(), "write the termination message") || !strings.Contains(out.String(), "Absent") {
		t.Errorf("error %v, output %q", err, out.String())
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was made: only the kubelet may")
	}
}

func TestRemoveSaysHowManyFailed(t *testing.T) {
	var out bytes.Buffer
	err := Run(t.Context(), []string{"remove", "--runtime-endpoint=/nowhere/cri.sock", "a:1", "b:1"}, &out)
	if err == nil || !strings.Contains(err.Error(), "2 of 2 images failed") || strings.Count(out.String(), "/nowhere/cri.sock does not exist") != 2 {
		t.Errorf("error %v, output %q", err, out.String())
	}
}

func FuzzParseRemove(f *testing.F) {
	f.Add("--keep", "a:1", "b:1")
	f.Add("a:1", "--keep", "b:1")
	f.Add("--", "--keep", "--")
	f.Add("--keep=--", "--", "x")
	f.Fuzz(func(t *testing.T, first, second, third string) {
		args := []string{first, second, third}
		o, err := parseRemove(args)
		if err != nil {
			return
		}
		if slices.Contains(o.Images, "--keep") && !slices.Contains(args, "--") {
			t.Errorf("%q: a flag was taken for an image: %+v", args, o)
		}
		if tail := args[len(args)-len(o.Images):]; !slices.Equal(o.Images, tail) {
			t.Errorf("%q: the images are %q", args, o.Images)
		}
	})
}
