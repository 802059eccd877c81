package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
)

// auditVerifyCommand verifies the log of the configuration, or with --log any copy of a log by
// its public key alone.
func auditVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Check that no entry was changed, removed, reordered, cut off or put back", Args: usageArgs(cobra.NoArgs)}
	withStores(cmd, func(s *stores, cmd *cobra.Command, _ []string) error {
		seen, err := s.audit.Verify(cmd.Context())
		return tellVerified(cmd, seen, err)
	})
	own := cmd.RunE
	f := cmd.Flags()
	f.String("log", "", "verify the log in this directory, without configuration, database or secret; needs --key")
	f.String("key", "", "the log's public key, or a file that holds it: what `audit key` printed")
	f.StringSlice("checkpoint", nil, "a checkpoint that was kept elsewhere, to compare with as well; may be given several times")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, key := f.Lookup("log").Value.String(), f.Lookup("key").Value.String()
		if dir == "" {
			if key != "" || f.Changed("checkpoint") {
				return usageError{errors.New("--key and --checkpoint go with --log DIRECTORY; without it the log of the configuration is verified, with the keys of its key file")}
			}
			return own(cmd, args)
		}
		return verifyFiles(cmd, dir, key)
	}
	return cmd
}

func verifyFiles(cmd *cobra.Command, dir, key string) error {
	if key == "" {
		return usageError{errors.New("--log needs --key: the public key of the log, as `sfmcp-proxy audit key` printed it where the log is written")}
	}
	if state, err := os.Stat(dir); err != nil || !state.IsDir() {
		return usageError{fmt.Errorf("--log: expected the directory of an audit log, found %q", dir)}
	}
	if text, err := os.ReadFile(key); err == nil {
		key = string(text)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--key: %w", err)
	}
	paths, err := cmd.Flags().GetStringSlice("checkpoint")
	if err != nil {
		return err
	}
	var checkpoints [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return usageError{fmt.Errorf("--checkpoint: %w", err)}
		}
		checkpoints = append(checkpoints, text)
	}
	seen, err := audit.VerifyFiles(cmd.Context(), dir, strings.TrimSpace(strings.Split(key, "\n")[0]), checkpoints...)
	return tellVerified(cmd, seen, err)
}

// tellVerified prints what was verified. That the log is broken says the first entry first.
func tellVerified(cmd *cobra.Command, seen audit.Verified, err error) error {
	if err != nil {
		return err
	}
	n := seen.Last - max(seen.First, 1) + 1
	if seen.Last == 0 {
		n = 0
	}
	text := fmt.Sprintf("%d %s, all sound", n, entries(n))
	if seen.First > 1 {
		text += fmt.Sprintf("; entries 1 to %d were removed by age", seen.First-1)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s; log %s, %d signed checkpoints fit\n", text, seen.Origin, seen.Checkpoints)
	return err
}

// auditKeyCommand prints the public keys.
func auditKeyCommand() *cobra.Command {
	return withStores(&cobra.Command{Use: "key", Short: "The public key that the log verifies with, the one in force first", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			keys, err := s.audit.Keys()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(keys, "\n"))
			return err
		})
}

// auditAcknowledgeCommand goes on after the log and its checkpoints did not agree.
func auditAcknowledgeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "acknowledge", Short: "Record that somebody has seen why the log and its checkpoints disagree, and go on", Args: usageArgs(cobra.NoArgs)}
	withCutoff(cmd, func(s *stores, cmd *cobra.Command, _ []string) error {
		if err := s.audit.Agree(cmd.Context()); err == nil {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the log and its checkpoints agree: there is nothing to acknowledge")
			return err
		}
		// First what the log can still tell, because it may be ended.
		n, reapplyErr := s.newCutoff(nil).Reapply(cmd.Context(), 0)
		what, err := s.audit.Acknowledge(cmd.Context(), operator(""))
		if err = errors.Join(err, reapplyErr); err != nil || what == nil {
			return err
		}
		if n > 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "the database lacked what was taken away: %d things were taken away again\n", n)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "acknowledged and recorded: %s: %s\n", what.Place, what.Why)
		return err
	})
	return cmd
}

// auditReindexCommand makes the indexes anew.
func auditReindexCommand() *cobra.Command {
	return withStores(&cobra.Command{Use: "reindex", Short: "Make the index of every segment of the log anew", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			n, err := s.audit.Reindex()
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d segments\n", n)
			}
			return err
		})
}

// prepare is what comes before anything is served: every org is the one that it was, the audit
// log and its checkpoints agree, and what the log says was taken away is taken away.
func (s *stores) prepare(ctx context.Context) error {
	if err := s.bindOrgs(ctx); err != nil {
		return err
	}
	applied, err := s.audit.Applied(ctx)
	if err != nil {
		return err
	}
	if err := s.audit.Agree(ctx); err != nil {
		return err
	}
	n, err := s.newCutoff(nil).Reapply(ctx, applied)
	if err != nil {
		return err
	}
	if n > 0 {
		s.log.Warn("the database lacked what the audit log says was taken away: it was taken away again", "changes", n)
	}
	return nil
}
