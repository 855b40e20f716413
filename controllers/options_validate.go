package controllers

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

const (
	// automatic is the value of flags whose setting is found out.
	automatic = "auto"
	// mostImagesPerJob keeps a pod's status within what one object may hold.
	mostImagesPerJob = 50
	// mostPullsPerNode is above what kubelets are configured to pull at once.
	mostPullsPerNode = 10
	// longestSocket is that of sun_path (unix(7)), less its final zero.
	longestSocket = 107

	leastRefresh = 10 * time.Second
	leastVerify  = time.Minute
	leastRetain  = time.Minute
	mostRetain   = 365 * 24 * time.Hour
)

// mistakes collects what is wrong, each with the flag it is about.
type mistakes []error

func (m *mistakes) add(flag, format string, args ...any) {
	*m = append(*m, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
}

// Validate returns every setting that is wrong, each with its flag and what it may be.
func (o *Options) Validate() error {
	var m mistakes
	o.validatePulls(&m)
	o.validateRemoval(&m)
	o.validatePace(&m)
	o.validateHelper(&m)
	o.validateJobs(&m)
	o.validateProgram(&m)
	return errors.Join(m...)
}

func (o *Options) validatePulls(m *mistakes) {
	if o.ImagePullDeadline < time.Second {
		m.add("image-pull-deadline-duration", "%s is too short: must be at least 1s", o.ImagePullDeadline)
	}
	if p := corev1.PullPolicy(o.ImagePullPolicy); p != corev1.PullAlways && p != corev1.PullIfNotPresent {
		m.add("image-pull-policy", "%q: must be IfNotPresent or Always", o.ImagePullPolicy)
	}
	if o.RefreshFrequency != 0 && o.RefreshFrequency < leastRefresh {
		m.add("image-cache-refresh-frequency", "%s is too short: must be 0s (off) or at least %s", o.RefreshFrequency, leastRefresh)
	}
	if o.VerifyInterval != 0 && o.VerifyInterval < leastVerify {
		m.add("verify-interval", "%s is too short: must be 0s (off) or at least %s", o.VerifyInterval, leastVerify)
	}
	if _, err := pullMethod(o.PullMethod); err != nil {
		m.add("pull-method", "%v", err)
	}
	if _, err := imagesPerJob(o.ImagesPerJob); err != nil {
		m.add("images-per-job", "%v", err)
	}
}

func (o *Options) validateRemoval(m *mistakes) {
	if problems := validation.IsDNS1123Label(o.removalNamespace()); len(problems) > 0 {
		m.add("removal-namespace", "%q: %s", o.removalNamespace(), problems[0])
	}
	if o.UnselectedGrace < 0 {
		m.add("unselected-grace", "%s: must be 0s (no wait) or more", o.UnselectedGrace)
	}
	socket := o.criSocket()
	switch {
	case o.CRISocketPath == "":
	case !path.IsAbs(socket) || path.Clean(socket) != socket || socket == "/":
		m.add("cri-socket-path", "%q: must be the absolute path of the runtime's socket on the nodes, for example "+
			"/run/k3s/containerd/containerd.sock or unix:///run/containerd/containerd.sock", o.CRISocketPath)
	case len(socket) > longestSocket:
		m.add("cri-socket-path", "%q is too long: the path of a socket has at most %d bytes", o.CRISocketPath, longestSocket)
	}
}

func (o *Options) validatePace(m *mistakes) {
	if o.JobsMaxSurge < 0 {
		m.add("jobs-max-surge", "%d: must be 0 (no cap but that of each node) or more", o.JobsMaxSurge)
	}
	if o.JobsPerRegistry < 0 {
		m.add("jobs-per-registry", "%d: must be 0 (no cap) or more", o.JobsPerRegistry)
	}
	if o.PullsPerNode < 1 || o.PullsPerNode > mostPullsPerNode {
		m.add("pulls-per-node", "%d: must be a number from 1 to %d", o.PullsPerNode, mostPullsPerNode)
	}
	if o.Workers < 1 {
		m.add("workers", "%d: must be at least 1", o.Workers)
	}
}

func (o *Options) validateHelper(m *mistakes) {
	if _, _, err := reference.Normalise(o.HelperImage); err != nil {
		m.add("helper-image", "%q (also settable by %s): %v", o.HelperImage, envHelperImage, err)
	}
	switch corev1.PullPolicy(o.HelperImagePullPolicy) {
	case corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		m.add("helper-image-pull-policy", "%q: must be IfNotPresent, Always or Never", o.HelperImagePullPolicy)
	}
	for _, name := range o.HelperPullSecrets {
		m.name("helper-image-pull-secrets", name)
	}
}

func (o *Options) validateJobs(m *mistakes) {
	if o.ServiceAccountName != "" {
		m.name("service-account-name", o.ServiceAccountName)
	}
	if o.JobPriorityClassName != "" {
		m.name("job-priority-class-name", o.JobPriorityClassName)
	}
	for _, key := range slices.Sorted(maps.Keys(o.PodLabels)) {
		m.label("pod-labels", key, o.PodLabels[key])
	}
	for _, key := range slices.Sorted(maps.Keys(o.PodAnnotations)) {
		// As the API server does, which takes them in any case.
		m.key("pod-annotations", key, strings.ToLower(key))
	}
	if o.JobRetentionPolicy != retentionDelete && o.JobRetentionPolicy != retentionRetain {
		m.add("job-retention-policy", "%q: must be %s or %s", o.JobRetentionPolicy, retentionDelete, retentionRetain)
	}
	if o.JobRetentionTTL < leastRetain || o.JobRetentionTTL > mostRetain {
		m.add("job-retention-ttl", "%s: must be from %s to %s", o.JobRetentionTTL, leastRetain, mostRetain)
	}
}

func (o *Options) validateProgram(m *mistakes) {
	if problems := validation.IsDNS1123Label(o.Namespace); len(problems) > 0 {
		m.add("namespace", "%q (also settable by %s): %s", o.Namespace, envNamespace, problems[0])
	}
	m.address("metrics-bind-address", o.MetricsAddress)
	m.address("health-probe-bind-address", o.ProbeAddress)
	m.address("pprof-bind-address", o.ProfileAddress)
	if u, err := url.Parse(o.Master); o.Master != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		m.add("master", "%q: must be the URL of the API server, for example https://10.0.0.1:6443", o.Master)
	}
}

