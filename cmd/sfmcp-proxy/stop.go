package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/config"
)

func stopCommand() *cobra.Command {
	set := func(use, short, done string, mode access.Stop) *cobra.Command {
		cmd := onStoresFor(mode != access.StopOff)(&cobra.Command{Use: use, Short: short, Args: usageArgs(cobra.NoArgs)},
			func(s *stores, cmd *cobra.Command, _ []string) error {
				before, readErr := s.access.StopPosition(cmd.Context())
				err := s.newCutoff(nil).Stop(cmd.Context(), mode, acting(cmd))
				done := done
				if mode == access.StopWrites && before == access.StopAll && readErr == nil {
					done += "; reads pass again: before, every call was stopped"
				}
				here, isHere := s.access.StoppedHere()
				if isHere && mode != access.StopAll {
					done = "the switch stands at " + string(mode)
				}
				if err := reportAct(cmd, err, done, deed{Did: "stop " + cmd.Name()}); err != nil {
					return err
				}
				if isHere && mode != access.StopAll {
					return fmt.Errorf("the switch is set, but %s; remove the file to lift that", here)
				}
				return nil
			})
		jsonFlag(cmd)
		reasonFlag(cmd, "kill switch")
		return cmd
	}
	status := withCutoff(&cobra.Command{Use: "status", Short: "Say what is stopped", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			mode, err := s.access.StopMode(cmd.Context())
			if err != nil {
				return err
			}
			return tellStopped(cmd, mode)
		})
	jsonFlag(status)
	askDatabase := status.RunE
	status.RunE = func(cmd *cobra.Command, args []string) error {
		file, _ := cmd.Flags().GetString("config") // an error is that there is no such flag
		c, _, err := config.LoadPart(file, os.Environ(), config.ForCutoff...)
		if err != nil {
			return err
		}
		here, is := c.Access().StopFile.Stopped()
		if !is {
			return askDatabase(cmd, args)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s; remove the file to lift that\n", here)
		return tellStopped(cmd, access.StopAll)
	}
	status.Long = "Say what is stopped: off, writes or all.\n\nIt is all while the file STOP is there, beside the SQLite database, or with PostgreSQL\nbeside the folder of the audit log (beside keys_file with audit.dir: database): then everything is stopped on this machine, also if\nthe database does not answer. 'touch STOP' or the signal SIGUSR1 to the proxy makes it;\nwhoever removes it lifts that."
	return group("stop", "Kill switch for the whole proxy; survives restarts",
		set("writes", "Refuse every call that is not a read", "writes are stopped", access.StopWrites),
		set("all", "Refuse every call", "everything is stopped", access.StopAll),
		set("off", "Let calls pass again", "nothing is stopped", access.StopOff),
		status)
}

// tellStopped prints what is stopped.
func tellStopped(cmd *cobra.Command, mode access.Stop) error {
	if printer(cmd).JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
			Stop access.Stop `json:"stop"`
		}{mode})
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), mode)
	return err
}
