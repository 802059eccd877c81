package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/config"
)

// openRoster opens the roster of audit logs. A log that is closed appends nothing from then on.
func (s *stores) openRoster(ctx context.Context) error {
	s.roster = roster.New(roster.Config{Log: s.audit, DB: s.db, Host: machine(s.config), Now: s.now, Warn: s.log})
	return s.roster.CheckOpen(ctx)
}

// machine is the name of this machine: of the replica in the roster, and of whose log in the database
// this process goes on with.
func machine(c *config.Config) string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return hostOf(c.PublicURL)
}

// joinRoster enters a log to which only commands write, as on a machine without a proxy.
func (s *stores) joinRoster(ctx context.Context) error {
	if !s.audit.Appended() || s.audit.Halted() != nil {
		return nil
	}
	return s.roster.Join(ctx)
}

func auditLogCommand() *cobra.Command {
	return group("log", "The audit logs of all replicas", auditLogListCommand(), auditLogCloseCommand())
}

// auditLogListCommand lists the roster.
func auditLogListCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{Use: "list", Short: "The audit logs of all replicas, as the database has them", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			logs, err := s.roster.Logs(cmd.Context())
			if err != nil {
				return err
			}
			return printer(cmd).AuditLogs(logs)
		})
	jsonFlag(cmd)
	return cmd
}

// auditLogCloseCommand closes the log of a replica that is gone.
func auditLogCloseCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "close LOG", Short: "Close the audit log of a replica that has gone away for good: it gets nothing more", Args: usageArgs(cobra.ExactArgs(1))}
	withReading(cmd, func(s *stores, cmd *cobra.Command, args []string) error {
		closing, err := s.roster.Close(cmd.Context(), args[0], operator(""), reasonOf(cmd))
		if errors.Is(err, roster.ErrNotFound) {
			err = fmt.Errorf("%w: %q; `audit log list` shows them", err, args[0])
		}
		if err != nil {
			return err
		}
		return report(cmd, fmt.Sprintf("%s is closed since %s, with %d %s by its last checkpoint; keep its directory as long as entries are kept",
			args[0], closing.At.UTC().Format(time.RFC3339), closing.Entries, entries(closing.Entries)), deed{Did: "audit log close", Log: args[0], Position: &closing.Entries})
	})
	jsonFlag(cmd)
	reasonFlag(cmd, "")
	alsoWhy(cmd)
	return cmd
}

