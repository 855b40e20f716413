package release

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/kube"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// FieldManager is the name under which the operator writes objects, by Helm and
// by itself: a repair then owns the same fields as an upgrade.
const FieldManager = "kubefledged-operator"

// Helm has no other way to be told.
func init() { kube.ManagedFieldsManager = FieldManager }

// mostRevisions bounds the history: each revision is a Secret with the chart in it.
const mostRevisions = 8

// Chart is a loaded chart.
type Chart struct{ chart *chart.Chart }

// LoadChart loads the chart in a directory of a file system.
func LoadChart(files fs.FS, directory string) (*Chart, error) {
	var buffered []*loader.BufferedFile
	err := fs.WalkDir(files, directory, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		relative := strings.TrimPrefix(strings.TrimPrefix(name, path.Clean(directory)), "/")
		buffered = append(buffered, &loader.BufferedFile{Name: relative, Data: content})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the chart: %w", err)
	}
	loaded, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, fmt.Errorf("load the chart: %w", err)
	}
	return &Chart{chart: loaded}, nil
}

// Name returns the chart's name.
func (c *Chart) Name() string { return c.chart.Name() }

// Version returns the chart's version.
func (c *Chart) Version() string { return c.chart.Metadata.Version }

// AppVersion returns the version of what the chart installs.
func (c *Chart) AppVersion() string { return c.chart.AppVersion() }

// Capabilities are what templates may ask about the cluster.
type Capabilities = chartutil.Capabilities

// CapabilitiesOf asks a cluster for its version and its kinds.
func CapabilitiesOf(getter Getter) (*Capabilities, error) {
	discovery, err := getter.ToDiscoveryClient()
	if err != nil {
		return nil, fmt.Errorf("ask for the cluster's kinds: %w", err)
	}
	discovery.Invalidate()
	version, err := discovery.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("ask for the cluster's version: %w", err)
	}
	kinds, err := action.GetVersionSet(discovery)
	if err != nil {
		return nil, fmt.Errorf("ask for the cluster's kinds: %w", err)
	}
	slices.Sort(kinds)
	return &Capabilities{
		KubeVersion: chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		APIVersions: kinds,
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}, nil
}

