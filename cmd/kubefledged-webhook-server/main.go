// Command kubefledged-webhook-server refuses ImageCaches that cannot work.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kubefledged/kubefledged-operator/controllers"
	"github.com/kubefledged/kubefledged-operator/internal/version"
	"github.com/kubefledged/kubefledged-operator/internal/webhook"
)

func main() {
	cmd := command()
	if err := cmd.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		klog.Flush()
		os.Exit(1)
	}
	klog.Flush()
}

func command() *cobra.Command {
	options := webhook.DefaultOptions()
	cmd := &cobra.Command{
		Use:     "kubefledged-webhook-server",
		Short:   "Refuses ImageCaches that cannot work",
		Version: version.String(),
		Args:    cobra.NoArgs,
		// A wrong flag's error is enough; the usage would hide it.
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := controllers.FinishLogging(cmd.Flags()); err != nil {
				return err
			}
			return webhook.Run(cmd.Context(), options, klog.NewKlogr())
		},
	}
	options.AddFlags(cmd.Flags())
	controllers.AddLoggingFlags(cmd.Flags())
	cmd.SetArgs(controllers.DoubleDashes(os.Args[1:], cmd.Flags()))
	// Wrapped, because the flags are explained in sentences.
	cmd.SetUsageTemplate("Usage:\n  {{.UseLine}}\n\nFlags:\n{{.Flags.FlagUsagesWrapped 110}}\n")
	return cmd
}