// otherLogs says after a verification how those stand that this machine does not have, and verifies
// copies of them, or, unless only what is new is wanted, those in the same database.
func (s *stores) otherLogs(cmd *cobra.Command, dirs []string, onlyNew bool) error {
	logs, err := s.roster.Logs(cmd.Context())
	if err != nil {
		return err
	}
	if len(dirs) > 0 {
		return s.verifyWith(cmd, dirs)
	}
	own, _ := s.audit.Heard()
	var names []string
	for _, l := range logs {
		names = append(names, l.Origin)
	}
	var failed []error
	for _, l := range logs {
		if l.Origin == own {
			continue
		}
		unread := "its files are not here, and were not read (--others DIRECTORY)"
		if onlyNew && s.config.Audit.InDatabase() {
			unread = "it was not read (--new)"
		} else if seen, has, err := s.audit.Others().Verify(cmd.Context(), l.Origin, l.Verifiers, names...); err != nil {
			failed = append(failed, fmt.Errorf("log %s of %s: %w", l.Origin, l.Host, err))
			continue
		} else if has {
			if err := tellVerified(cmd, seen, nil); err != nil {
				return err
			}
			continue
		}
		state := "last heard of at " + l.HeardAt.UTC().Format(time.RFC3339)
		if l.Closed != nil {
			state = "closed at " + l.Closed.At.UTC().Format(time.RFC3339)
		}
		text := fmt.Sprintf("log %s of %s: its checkpoint of %d entries fits what this log saw; %s; %s", l.Origin, l.Host, l.Entries, state, unread)
		if err := tellFitting(cmd, text, fitting{Log: l.Origin, Host: l.Host, Fits: true, Found: state + "; " + unread}); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// verifyWith verifies the own log together with copies of others.
func (s *stores) verifyWith(cmd *cobra.Command, dirs []string) (err error) {
	keys, err := s.allKeys(cmd.Context())
	if err != nil {
		return err
	}
	own := s.config.Audit.Dir
	if s.config.Audit.InDatabase() {
		if own, err = os.MkdirTemp("", "sfmcp-proxy-verify-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(own)) }()
		if _, err := s.audit.Published().Copy(cmd.Context(), own); err != nil {
			return err
		}
	}
	return verifyTogether(cmd, append([]string{own}, dirs...), strings.Join(keys, "\n"))
}

// auditCopyCommand writes the log to files.
func auditCopyCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{Use: "copy DIRECTORY", Short: "Copy the log to a directory, where it can be verified by its public key alone", Args: usageArgs(cobra.ExactArgs(1))},
		wholeLog(func(s *stores, cmd *cobra.Command, args []string) error {
			if _, err := s.readLog(cmd, audit.LogExport, "entries", audit.Filter{}); err != nil {
				return err
			}
			n, err := s.audit.Published().Copy(cmd.Context(), args[0])
			if err == nil {
				err = report(cmd, fmt.Sprintf("%d %s", n, entries(n)), deed{Did: "audit copy", File: args[0], Count: &n})
			}
			return err
		}))
	jsonFlag(cmd)
	cmd.Long = cmd.Short + ".\n\nThe directory gets the files that a log with audit.dir: DIRECTORY would have, without indexes; a second copy into\n" +
		"it writes what is new. `audit verify --log DIRECTORY --key KEY` and other programs read it."
	return cmd
}

// auditPruneCommand removes old segments, for roles of the database that may while the proxy's may not.
func auditPruneCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{Use: "prune", Short: "Remove the segments whose entries are all older than audit.keep, as the proxy does every hour; those of closed logs in the database, too", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			before := s.now().Add(-s.config.Audit.Keep)
			if err := s.audit.Prune(cmd.Context(), before); err != nil {
				return err
			}
			logs, err := s.roster.Logs(cmd.Context())
			if err != nil {
				return err
			}
			for _, l := range logs { // nobody else is there to do it for a replica that is gone
				if l.Closed == nil {
					continue
				}
				n, err := s.audit.Others().Prune(cmd.Context(), l.Origin, before)
				if err == nil && n > 0 {
					err = report(cmd, fmt.Sprintf("%d %s of the closed log %s removed", n, entries(n), l.Origin), deed{Did: "audit prune", Log: l.Origin, Count: &n})
				}
				if err != nil {
					return fmt.Errorf("log %s: %w", l.Origin, err)
				}
			}
			return nil
		})
	jsonFlag(cmd)
	return cmd
}

// allKeys are the public keys of all logs of the roster, and of the own one.
func (s *stores) allKeys(ctx context.Context) (keys []string, err error) {
	if keys, err = s.audit.Keys(); err != nil {
		return nil, err
	}
	own, _ := s.audit.Heard()
	logs, err := s.roster.Logs(ctx)
	for _, l := range logs {
		if l.Origin != own {
			keys = append(keys, l.Verifiers...)
		}
	}
	return keys, err
}

// verifyTogether verifies several logs, and what each says of the others.
func verifyTogether(cmd *cobra.Command, dirs []string, keys string) error {
	t, err := roster.VerifyTogether(cmd.Context(), dirs, keys)
	if err != nil {
		return err
	}
	var failed []error
	for _, c := range t.Copies {
		if c.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.Dir, c.Err))
			continue
		}
		if err := tellVerified(cmd, c.Verified, nil); err != nil {
			return err
		}
	}
	for _, finding := range t.Findings {
		failed = append(failed, errors.New(finding))
	}
	return errors.Join(failed...)
}
