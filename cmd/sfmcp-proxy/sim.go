//go:build !nosim

package main

import (
	"github.com/spf13/cobra"

	"sfmcp-proxy/examples/salesforcesim"
)

func salesforceSimCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "salesforce-sim", Short: "Run the simulated Salesforce alone", Args: usageArgs(cobra.NoArgs)}
	flags := salesforcesim.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := flags.Config()
		if err != nil {
			return usageError{err}
		}
		sim, err := salesforcesim.Listen(cfg)
		if err != nil {
			return err
		}
		sim.Describe(cmd.OutOrStdout())
		return sim.Wait(cmd.Context())
	}
	return cmd
}
