package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/access"
)

func stopCommand() *cobra.Command {
	set := func(use, short, done string, mode access.Stop) *cobra.Command {
		with := withCutoff
		if mode == access.StopOff {
			with = withStores
		}
		cmd := with(&cobra.Command{Use: use, Short: short, Args: usageArgs(cobra.NoArgs)},
			func(s *stores, cmd *cobra.Command, _ []string) error {
				if err := s.newCutoff(nil).Stop(cmd.Context(), mode, act("kill switch")); err != nil {
					return err
				}
				return report(cmd, done, deed{Did: "stop " + cmd.Name()})
			})
		jsonFlag(cmd)
		return cmd
	}
	status := withStores(&cobra.Command{Use: "status", Short: "Say what is stopped", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			mode, err := s.access.StopMode(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), mode)
			return err
		})
	return group("stop", "Kill switch for the whole proxy; survives restarts",
		set("writes", "Refuse every call that is not a read", "writes are stopped", access.StopWrites),
		set("all", "Refuse every call", "everything is stopped", access.StopAll),
		set("off", "Let calls pass again", "nothing is stopped", access.StopOff),
		status)
}
