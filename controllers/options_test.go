package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func valid() Options {
	o := DefaultOptions()
	o.HelperImage = "registry.example.com/kubefledged-cri-client:v1"
	return o
}

func TestDefaultsAreTheOriginals(t *testing.T) {
	o := valid()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(fs)
	for flag, want := range map[string]string{
		"image-pull-deadline-duration":  "5m0s",
		"image-cache-refresh-frequency": "15m0s",
		"image-pull-policy":             "IfNotPresent",
		"service-account-name":          "",
		"job-priority-class-name":       "",
		"jobs-max-surge":                "0",
		"kubeconfig":                    "",
	} {
		if got := fs.Lookup(flag); got == nil || got.DefValue != want {
			t.Errorf("--%s: got %v, want default %q", flag, got, want)
		}
	}
	if err := o.Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

func TestValidateNamesTheFlag(t *testing.T) {
	for flag, breakIt := range map[string]func(*Options){
		"--image-pull-deadline-duration":  func(o *Options) { o.ImagePullDeadline = 0 },
		"--image-cache-refresh-frequency": func(o *Options) { o.RefreshFrequency = time.Second },
		"--image-pull-policy":             func(o *Options) { o.ImagePullPolicy = "Never" },
		"--jobs-max-surge":                func(o *Options) { o.JobsMaxSurge = -1 },
		"--images-per-job":                func(o *Options) { o.ImagesPerJob = "12abc" },
		"--pull-method":                   func(o *Options) { o.PullMethod = "ssh" },
		"--helper-image":                  func(o *Options) { o.HelperImage = "$(reboot)" },
		"--helper-image-pull-policy":      func(o *Options) { o.HelperImagePullPolicy = "Sometimes" },
		"--helper-image-pull-secrets":     func(o *Options) { o.HelperPullSecrets = []string{"a b"} },
		"--workers":                       func(o *Options) { o.Workers = 0 },
	} {
		o := valid()
		breakIt(&o)
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), flag+": ") {
			t.Errorf("want an error that begins with %q, got %v", flag, err)
		}
	}
}

func TestValidateTellsAllErrors(t *testing.T) {
	o := valid()
	o.JobsMaxSurge, o.PullMethod = -1, "ssh"
	if err := o.Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("want two lines, got %v", err)
	}
}

func TestImagesPerJob(t *testing.T) {
	for value, want := range map[string]int{"auto": 0, "1": 1, "50": 50} {
		if got, err := imagesPerJob(value); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", value, got, err, want)
		}
	}
	for _, value := range []string{"", "0", "-1", "51", "many"} {
		if _, err := imagesPerJob(value); err == nil {
			t.Errorf("%q is accepted", value)
		}
	}
}
