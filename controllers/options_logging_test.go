package controllers

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

// logged returns what goes to standard error of one message of each severity
// when the program runs with these flags.
func logged(t *testing.T, args ...string) string {
	t.Helper()
	t.Cleanup(klog.CaptureState().Restore)
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddLoggingFlags(fs)
	if err := fs.Parse(DoubleDashes(args, fs)); err != nil {
		t.Fatal(err)
	}
	if err := FinishLogging(fs); err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	real := os.Stderr
	os.Stderr = file
	logger := klog.NewKlogr()
	logger.Info("some information")
	logger.V(1).Info("a detail")
	klog.Warning("a warning")
	logger.Error(io.EOF, "an error")
	klog.Flush()
	os.Stderr = real
	content, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestLoggingFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                                    "I W E",
		"--stderrthreshold=INFO":              "I W E",
		"-stderrthreshold=info":               "I W E",
		"--stderrthreshold WARNING":           "W E",
		"--stderrthreshold=1":                 "W E",
		"--stderrthreshold=ERROR":             "E",
		"--stderrthreshold=FATAL":             "",
		"--logtostderr --stderrthreshold=2":   "E",
		"-v=1":                                "I V W E",
		"--v 1 --alsologtostderr":             "I V W E",
		"--vmodule=options_logging_test=1":    "I V W E",
		"--log_backtrace_at=nofile.go:1 -v=0": "I W E",
	} {
		t.Run(args, func(t *testing.T) {
			output := logged(t, strings.Fields(args)...)
			var got []string
			for _, m := range [][2]string{{"I", "some information"}, {"V", "a detail"}, {"W", "a warning"}, {"E", "an error"}} {
				if strings.Contains(output, m[1]) {
					got = append(got, m[0])
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Who names a directory for log files gets log files, unless they are refused.
func TestLogDirectory(t *testing.T) {
	t.Cleanup(klog.CaptureState().Restore)
	dir := "--log_dir=" + t.TempDir()
	for args, toStderr := range map[string]string{"": "true", dir: "false", dir + " --logtostderr": "true"} {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		AddLoggingFlags(fs)
		_ = fs.Set("logtostderr", "true")
		fs.Lookup("logtostderr").Changed = false
		if err := errors.Join(fs.Parse(strings.Fields(args)), FinishLogging(fs)); err != nil {
			t.Fatal(err)
		}
		if got := fs.Lookup("logtostderr").Value.String(); got != toStderr {
			t.Errorf("%q: only to standard error %s, want %s", args, got, toStderr)
		}
	}
}

func TestLoggingFlagsExplainMistakes(t *testing.T) {
	for arg, want := range map[string]string{
		"--stderrthreshold=LOUD": `invalid argument "LOUD" for "--stderrthreshold" flag: must be INFO, WARNING, ERROR or FATAL, or a number from 0 to 3`,
		"--stderrthreshold=7":    `invalid argument "7" for "--stderrthreshold" flag: must be INFO, WARNING, ERROR or FATAL, or a number from 0 to 3`,
		"--v=-1":                 `invalid argument "-1" for "-v, --v" flag: must be a number from 0 on`,
		"--logtostderr=maybe":    `invalid argument "maybe" for "--logtostderr" flag: must be true or false`,
		"--vmodule=a":            `invalid argument "a" for "--vmodule" flag: must be pattern=level, separated by commas, for example pacer*=2,reconciler=1`,
		"--log_backtrace_at=a":   `invalid argument "a" for "--log_backtrace_at" flag: must be file.go:line`,
		"--log_dir=/nowhere":     `invalid argument "/nowhere" for "--log_dir" flag: must be a directory that exists: mount one, as the container's file system is read-only`,
	} {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		AddLoggingFlags(fs)
		if err := fs.Parse([]string{arg}); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", arg, err, want)
		}
	}
}
