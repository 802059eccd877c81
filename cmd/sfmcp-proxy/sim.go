//go:build !nosim

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

func salesforceSimCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "salesforce-sim", Short: "Run the simulated Salesforce alone", Args: usageArgs(cobra.NoArgs)}
	flags := salesforcesim.AddFlags(cmd.Flags())
	cmd.Flags().String("oidc", "", "address of a simulated identity provider of a company besides, such as 127.0.0.1:8092; empty: none")
	cmd.Flags().StringSlice("oidc-callback", []string{"http://127.0.0.1:8080/oauth/company/callback"}, "redirect URI of the provider's client (repeatable)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		cfg, err := flags.Config()
		if err != nil {
			return usageError{err}
		}
		provider, err := simulatedProvider(cmd)
		if err != nil {
			return err
		}
		if provider != nil {
			defer func() { err = errors.Join(err, provider.Close()) }()
			provider.Describe(cmd.OutOrStdout())
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

// simulatedProvider is that of --oidc; nil: none is wanted.
func simulatedProvider(cmd *cobra.Command) (*companysim.Running, error) {
	address := cmd.Flag("oidc").Value.String()
	if address == "" {
		return nil, nil
	}
	if err := loopbackFlag(cmd, "oidc"); err != nil {
		return nil, err
	}
	callbacks, err := cmd.Flags().GetStringSlice("oidc-callback")
	if err != nil {
		return nil, err
	}
	provider, err := companysim.Listen(address, companysim.Config{RedirectURIs: callbacks})
	if err != nil {
		return nil, fmt.Errorf("--oidc: %w", err)
	}
	return provider, nil
}
