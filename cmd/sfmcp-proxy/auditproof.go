package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/config"
)

// loadForPlaces reads as much of the file as leads to the log and to all places of its checkpoints.
func loadForPlaces(cmd *cobra.Command) (*config.Config, error) {
	return loadPart(cmd, append(slices.Clone(config.ForCutoff), "audit")...)
}

// loadForVerify does so where the places are asked, and else leaves them out.
func loadForVerify(cmd *cobra.Command) (*config.Config, error) {
	if ask, _ := cmd.Flags().GetBool("places"); ask {
		return loadForPlaces(cmd)
	}
	return loadForCutoff(cmd)
}

// auditVerifyCommand verifies the log of the configuration, or with --log any copy of a log by
// its public key alone.
func auditVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Check that no entry was changed, removed, reordered, cut off or put back", Args: usageArgs(cobra.NoArgs)}
	onStores(cmd, loadForVerify, func(s *stores, cmd *cobra.Command, _ []string) error {
		verify := s.audit.Verify
		onlyNew, _ := cmd.Flags().GetBool("new")
		if onlyNew {
			verify = s.audit.VerifyNew
		}
		seen, err := verify(cmd.Context())
		if err := tellVerified(cmd, seen, err); err != nil {
			return err
		}
		lost := s.tellLost(cmd, seen.Lost)
		others, err := cmd.Flags().GetStringSlice("others")
		if err == nil {
			err = errors.Join(lost, s.otherLogs(cmd, others, onlyNew))
		}
		if ask, _ := cmd.Flags().GetBool("places"); ask {
			err = errors.Join(err, s.verifyPlaces(cmd))
		}
		return err
	})
	own := cmd.RunE
	f := cmd.Flags()
	jsonFlag(cmd)
	f.StringSlice("log", nil, "verify the log in this directory, without configuration, database or secret; needs --key; given several times, the logs of replicas, and what each says of the others")
	f.StringSlice("others", nil, "a directory with a copy of another replica's log, to verify as well, and compare with what each says of the others; may be given several times")
	f.String("key", "", "the log's public key, or a file that holds it, after rotations all of them: what `audit key` printed")
	f.Bool("new", false, "read only what came since the last verification here that found everything sound; of what is older nothing is said")
	f.Bool("places", false, "compare also with what each place of audit.checkpoints has; one that cannot be asked is a failure")
	f.StringSlice("checkpoint", nil, "a checkpoint that was kept elsewhere, to compare with as well; may be given several times")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dirs, err := f.GetStringSlice("log")
		if err != nil {
			return err
		}
		key := f.Lookup("key").Value.String()
		if len(dirs) == 0 {
			if key != "" || f.Changed("checkpoint") {
				return usageError{errors.New("--key and --checkpoint go with --log DIRECTORY; without it the log of the configuration is verified, with the keys of its key file")}
			}
			return own(cmd, args)
		}
		if f.Changed("new") || f.Changed("places") || f.Changed("others") {
			return usageError{errors.New("--new, --places and --others are about the log of the configuration, and do not go with --log")}
		}
		return verifyFiles(cmd, dirs, key)
	}
	return cmd
}

func verifyFiles(cmd *cobra.Command, dirs []string, key string) error {
	if key == "" {
		return usageError{errors.New("--log needs --key: the public key of the log, as `sfmcp-proxy audit key` printed it where the log is written")}
	}
	for _, dir := range dirs {
		if state, err := os.Stat(dir); err != nil || !state.IsDir() {
			return usageError{fmt.Errorf("--log: expected the directory of an audit log, found %q", dir)}
		}
	}
	key, err := keyOf(key)
	if err != nil {
		return err
	}
	paths, err := cmd.Flags().GetStringSlice("checkpoint")
	if err != nil {
		return err
	}
	if len(dirs) > 1 {
		if len(paths) > 0 {
			return usageError{errors.New("--checkpoint goes with one --log: give that log by itself, too")}
		}
		return verifyTogether(cmd, dirs, key)
	}
	var checkpoints [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return usageError{fmt.Errorf("--checkpoint: %w", err)}
		}
		checkpoints = append(checkpoints, text)
	}
	seen, err := audit.VerifyFiles(cmd.Context(), dirs[0], key, checkpoints...)
	return tellVerified(cmd, seen, err)
}

// auditKeyCommand prints the public keys.
func auditKeyCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{Use: "key", Short: "The public key that the log verifies with, the one in force first", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			keys, err := s.audit.Keys()
			if all, _ := cmd.Flags().GetBool("all"); all && err == nil {
				keys, err = s.allKeys(cmd.Context())
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(keys, "\n"))
			return err
		})
	cmd.Flags().Bool("all", false, "those of the logs of all replicas")
	return cmd
}

// auditAcknowledgeCommand goes on after the log and its checkpoints did not agree.
func auditAcknowledgeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "acknowledge", Short: "Record that somebody has seen why the log and its checkpoints disagree, and go on", Args: usageArgs(cobra.NoArgs)}
	onStores(cmd, loadForPlaces, func(s *stores, cmd *cobra.Command, _ []string) error {
		n, err := openOutbound(s.config, s.log)
		if err != nil {
			return err
		}
		places, err := s.publisher(n)
		if err != nil {
			return err
		}
		what, err := s.acknowledge(cmd, places)
		return errors.Join(err, closing(func(ctx context.Context) error {
			if what == nil || err != nil {
				return s.closePublisher(ctx, places, err == nil)
			}
			return s.replaceElsewhere(ctx, places)
		}))
	})
	jsonFlag(cmd)
	return cmd
}