// name refuses what cannot be the name of an object.
func (m *mistakes) name(flag, name string) {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		m.add(flag, "%q: %s", name, problems[0])
	}
}

// ownLabels are those that we or the Job controller set on Jobs and pods: with
// another value we would not find our Jobs, or the API server would refuse them.
var ownLabels = []string{
	v1alpha2.LabelApp, v1alpha2.LabelComponent, v1alpha2.LabelController, v1alpha2.LabelImageCache,
	batchv1.ControllerUidLabel, batchv1.JobNameLabel, "controller-uid", "job-name",
}

// label refuses what cannot be a label or is ours.
func (m *mistakes) label(flag, key, value string) {
	if slices.Contains(ownLabels, key) {
		m.add(flag, "the label %q is set by the controller itself: choose another key", key)
		return
	}
	m.key(flag, key, key)
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		m.add(flag, "the value %q of %s: %s", value, key, problems[0])
	}
}

// key refuses what cannot be the key of a label or an annotation, or is ours.
func (m *mistakes) key(flag, key, qualified string) {
	if problems := validation.IsQualifiedName(qualified); len(problems) > 0 {
		m.add(flag, "the key %q: %s", key, problems[0])
	}
	if prefix, _, _ := strings.Cut(key, "/"); prefix == v1alpha2.GroupVersion.Group {
		m.add(flag, "%q: keys of %s are the controller's own: choose another one", key, prefix)
	}
}

// address refuses what no endpoint can listen on; 0 is for none.
func (m *mistakes) address(flag, address string) {
	if address == "0" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		m.add(flag, "%q: must be [host]:port, for example :8080, or 0 for no endpoint", address)
	}
}

func imagesPerJob(value string) (int, error) {
	if value == automatic {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > mostImagesPerJob {
		return 0, fmt.Errorf("%q: must be auto or a number from 1 to %d", value, mostImagesPerJob)
	}
	return n, nil
}

func pullMethod(value string) (plan.Method, error) {
	switch m := plan.Method(value); m {
	case automatic:
		return "", nil
	case plan.MethodImageVolume, plan.MethodExec:
		return m, nil
	default:
		return "", fmt.Errorf("%q: must be auto, %s or %s", value, plan.MethodImageVolume, plan.MethodExec)
	}
}
