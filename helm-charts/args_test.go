package charts_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/controllers"
	"github.com/kubefledged/kubefledged-operator/internal/webhook"
)

// container returns the only one of a Deployment.
func container(t *testing.T, r release, deployment string) corev1.Container {
	t.Helper()
	for _, d := range deployments(t, objects(t, r)) {
		if strings.HasSuffix(d.Name, deployment) {
			return d.Spec.Template.Spec.Containers[0]
		}
	}
	t.Fatalf("no Deployment %s", deployment)
	return corev1.Container{}
}

// parsed is what the controller makes of the flags and the environment that the
// chart gives it.
func parsed(t *testing.T, r release) (controllers.Options, *pflag.FlagSet) {
	t.Helper()
	c := container(t, r, "-controller")
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.namespace" {
			value = r.namespace
		}
		t.Setenv(e.Name, value)
	}
	options := controllers.DefaultOptions()
	flags := pflag.NewFlagSet("kubefledged-controller", pflag.ContinueOnError)
	options.AddFlags(flags)
	controllers.AddLoggingFlags(flags)
	if err := flags.Parse(c.Args); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(c.Args, "\n"))
	}
	if err := options.Validate(); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(c.Args, "\n"))
	}
	return options, flags
}

// The controller takes all that the chart can say.
func TestControllerTakesItsFlags(t *testing.T) {
	for name, r := range cases(t) {
		t.Run(name, func(t *testing.T) { parsed(t, r) })
	}
}

// A chart without values runs the controller as it runs without flags, but for
// the cap on Jobs, which the original's users miss.
func TestDefaultsAreTheControllers(t *testing.T) {
	t.Setenv("KUBEFLEDGED_NAMESPACE", "kube-fledged")
	want := controllers.DefaultOptions()
	want.HelperImage = "ghcr.io/kubefledged/kubefledged-cri-client:v" + released(t)
	want.JobsMaxSurge = 100
	want.RemovalNamespace = "kube-fledged-node"
	got, _ := parsed(t, theRelease(nil))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-controller +chart)\n%s", diff)
	}
}

// Every flag has a value, but those that are for running outside a cluster and
// for log files, which args.controllerExtraArgs may still set.
func TestEveryFlagHasAValue(t *testing.T) {
	without := []string{
		"namespace", // the environment says it
		"helper-image",
		"kubeconfig", "master",
		"pprof-bind-address", // for somebody who looks for a reason, for a while
		"vmodule", "logtostderr", "alsologtostderr", "log_dir", "log_backtrace_at",
	}
	r := theRelease(valuesOf(t, "everything"))
	r.values["args"].(map[string]any)["controllerExtraArgs"] = []any{}
	_, flags := parsed(t, r)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed == slices.Contains(without, f.Name) {
			t.Errorf("--%s is set: %v", f.Name, f.Changed)
		}
	})
}

