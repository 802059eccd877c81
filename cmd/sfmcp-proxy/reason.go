package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
)

// reasonFlag adds --reason to a command that takes or gives access; without is what is recorded where nobody says why.
func reasonFlag(cmd *cobra.Command, without string) {
	reasonFlagFor(cmd, actor.ForAct, "why, for the audit log", without)
}

// reasonFlagFor adds --reason, which is for that and which the help says so of.
func reasonFlagFor(cmd *cobra.Command, of actor.Reason, usage, without string) {
	cmd.Flags().Var(&reasonText{of, without}, "reason", usage+", in "+of.String())
}

// alsoWhy takes --why for --reason, as the command was called by before.
func alsoWhy(cmd *cobra.Command) {
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "why" {
			name = "reason"
		}
		return pflag.NormalizedName(name)
	})
}

// reasonText is what --reason says, clean as what the console's pages are told: what cannot be a reason is wrong usage,
// before anything is done.
type reasonText struct {
	of   actor.Reason
	text string
}

func (r *reasonText) String() string { return r.text }

// Type is what --help says of it.
func (r *reasonText) Type() string { return "string" }

// Set takes what the command line has.
func (r *reasonText) Set(text string) error {
	why, err := r.of.Clean(text)
	if err != nil {
		return fmt.Errorf("%w; nothing was done", err)
	}
	r.text = why
	return nil
}

// reasonOf is why the operator does it.
func reasonOf(cmd *cobra.Command) string { return cmd.Flags().Lookup("reason").Value.String() }

// acting is what the operator does by a command with --reason.
func acting(cmd *cobra.Command) authproxy.Act { return act(reasonOf(cmd)) }
