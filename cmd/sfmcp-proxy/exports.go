package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/export"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
	"sfmcp-proxy/config"
)

// exporting sends the audit log elsewhere.
type exporting struct{ *stores }

// couriers send the audit log to the destinations of the configuration.
func (s exporting) couriers(n *outbound) *export.Couriers {
	return export.New(export.Config{DB: s.db, Audit: s.audit, Version: version, Log: s.log, Now: s.now, Exports: s.destinations(n)})
}

func (s exporting) destinations(n *outbound) []export.Export {
	return s.config.AuditExports(config.ExportParts{Roots: n.roots, Via: n.via, Version: version, Now: s.now})
}

func exportCommand() *cobra.Command {
	status := withReading(&cobra.Command{Use: "status", Short: "How far each destination has the audit log, and what hinders it", Args: usageArgs(cobra.NoArgs)}, exportStatus)
	jsonFlag(status)
	test := withStores(&cobra.Command{
		Use: "test [NAME]", Short: "Send an entry that is marked as a test, and say whether it was taken",
		Long: `test sends one entry to every destination of exports, or to the one that is named, and
says what became of it. The entry has the action export.test and a negative number: it is no
entry of the log. That a test was made is one.

Exit status: 0 all took it; 1 one did not.`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
	}, testExports)
	jsonFlag(test)
	move := withStores(&cobra.Command{
		Use: "move NAME", Short: "Have a destination go on behind another entry of this machine's log",
		Long: `move says from where on a destination is sent entries: behind the number --to, from the
beginning with --to 0, or from now on with --to newest. Entries that are passed over are not
sent. It is recorded with the reason, and holds within half a minute.`,
		Args: usageArgs(cobra.ExactArgs(1)),
	}, moveExport)
	move.Flags().String("to", "", "number of the last entry that counts as taken, or newest")
	reasonFlag(move, "")
	move.Flags().String("as", "", "who says so: a name for the audit log, beside that of the operator")
	jsonFlag(move)
	return group("export", "Destinations of the audit log", status, test, move)
}

// exportStatus prints the destinations of the configuration with this machine's log, then what else
// positions are of: other replicas' logs, and destinations that are gone.
func exportStatus(s *stores, cmd *cobra.Command, _ []string) error {
	positions, err := export.Positions(cmd.Context(), s.db)
	if err != nil {
		return err
	}
	log, size := s.audit.Heard()
	var list []listing.Export
	for _, e := range s.config.Exports {
		row := listing.Export{Name: e.Name, Kind: e.Kind, Log: log, Behind: size}
		i := slices.IndexFunc(positions, func(at *export.Position) bool { return at.Destination == e.Name && at.Log == log })
		if i >= 0 {
			row = exportRow(positions[i])
			row.Kind, row.Behind = e.Kind, max(size-row.Position, 0)
			positions = slices.Delete(positions, i, i+1)
		}
		if row.Behind > 0 {
			next, err := s.audit.Read(cmd.Context(), audit.Reading{After: row.Position, Entries: 1, Bytes: 1})
			if err != nil {
				return err
			}
			for _, e := range next {
				row.Oldest = e.At
			}
		}
		list = append(list, row)
	}
	for _, at := range positions {
		list = append(list, exportRow(at))
	}
	return printer(cmd).Exports(list)
}

func exportRow(at *export.Position) listing.Export {
	return listing.Export{Name: at.Destination, Log: at.Log, Position: at.Seq, Sent: at.SentAt, Failures: at.Failures, Problem: at.Problem}
}

// testExports sends a test to each destination.
func testExports(s *stores, cmd *cobra.Command, names []string) error {
	n, err := openOutbound(s.config, s.log)
	if err != nil {
		return err
	}
	all := exporting{s}.destinations(n)
	if len(names) > 0 {
		all = slices.DeleteFunc(all, func(e export.Export) bool { return e.Name != names[0] })
	}
	if len(all) == 0 && len(names) > 0 {
		return fmt.Errorf("no destination %q under exports: 'export status' lists them", names[0])
	} else if len(all) == 0 {
		return errors.New("exports names no destination")
	}
	var failed error
	for _, e := range all {
		if err := (exporting{s}).testExport(cmd, e); err != nil {
			failed = errors.Join(failed, fmt.Errorf("destination %s did not take the test: %w", e.Name, err))
		} else if err := report(cmd, fmt.Sprintf("destination %s took the test", e.Name), deed{Did: "export test", Destination: e.Name}); err != nil {
			return err
		}
	}
	return failed
}

// testExport sends a test to one destination, and records how that ended.
func (s exporting) testExport(cmd *cobra.Command, e export.Export) error {
	log, _ := s.audit.Heard()
	now := s.now().UTC().Truncate(time.Millisecond)
	tested := audit.Entry{Actor: operator(""), Action: audit.ExportTest, Object: e.Name, Source: "command line", Outcome: audit.OK}
	return s.audit.Call(cmd.Context(), tested, func(ctx context.Context) (audit.Result, error) {
		sent := tested
		sent.Seq, sent.At, sent.Reason = -now.UnixMilli(), now, "a test of sfmcp-proxy, and no entry of its log"
		return audit.Result{}, e.Send(ctx, export.Writer{Log: log, Version: version}, []audit.Entry{sent})
	})
}

// moveExport moves the position of a destination in this machine's log.
func moveExport(s *stores, cmd *cobra.Command, args []string) error {
	to, reason := cmd.Flag("to").Value.String(), reasonOf(cmd)
	if to == "" || reason == "" {
		return usageError{errors.New("export move needs --to and --reason")}
	}
	as := cmd.Flag("as").Value.String()
	if err := actor.CheckName(as); as != "" && err != nil {
		return usageError{fmt.Errorf("--as: %w", err)}
	}
	log, size := s.audit.Heard()
	number, err := strconv.ParseInt(to, 10, 64)
	if to == "newest" {
		number, err = size, nil
	}
	if err != nil || number < 0 || number > size {
		return usageError{fmt.Errorf("--to: %q is neither newest nor a number from 0 to %d, which the log has", to, size)}
	}
	positions, err := export.Positions(cmd.Context(), s.db)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(positions, func(at *export.Position) bool { return at.Destination == args[0] && at.Log == log })
	if i < 0 {
		return fmt.Errorf("destination %q has been sent nothing of this machine's log yet: 'export status' lists those that have", args[0])
	}
	at := positions[i]
	e := audit.Entry{Actor: operator(as), Action: audit.ExportMove, Object: at.Destination, Source: "command line",
		Reason: fmt.Sprintf("from entry %d to %d of %s: %s", at.Seq, number, log, reason)}
	if err := authproxy.Give(cmd.Context(), s.audit, e, func(ctx context.Context) (audit.Result, error) {
		return audit.Result{Reason: e.Reason}, export.Move(ctx, s.db, at, number)
	}); err != nil {
		return err
	}
	return report(cmd, fmt.Sprintf("destination %s goes on behind entry %d", at.Destination, number), deed{Did: "export move", Destination: at.Destination, Position: &number})
}
