//go:build nosim

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// In builds for production there is no simulated Salesforce: its passwords are public, and
// nothing of it can then be started by mistake beside real users.

func demoCommand() *cobra.Command { return withoutSimulator("demo") }

func salesforceSimCommand() *cobra.Command { return withoutSimulator("salesforce-sim") }

// withoutSimulator is a command that says that this build lacks it, whatever its flags.
func withoutSimulator(name string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: "Not in this build: it has no simulated Salesforce", DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("this build has no simulated Salesforce: " + name + " is in one without the tag nosim (go run ./cmd/sfmcp-proxy " + name + ")")}
		},
	}
}
