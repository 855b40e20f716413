// Package build compiles the cluster's components from Go modules and keeps
// the binaries in the user's cache, keyed by everything that decides what they
// are, so that a fresh clone does not compile or link them again.
package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Recipe says how one module of components is compiled.
type Recipe struct {
	// Name is what the build command calls it.
	Name string
	// Module is the module's folder below the cluster sources, Name when empty.
	Module string
	// Packages are the packages compiled, one binary each.
	Packages []string
	// Flags are added to go build.
	Flags []string
	// Links are further names of the first binary: a multi-call binary picks
	// its component by the name it is called by.
	Links []string
	// AnyOS is set when the binaries are useful on other systems than Linux.
	AnyOS bool
}

func (r Recipe) module() string {
	if r.Module == "" {
		return r.Name
	}
	return r.Module
}

// Versions that the binaries report, those of the modules they are built from.
const (
	KubernetesVersion = "v1.37.2"
	ContainerdVersion = "v2.4.2"
	OLMVersion        = "v0.46.0"
	OPMVersion        = "v1.74.0"
	SDKVersion        = "v1.42.3"
)

// Names of the recipes.
const (
	Kubernetes = "kubernetes"
	Containerd = "containerd"
	CNI        = "cni"
	CoreDNS    = "coredns"
	Programs   = "programs"

	Kwok = "kwok"

	OLM           = "olm"
	OPM           = "opm"
	OperatorSDK   = "operator-sdk"
	ScorecardTest = "scorecard-test"
)

// Modules that pin the programs of several recipes.
const (
	olmModule = "olm"
	sdkModule = "sdk"
)

const strip = "-ldflags=-s -w"

// Recipes returns every recipe, those of the cluster itself first.
func Recipes() []Recipe {
	return append(append(ClusterRecipes(), kwokRecipe()), olmRecipes()...)
}

// ClusterRecipes returns the recipes of what every cluster runs, cheapest first.
func ClusterRecipes() []Recipe {
	return []Recipe{
		{Name: Programs, Packages: []string{"./pause", "./toolbox"}, Flags: []string{strip}},
		{
			Name: CNI,
			Packages: []string{
				"github.com/containernetworking/plugins/plugins/ipam/host-local",
				"github.com/containernetworking/plugins/plugins/main/bridge",
				"github.com/containernetworking/plugins/plugins/main/loopback",
			},
			Flags: []string{strip},
		},
		{Name: CoreDNS, Packages: []string{"."}, Flags: []string{strip}},
		{
			Name: Containerd,
			Packages: []string{
				"github.com/containerd/containerd/v2/cmd/containerd",
				"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
				"github.com/containerd/containerd/v2/cmd/ctr",
			},
			Flags: []string{
				strip + " -X github.com/containerd/containerd/v2/version.Version=" + ContainerdVersion,
				"-tags=no_btrfs,no_devmapper,no_zfs",
			},
		},
		kubernetesRecipe(),
	}
}

func kubernetesRecipe() Recipe {
	const version = "k8s.io/component-base/version"
	minor := strings.Split(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	flags := fmt.Sprintf("-ldflags=-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
		version, KubernetesVersion, minor[0], minor[1])
	return Recipe{
		Name:     Kubernetes,
		Packages: []string{"."},
		Flags:    []string{flags},
		Links: []string{
			"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
			"kubelet", "kube-proxy", "kubectl",
		},
		AnyOS: true,
	}
}

// Find returns the recipe of that name; an error names the known ones.
func Find(name string) (Recipe, error) {
	var names []string
	for _, recipe := range Recipes() {
		if recipe.Name == name {
			return recipe, nil
		}
		names = append(names, recipe.Name)
	}
	return Recipe{}, fmt.Errorf("unknown component %q: want one of %s", name, strings.Join(names, ", "))
}

// FindProgram returns the recipe that makes the program of that name.
func FindProgram(name string) (Recipe, error) {
	for _, recipe := range Recipes() {
		if slices.Contains(recipe.Programs(), name) {
			return recipe, nil
		}
	}
	return Recipe{}, fmt.Errorf("no component has a program %q", name)
}

// Programs are the names of the recipe's binaries, as go build and Links name
// them.
func (r Recipe) Programs() []string {
	names := slices.Clone(r.Links)
	for _, name := range r.Packages {
		if name == "." {
			name = r.Name
		}
		names = append(names, path.Base(name))
	}
	return names
}

// Key returns a short digest of all that decides what the binaries of recipe
// are: its flags, the target system, and the sources in dir.
func Key(recipe Recipe, dir string) (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, runtime.GOOS, runtime.GOARCH, recipe.Packages, recipe.Flags)
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return addFile(digest, dir, file)
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil))[:12], nil
}

// addFile adds a source file's name and content to digest; other files, such
// as tests, do not change a binary and are left out.
func addFile(digest io.Writer, dir, file string) error {
	name, err := filepath.Rel(dir, file)
	if err != nil {
		return err
	}
	source := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
	if !source && name != "go.mod" && name != "go.sum" {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(digest, "%s %d\n%s", name, len(content), content)
	return err
}