// acknowledge returns what there was to acknowledge; nil: nothing.
func (s *stores) acknowledge(cmd *cobra.Command, places *publish.Publisher) (what *audit.Disagreement, err error) {
	switch err := s.agree(cmd.Context(), places); {
	case err == nil:
		return nil, report(cmd, "the log and its checkpoints agree: there is nothing to acknowledge", deed{Did: "audit acknowledge", Nothing: true})
	case !errors.As(err, &what):
		return nil, err
	}
	// First what the log can still tell, because it may be ended. Where that cannot be applied nothing is acknowledged: nobody
	// would ask for it again.
	cutoff := s.newCutoff(nil)
	again, err := cutoff.Reapply(cmd.Context(), 0)
	if err != nil {
		return nil, fmt.Errorf("nothing is acknowledged yet: %w", err)
	}
	was, _ := s.audit.Heard()
	if err := s.audit.Acknowledge(cmd.Context(), what, operator("")); err != nil {
		return what, err
	}
	if err := cutoff.RecordReapplied(cmd.Context(), again); err != nil {
		return what, err
	}
	if is, _ := s.audit.Heard(); is == was {
		was = ""
	}
	if err := s.roster.Acknowledged(cmd.Context(), was, operator(""), what.Why); err != nil {
		return what, err
	}
	if again.Changed > 0 {
		fmt.Fprintf(besides(cmd), "the database lacked what was taken away: %s made again\n", counted(again.Changed, "change"))
	}
	if again.Unread != nil {
		fmt.Fprintf(besides(cmd), "the log could not be read to its end, so what it says behind that was not applied: %v\n", again.Unread)
	}
	if again.Passed > 0 {
		fmt.Fprintf(besides(cmd), "%s of the log changed nothing here: no key of the key file vouches for them\n", counted(int(again.Passed), "entry"))
	}
	return what, report(cmd, fmt.Sprintf("acknowledged and recorded: %s: %s\na proxy that is running has stopped appending: start it again", what.Place, what.Why),
		deed{Did: "audit acknowledge", Place: what.Place})
}

// auditReindexCommand makes the indexes anew.
func auditReindexCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{Use: "reindex", Short: "Make the index of every segment of the log anew", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			n, err := s.audit.Reindex()
			if err == nil {
				err = report(cmd, counted(n, "segment"), deed{Did: "audit reindex", Segments: &n})
			}
			return err
		})
	jsonFlag(cmd)
	return cmd
}

// auditShowCommand prints one entry.
func auditShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show ENTRY", Short: "One entry, by its number", Args: usageArgs(cobra.ExactArgs(1))}
	withReading(cmd, func(s *stores, cmd *cobra.Command, args []string) error {
		seq, err := entryNumber(args[0])
		if err != nil {
			return err
		}
		s.sayUnsound(cmd)
		e, line, err := s.audit.Entry(cmd.Context(), seq)
		if err != nil {
			return err
		}
		if _, err := s.readLog(cmd, audit.LogRead, fmt.Sprintf("entry %d", seq), audit.Filter{}); err != nil {
			return err
		}
		raw, _ := cmd.Flags().GetBool("raw")
		if !raw {
			if line, err = e.MarshalJSON(); err != nil {
				return err
			}
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON || raw {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line)
			return err
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, line, "", "  "); err != nil {
			return fmt.Errorf("entry %d: %w", seq, err)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), indented.String())
		return err
	})
	jsonFlag(cmd)
	rawFlag(cmd)
	return cmd
}

// auditProveCommand writes the proof of one entry.
func auditProveCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "prove ENTRY", Short: "Proof that an entry is in the log, to be checked with the public key alone", Args: usageArgs(cobra.ExactArgs(1))}
	withReading(cmd, func(s *stores, cmd *cobra.Command, args []string) error {
		seq, err := entryNumber(args[0])
		if err != nil {
			return err
		}
		proof, err := s.audit.Published().Prove(cmd.Context(), seq)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(proof)
		return err
	})
	cmd.Long = cmd.Short + ".\n\nThe proof goes to standard output (a .tlog-proof file of C2SP). Whoever checks it needs besides it the entry,\n" +
		"`audit show ENTRY --raw`, and the public key, `audit key`."
	return cmd
}

// auditTilesCommand writes the log as any client of a tiled log reads it.
func auditTilesCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{Use: "tiles DIRECTORY", Short: "Write the log as tiles, which any client of C2SP tlog-tiles reads", Args: usageArgs(cobra.ExactArgs(1))},
		wholeLog(func(s *stores, cmd *cobra.Command, args []string) error {
			if _, err := s.readLog(cmd, audit.LogExport, "entries", audit.Filter{}); err != nil {
				return err
			}
			n, err := s.audit.Published().ExportTiles(cmd.Context(), args[0])
			if err == nil {
				err = report(cmd, fmt.Sprintf("%d %s", n, entries(n)), deed{Did: "audit tiles", File: args[0], Count: &n})
			}
			return err
		}))
	jsonFlag(cmd)
	return cmd
}

func entryNumber(text string) (int64, error) {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 1 {
		return 0, usageError{fmt.Errorf("expected the number of an entry, from 1 on, found %q: `audit list` shows them", text)}
	}
	return seq, nil
}