// Values arrive as they were written, through YAML, templates and the shell-less
// command line.
func TestValuesReachTheController(t *testing.T) {
	got, flags := parsed(t, theRelease(parse(t, `
args:
  controllerLogLevel: ERROR
  controllerLogVerbosity: 4
  controllerImagePullDeadlineDuration: 1h30m
  controllerImageCacheRefreshFrequency: 0s
  controllerVerifyInterval: 90m
  controllerImagePullPolicy: Always
  controllerPullMethod: exec
  controllerImagesPerJob: 7
  controllerJobsMaxSurge: 1000000
  controllerJobsPerRegistry: 20000000
  controllerPullsPerNode: 3
  controllerWorkers: 100
  controllerUnselectedGrace: 0s
  controllerCRISocketPath: /run/k3s/containerd/containerd.sock
  controllerImageDeleteJobHostNetwork: true
  controllerServiceAccountName: puller
  controllerJobPriorityClassName: low
  controllerJobRetentionPolicy: retain
  controllerJobRetentionTTL: 2h
  controllerHelperImagePullPolicy: Never
  controllerHelperImagePullSecrets: [one, two]
  controllerPodLabels: {"a": "1", example.com/b: "true"}
  controllerPodAnnotations:
    example.com/equals: 'a=1,b="two", c'
    example.com/json: '{"a": ["b", "c"]}'
    example.com/empty: ""
    example.com/plain: "x, y"
    example.com/template: "{{ .Values }}"
  controllerLeaderElect: false
  controllerExtraArgs: [--vmodule=pacer*=2]
removal: {enabled: false, namespace: wipe}
metrics: {enabled: false}
controller: {healthPort: 9001}
image: {kubefledgedCRIClientRepository: "r.example.com:5000/x", kubefledgedCRIClientTag: "1.0"}
`)))
	t.Setenv("KUBEFLEDGED_CRI_CLIENT_IMAGE", "")
	want := controllers.DefaultOptions()
	want.ImagePullDeadline, want.RefreshFrequency, want.VerifyInterval = 90*time.Minute, 0, 90*time.Minute
	want.ImagePullPolicy, want.PullMethod, want.ImagesPerJob = "Always", "exec", "7"
	want.JobsMaxSurge, want.JobsPerRegistry, want.PullsPerNode, want.Workers = 1000000, 20000000, 3, 100
	want.UnselectedGrace, want.CRISocketPath, want.RemovalHostNet = 0, "/run/k3s/containerd/containerd.sock", true
	want.Removal, want.RemovalNamespace = false, "wipe"
	want.ServiceAccountName, want.JobPriorityClassName = "puller", "low"
	want.JobRetentionPolicy, want.JobRetentionTTL = "retain", 2*time.Hour
	want.HelperImage, want.HelperImagePullPolicy, want.HelperPullSecrets = "r.example.com:5000/x:1.0", "Never", []string{"one", "two"}
	want.PodLabels = map[string]string{"a": "1", "example.com/b": "true"}
	want.PodAnnotations = map[string]string{
		"example.com/equals": `a=1,b="two", c`, "example.com/json": `{"a": ["b", "c"]}`, "example.com/empty": "",
		"example.com/plain": "x, y", "example.com/template": "{{ .Values }}",
	}
	want.LeaderElect, want.MetricsAddress, want.ProbeAddress = false, "0", ":9001"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for name, value := range map[string]string{"stderrthreshold": "2", "v": "4", "vmodule": "pacer*=2"} {
		if got := flags.Lookup(name).Value.String(); got != value {
			t.Errorf("--%s is %q", name, got)
		}
	}
}

// parsedByWebhook is what the webhook server makes of its flags and environment.
func parsedByWebhook(t *testing.T, r release) (webhook.Options, *pflag.FlagSet) {
	t.Helper()
	c := container(t, r, "-webhook-server")
	for _, e := range c.Env {
		if e.ValueFrom == nil || e.ValueFrom.FieldRef.FieldPath != "metadata.namespace" {
			t.Fatalf("%s comes from elsewhere", e.Name)
		}
		t.Setenv(e.Name, r.namespace)
	}
	options := webhook.DefaultOptions()
	flags := pflag.NewFlagSet("kubefledged-webhook-server", pflag.ContinueOnError)
	options.AddFlags(flags)
	controllers.AddLoggingFlags(flags)
	if err := flags.Parse(c.Args); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(c.Args, "\n"))
	}
	if err := options.Validate(); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(c.Args, "\n"))
	}
	if !slices.Equal(c.Command, []string{"/kubefledged-webhook-server"}) && r.values["command"] == nil {
		t.Errorf("it runs %v", c.Command)
	}
	return options, flags
}

// The webhook server takes all that the chart can say, and calls itself what the
// chart calls it.
func TestWebhookServerTakesItsFlags(t *testing.T) {
	for name, r := range cases(t) {
		if name == "webhook-off" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			options, _ := parsedByWebhook(t, r)
			all := objects(t, r)
			mustFind(t, all, "Service", options.Service)
			mustFind(t, all, "ValidatingWebhookConfiguration", options.WebhookConfiguration)
			if options.Namespace != r.namespace {
				t.Errorf("it is in %s", options.Namespace)
			}
			role := find(all, "Role", options.Service+"-certificate")
			if options.SelfSigned != (role != nil) || role != nil && !strings.Contains(role.text, `["`+options.CertificateSecret+`"]`) {
				t.Errorf("it makes a certificate in %s: %v, with the rights\n%v", options.CertificateSecret, options.SelfSigned, role)
			}
		})
	}
}