// Render returns the chart's objects in the order of their installation. It
// asks nobody anything (lookup finds nothing) and knows no revision, so that the
// same values give the same text.
func (c *Chart) Render(name, namespace string, values map[string]any, capabilities *Capabilities) (string, error) {
	copied, err := c.copy()
	if err != nil {
		return "", err
	}
	if err := ValidateName(name); err != nil {
		return "", err
	}
	if err := chartutil.ProcessDependenciesWithMerge(copied, values); err != nil {
		return "", err
	}
	options := chartutil.ReleaseOptions{Name: name, Namespace: namespace, Revision: 1, IsInstall: true}
	scope, err := chartutil.ToRenderValues(copied, values, options, capabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Engine{}.Render(copied, scope)
	if err != nil {
		return "", err
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	_, manifests, err := releaseutil.SortManifests(files, capabilities.APIVersions, releaseutil.InstallOrder)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, manifest := range manifests {
		all.WriteString("---\n" + manifest.Content + "\n")
	}
	return all.String(), nil
}

// ValidateName refuses names that no release can have; a KubeFledged's may be longer.
func ValidateName(name string) error {
	if err := chartutil.ValidateReleaseName(name); err != nil {
		return fmt.Errorf("the name is that of the Helm release, too, and cannot be one: %w (at most 53 characters)", err)
	}
	return nil
}

func isReleaseName(name string) bool { return ValidateName(name) == nil }

// copy protects the chart from Helm, which merges values into it.
func (c *Chart) copy() (*chart.Chart, error) {
	files := make([]*loader.BufferedFile, 0, len(c.chart.Raw))
	for _, file := range c.chart.Raw {
		files = append(files, &loader.BufferedFile{Name: file.Name, Data: file.Data})
	}
	return loader.LoadFiles(files)
}

// Helm does what Helm does, with one release. An action runs to its end: it
// takes no context, since Helm would go on behind the back of one that is done.
type Helm struct {
	name, namespace string
	configuration   *action.Configuration
	secrets         *ownedSecrets
}

// NewHelm returns a Helm for the release of an owner.
func NewHelm(getter Getter, client kubernetes.Interface, owner Owner, logger logr.Logger) *Helm {
	log := func(format string, args ...any) { logger.V(4).Info(fmt.Sprintf(format, args...)) }
	secrets := &ownedSecrets{SecretInterface: client.CoreV1().Secrets(owner.Namespace), owner: owner.KubeFledged}
	records := driver.NewSecrets(secrets)
	records.Log = log
	objects := kube.New(getter)
	objects.Namespace, objects.Log = owner.Namespace, log
	return &Helm{
		name: owner.Release, namespace: owner.Namespace, secrets: secrets,
		configuration: &action.Configuration{
			RESTClientGetter: getter, Releases: storage.Init(records), KubeClient: objects, Log: log,
		},
	}
}

// rendered is a post-renderer that puts the manifest that was compared in place
// of what Helm renders: what is installed is what was decided on.
type rendered string

// Run returns the manifest.
func (r rendered) Run(*bytes.Buffer) (*bytes.Buffer, error) {
	return bytes.NewBufferString(string(r)), nil
}

// Install makes the first revision.
func (h *Helm) Install(c *Chart, values map[string]any, capabilities *Capabilities, manifest string) error {
	copied, err := c.copy()
	if err != nil {
		return err
	}
	h.configuration.Capabilities = capabilities
	install := action.NewInstall(h.configuration)
	install.ReleaseName, install.Namespace = h.name, h.namespace
	install.SkipCRDs, install.DisableHooks, install.DisableOpenAPIValidation = true, true, true
	install.Replace = true // of a release that was uninstalled and kept
	install.PostRenderer = rendered(manifest)
	_, err = install.Run(copied, values)
	return err
}

// Upgrade makes the next revision.
func (h *Helm) Upgrade(c *Chart, values map[string]any, capabilities *Capabilities, manifest string) error {
	copied, err := c.copy()
	if err != nil {
		return err
	}
	h.configuration.Capabilities = capabilities
	upgrade := action.NewUpgrade(h.configuration)
	upgrade.Namespace, upgrade.MaxHistory = h.namespace, mostRevisions
	upgrade.ResetValues, upgrade.SkipCRDs, upgrade.DisableHooks, upgrade.DisableOpenAPIValidation = true, true, true, true
	upgrade.PostRenderer = rendered(manifest)
	_, err = upgrade.Run(h.name, copied, values)
	return err
}

// RollBack makes a revision like an earlier one. It forces nothing: that would
// replace objects, and a Deployment that is replaced stops.
func (h *Helm) RollBack(revision int) error {
	back := action.NewRollback(h.configuration)
	back.Version, back.MaxHistory, back.DisableHooks = revision, mostRevisions, true
	return back.Run(h.name)
}

// Uninstall deletes the objects of the newest revision, and the records.
func (h *Helm) Uninstall() error {
	uninstall := action.NewUninstall(h.configuration)
	uninstall.IgnoreNotFound, uninstall.DisableHooks = true, true
	_, err := uninstall.Run(h.name)
	return err
}

// Mark changes the status of a revision.
func (h *Helm) Mark(revision int, status Status, description string) error {
	record, err := h.configuration.Releases.Get(h.name, revision)
	if err != nil {
		return err
	}
	record.SetStatus(helmrelease.Status(status), description)
	return h.configuration.Releases.Update(record)
}

// Forget deletes the record of a revision.
func (h *Helm) Forget(revision int) error {
	_, err := h.configuration.Releases.Delete(h.name, revision)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil
	}
	return err
}

// History reads what is stored of the release.
func (h *Helm) History(ctx context.Context) (History, error) {
	if !isReleaseName(h.name) {
		return History{}, nil
	}
	secrets, err := h.secrets.ofRelease(ctx, h.name)
	if err != nil {
		return History{}, fmt.Errorf("read the release's records: %w", err)
	}
	var history History
	for i := range secrets {
		secret := &secrets[i]
		record, err := decode(secret)
		if err == nil && record.Name != h.name {
			err = fmt.Errorf("it holds the release %q", record.Name)
		}
		if err != nil {
			history.Unreadable = append(history.Unreadable, Unreadable{Secret: secret.Name, Problem: err.Error(), Ours: h.secrets.owns(secret)})
			continue
		}
		history.Records = append(history.Records, h.record(secret, record))
	}
	slices.SortFunc(history.Records, func(a, b Record) int { return a.Revision - b.Revision })
	return history, nil
}

func (h *Helm) record(secret *corev1.Secret, r *helmrelease.Release) Record {
	record := Record{
		Revision: r.Version, Status: Status(r.Info.Status), Manifest: r.Manifest, Description: r.Info.Description,
		At: r.Info.LastDeployed.Time, Secret: secret.Name, Ours: h.secrets.owns(secret),
	}
	if r.Chart != nil && r.Chart.Metadata != nil {
		record.Chart, record.ChartVersion, record.AppVersion = r.Chart.Metadata.Name, r.Chart.Metadata.Version, r.Chart.Metadata.AppVersion
	}
	return record
}

// decode reads a record. Helm's own decoding of a single one panics on content
// that is none (Secrets.Get in pkg/storage/driver), so Helm never gets to see such.
func decode(secret *corev1.Secret) (*helmrelease.Release, error) {
	content, err := base64.StdEncoding.DecodeString(string(secret.Data["release"]))
	if err != nil {
		return nil, fmt.Errorf("its content is not base64: %w", err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("its content is not compressed: %w", err)
	}
	content, err = io.ReadAll(unzipped)
	if err != nil {
		return nil, fmt.Errorf("its content cannot be decompressed: %w", err)
	}
	var r helmrelease.Release
	if err := json.Unmarshal(content, &r); err != nil {
		return nil, fmt.Errorf("its content is no release: %w", err)
	}
	if r.Info == nil || r.Version < 1 {
		return nil, errors.New("its content is no release: it has no revision")
	}
	return &r, nil
}

// Unthrottled returns a configuration without client-go's own limit and with a
// bound for one request: a server that does not answer must not hold the operator.
func Unthrottled(rc *rest.Config) *rest.Config {
	rc = rest.CopyConfig(rc)
	rc.Timeout = 30 * time.Second
	if rc.QPS == 0 && rc.RateLimiter == nil {
		rc.QPS = -1
	}
	return rc
}
