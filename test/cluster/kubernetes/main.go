// Command kubernetes is one multi-call binary that holds every Kubernetes
// component the local cluster runs. The component is picked by the name the
// binary is called by, or by its first argument.
//
// One binary instead of seven: the components share nearly all of their code,
// so linking it once saves minutes of building and a gigabyte of disk.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// commands maps a component's name to its cobra command.
var commands = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubectl":                 kubectlcmd.NewDefaultKubectlCommand,
}

func main() { os.Exit(run(os.Args)) }

// run runs the component named by args[0], else by args[1], and returns its
// exit code; 2 when neither names one.
func run(args []string) int {
	name := filepath.Base(args[0])
	if _, known := commands[name]; !known && name != "etcd" && len(args) > 1 {
		args = args[1:]
		name = args[0]
	}
	os.Args = args
	if name == "etcd" {
		etcdmain.Main(args)
		return 0
	}
	command, known := commands[name]
	if !known {
		names := append(slices.Sorted(maps.Keys(commands)), "etcd")
		fmt.Fprintf(os.Stderr, "unknown component %q: want one of %s\n", name, strings.Join(names, ", "))
		return 2
	}
	return cli.Run(command())
}