func TestValuesReachTheWebhookServer(t *testing.T) {
	t.Setenv("KUBEFLEDGED_NAMESPACE", "kube-fledged")
	want := webhook.DefaultOptions()
	want.CertificateSecret, want.MetricsAddress, want.ProbeAddress = "kubefledged-webhook-server-cert", ":8082", ":8083"
	got, _ := parsedByWebhook(t, theRelease(nil))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-server +chart)\n%s", diff)
	}
	got, flags := parsedByWebhook(t, theRelease(parse(t, `
args:
  webhookServerPort: 9443
  webhookServerLogLevel: WARNING
  webhookServerLogVerbosity: 3
  webhookServerCertFile: /etc/webhook-certs/cert.pem
  webhookServerKeyFile: /etc/webhook-certs/key.pem
  webhookServerExtraArgs: [--shutdown-delay=7s]
webhook: {selfSigned: false, certificateSecret: tls}
webhookServer: {healthPort: 9001}
webhookService: {name: service}
validatingWebhook: {name: ours}
metrics: {enabled: false}
`)))
	want.Port, want.ShutdownDelay, want.SelfSigned = 9443, 7*time.Second, false
	want.CertFile, want.KeyFile, want.CertificateSecret = "/etc/webhook-certs/cert.pem", "/etc/webhook-certs/key.pem", "tls"
	want.Service, want.WebhookConfiguration = "service", "ours"
	want.MetricsAddress, want.ProbeAddress = "0", ":9001"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if level, detail := flags.Lookup("stderrthreshold").Value.String(), flags.Lookup("v").Value.String(); level != "1" || detail != "3" {
		t.Errorf("it logs %s, %s", level, detail)
	}
}

// The server looks after the configuration that there is, and after none where
// the chart neither makes nor names one.
func TestWhichConfigurationIsLookedAfter(t *testing.T) {
	for values, want := range map[string]string{
		`{}`:                              "kubefledged-webhook-server",
		`validatingWebhook: {name: ours}`: "ours",
		`validatingWebhook: {name: ours, create: false}`: "ours",
		`validatingWebhook: {create: false}`:             "",
	} {
		if args := container(t, theRelease(parse(t, values)), "-webhook-server").Args; !slices.Contains(args, "--webhook-configuration="+want) {
			t.Errorf("%s: %v", values, args)
		}
	}
}

// Which image, by repository, tag and digest.
func TestImages(t *testing.T) {
	const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	version := released(t)
	for name, test := range map[string]struct{ values, controller, helper, webhook string }{
		"default":             {`{}`, "ghcr.io/kubefledged/kubefledged-controller:v" + version, "ghcr.io/kubefledged/kubefledged-cri-client:v" + version, "ghcr.io/kubefledged/kubefledged-controller:v" + version},
		"one tag":             {`image: {tag: v2}`, "ghcr.io/kubefledged/kubefledged-controller:v2", "ghcr.io/kubefledged/kubefledged-cri-client:v2", "ghcr.io/kubefledged/kubefledged-controller:v2"},
		"a tag of its own":    {`image: {tag: v2, kubefledgedControllerTag: v3}`, "ghcr.io/kubefledged/kubefledged-controller:v3", "ghcr.io/kubefledged/kubefledged-cri-client:v2", "ghcr.io/kubefledged/kubefledged-controller:v3"},
		"a digest":            {`image: {tag: v2, kubefledgedControllerDigest: "` + digest + `"}`, "ghcr.io/kubefledged/kubefledged-controller@" + digest, "ghcr.io/kubefledged/kubefledged-cri-client:v2", "ghcr.io/kubefledged/kubefledged-controller@" + digest},
		"another webhook":     {`image: {tag: v2, kubefledgedControllerDigest: "` + digest + `", kubefledgedWebhookServerRepository: a/b}`, "ghcr.io/kubefledged/kubefledged-controller@" + digest, "ghcr.io/kubefledged/kubefledged-cri-client:v2", "a/b:v2"},
		"webhook by digest":   {`image: {kubefledgedWebhookServerRepository: a/b, kubefledgedWebhookServerDigest: "` + digest + `"}`, "ghcr.io/kubefledged/kubefledged-controller:v" + version, "ghcr.io/kubefledged/kubefledged-cri-client:v" + version, "a/b@" + digest},
		"a tag like a number": {`image: {kubefledgedCRIClientRepository: a, kubefledgedCRIClientTag: "1.10"}`, "ghcr.io/kubefledged/kubefledged-controller:v" + version, "a:1.10", "ghcr.io/kubefledged/kubefledged-controller:v" + version},
	} {
		r := theRelease(parse(t, test.values))
		c := container(t, r, "-controller")
		if got := [3]string{c.Image, c.Env[1].Value, container(t, r, "-webhook-server").Image}; got != [3]string{test.controller, test.helper, test.webhook} {
			t.Errorf("%s: %v", name, got)
		}
	}
}
