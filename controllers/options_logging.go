package controllers

import (
	"errors"
	"flag"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

// loggingFlag is one of glog's flags, which the original has and klog reads.
type loggingFlag struct {
	name, short, usage string
	// initial is the default as the help shows it.
	initial string
	// rule says what the value must be.
	rule string
	// check refuses what klog would take without a word; may be nil.
	check func(value string) bool
}

// stderrThreshold is our default. glog's, ERROR, counts on somebody who reads
// the log files; the original's manifests set INFO.
const stderrThreshold = "INFO"

// loggingFlags are glog's. klog's own ones besides are not offered: they serve
// log files, which a container does not write.
var loggingFlags = []loggingFlag{
	{name: "v", short: "v", initial: "0", usage: "The `level` of detail in the log: 0 for what an operator wants to know, 1 for every decision, 4 and more for what the libraries do.",
		rule: "must be a number from 0 on", check: isNumber},
	{name: "vmodule", usage: "Level of detail by source file: `pattern=level`, separated by commas.",
		rule: "must be pattern=level, separated by commas, for example pacer*=2,reconciler=1"},
	{name: "stderrthreshold", initial: stderrThreshold, usage: "Least `severity` of what is logged to standard error: INFO, WARNING, ERROR or FATAL, or 0 to 3.",
		rule: "must be INFO, WARNING, ERROR or FATAL, or a number from 0 to 3", check: isSeverity},
	{name: "logtostderr", initial: "true", usage: "Log to standard error only; =false logs to files in --log_dir too. With --log_dir the default is false.",
		rule: "must be true or false"},
	{name: "alsologtostderr", initial: "false", usage: "Log everything to standard error also when logging to files, whatever --stderrthreshold says.",
		rule: "must be true or false"},
	{name: "log_dir", usage: "The `directory` of log files, which must exist and be writable; the images have none.",
		rule: "must be a directory that exists: mount one, as the container's file system is read-only", check: isDirectory},
	{name: "log_backtrace_at", usage: "Log a stack trace with the message at `file:line`.",
		rule: "must be file.go:line"},
}

// AddLoggingFlags adds glog's flags. Unlike klog's they keep glog's promise:
// --stderrthreshold counts also while nothing is logged to files.
func AddLoggingFlags(fs *pflag.FlagSet) {
	all := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(all)
	_ = all.Set("stderrthreshold", stderrThreshold)
	_ = all.Set("legacy_stderr_threshold_behavior", "false")
	for _, f := range loggingFlags {
		value := &checkedValue{loggingFlag: f, klog: all.Lookup(f.name).Value}
		added := fs.VarPF(value, f.name, f.short, f.usage)
		added.DefValue = f.initial
		if value.Type() == "bool" {
			added.NoOptDefVal = "true"
		}
	}
}

// FinishLogging settles what depends on several flags, once they are parsed:
// who names a directory for log files wants log files.
func FinishLogging(fs *pflag.FlagSet) error {
	if !fs.Changed("log_dir") || fs.Changed("logtostderr") {
		return nil
	}
	return fs.Set("logtostderr", "false")
}

// checkedValue is a flag's value with an error that says what it may be.
type checkedValue struct {
	loggingFlag
	klog flag.Value
}

// Set sets the value.
func (c *checkedValue) Set(value string) error {
	if c.check != nil && !c.check(value) || c.klog.Set(value) != nil {
		return errors.New(c.rule)
	}
	return nil
}

// String returns the value.
func (c *checkedValue) String() string { return c.klog.String() }

// Type returns what the help calls the value.
func (c *checkedValue) Type() string {
	if b, ok := c.klog.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return "bool"
	}
	return "string"
}

func isNumber(value string) bool {
	n, err := strconv.ParseInt(value, 10, 32)
	return err == nil && n >= 0
}

func isSeverity(value string) bool {
	switch strings.ToUpper(value) {
	case "INFO", "WARNING", "ERROR", "FATAL", "0", "1", "2", "3":
		return true
	}
	return false
}

func isDirectory(value string) bool {
	info, err := os.Stat(value)
	return err == nil && info.IsDir()
}

// DoubleDashes rewrites -flag to --flag, as users of glog and of the original
// write both, where flags has a flag of that name.
func DoubleDashes(args []string, flags *pflag.FlagSet) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out[:i], args[i:]...)
		}
		out[i] = arg
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if len(name) > 1 && strings.HasPrefix(arg, "-") && flags.Lookup(name) != nil {
			out[i] = "-" + arg
		}
	}
	return out
}
