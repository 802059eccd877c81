package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
)

// auditFlags adds the filters of the audit log.
func auditFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("user", "", "only what concerns this user, by a Salesforce user id or username: what they did, and what was done about them")
	f.String("actor", "", `only what this actor did, such as "operator:alice" or "client chatgpt"`)
	f.String("tool", "", "only this tool")
	f.String("action", "", `only this action, such as tool.call; "tool." for all of that noun`)
	f.String("since", "", "only from then on: RFC 3339, or an age such as 24h")
	f.String("until", "", "only before then: RFC 3339, or an age")
}

func (s *stores) auditFilter(cmd *cobra.Command) (audit.Filter, error) {
	text := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	filter := audit.Filter{Actor: text("actor"), Tool: text("tool"), Action: text("action")}
	if filter.Action != "" && !slices.ContainsFunc(audit.Actions(), func(d audit.Described) bool { return d.Action.Matches(filter.Action) }) {
		return filter, usageError{fmt.Errorf("--action: no entry has the action %q: %s", filter.Action, actionNames())}
	}
	var err error
	if user := text("user"); user != "" {
		if filter.Person, err = s.personIn(cmd.Context(), user); err != nil {
			return filter, err
		}
	}
	if filter.Since, err = when(text("since")); err != nil {
		return filter, usageError{fmt.Errorf("--since: %w", err)}
	}
	if filter.Until, err = when(text("until")); err != nil {
		return filter, usageError{fmt.Errorf("--until: %w", err)}
	}
	return filter, nil
}

// actionNames lists what --action can be.
func actionNames() string {
	var names []string
	for _, d := range audit.Actions() {
		names = append(names, string(d.Action))
	}
	return strings.Join(names, ", ")
}

// when reads a time, or an age to be counted back from now.
func when(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-age), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is neither a time such as 2026-01-31T08:00:00Z nor an age such as 24h", s)
	}
	return t, nil
}

func auditCommand() *cobra.Command {
	list := withStores(&cobra.Command{Use: "list", Short: "The newest entries of the audit log", Args: usageArgs(cobra.NoArgs)}, listAudit)
	auditFlags(list)
	jsonFlag(list)
	list.Flags().Int("limit", 50, "how many of the newest entries")
	export := withStores(&cobra.Command{Use: "export", Short: "Every entry as JSON lines, oldest first", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			filter, err := s.auditFilter(cmd)
			if err != nil {
				return err
			}
			return s.audit.Export(cmd.Context(), filter, cmd.OutOrStdout())
		})
	auditFlags(export)
	jsonFlag(export) // the format is JSON lines anyway
	verify := withStores(&cobra.Command{Use: "verify", Short: "Check that no entry was changed, removed or reordered", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			n, err := s.audit.Verify(cmd.Context())
			if broken := (*audit.Broken)(nil); errors.As(err, &broken) {
				return fmt.Errorf("audit log is broken at entry %d: %s", broken.Seq, broken.Why)
			} else if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d %s, all sound\n", n, entries(n))
			return err
		})
	return group("audit", "The audit log", list, export, verify)
}

func entries(n int64) string {
	if n == 1 {
		return "entry"
	}
	return "entries"
}

func listAudit(s *stores, cmd *cobra.Command, _ []string) error {
	filter, err := s.auditFilter(cmd)
	if err != nil {
		return err
	}
	if filter.Limit, err = cmd.Flags().GetInt("limit"); err != nil {
		return err
	}
	return printer(cmd).Entries(func(each func(audit.Entry) error) error {
		return s.audit.List(cmd.Context(), filter, each)
	})
}
