package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/reports"
)

// reportFormats are the ways to write a report, by the name of --format.
var reportFormats = map[string]func(*reports.Report, io.Writer) error{
	"html": (*reports.Report).WriteHTML, "md": (*reports.Report).WriteMarkdown, "json": (*reports.Report).WriteJSON,
}

// maxRows is how many rows of a list a report shows at most.
const maxRows = 10_000

func reportCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{
		Use: "report", Short: "Say what happened in a time: who, which tools, denials, approvals, what was hidden, changes",
		Long: `report counts what the audit log has of a time: who called which tools, what was denied by which
rule and why, how calls that waited were decided and how long that took, what was hidden in
answers, who was given most records, which connections nobody uses, and who changed, stopped or
blocked what. Beside each number stands how it was counted, and the report says what the log does
not hold. The page has no script and needs nothing else: it prints.

That a report was made is in the audit log, with the SHA-256 of what was written.`,
		Args: usageArgs(cobra.NoArgs)}, wholeLog(makeReport))
	f := cmd.Flags()
	f.String("since", "30d", "from then on: "+timeForms)
	f.String("until", "", "before then; a date means its end; empty: now")
	f.String("format", "html", "html, md (Markdown) or json")
	f.String("output", "", "write it to this new file; empty: to the standard output")
	f.Int("rows", 50, "how many rows each list shows")
	return cmd
}

func makeReport(s *stores, cmd *cobra.Command, _ []string) error {
	text := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	write := reportFormats[text("format")]
	if write == nil {
		return usageError{fmt.Errorf("--format: expected html, md or json, found %q", text("format"))}
	}
	rows, _ := cmd.Flags().GetInt("rows")
	if rows < 1 || rows > maxRows {
		return usageError{fmt.Errorf("--rows: expected a number from 1 to %d, found %d", maxRows, rows)}
	}
	now := s.now()
	when := audit.Filter{}
	if err := setTimes(&when, text("since"), text("until"), now); err != nil {
		return usageError{err}
	}
	if when.Until.IsZero() || when.Until.After(now) {
		when.Until = now
	}
	made, err := (reporting{s}).report(cmd.Context(), when, reports.Given{Made: now, By: operator("").String(), Version: version, Lifetime: s.config.Lifetimes.Approval, Shown: rows})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := write(made, &out); err != nil {
		return err
	}
	about := fmt.Sprintf("%s to %s, %d entries, %s; sha256 %x", made.Since.Format(time.RFC3339), made.Until.Format(time.RFC3339), made.Log.Entries, text("format"), sha256.Sum256(out.Bytes()))
	if _, err := s.audit.Append(cmd.Context(), audit.Entry{Actor: operator(""), Action: audit.ReportMake, Object: "report", Outcome: audit.OK, Reason: about}); err != nil {
		return err // nobody gets what is not on record
	}
	return writeOutput(cmd, text("output"), out.Bytes())
}

// writeOutput writes to a new file, or where there is none to the standard output.
func writeOutput(cmd *cobra.Command, path string, text []byte) error {
	if path == "" {
		_, err := cmd.OutOrStdout().Write(text)
		return err
	}
	if err := writeNew(path, text); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s: SHA-256 %x\n", path, sha256.Sum256(text))
	return err
}

// reporting makes reports from the stores.
type reporting struct{ *stores }

// report counts the entries of a time, and what the database has of connections.
func (s reporting) report(ctx context.Context, when audit.Filter, given reports.Given) (*reports.Report, error) {
	c := reports.NewCollector(reports.Config{Since: when.Since, Until: when.Until, Verdict: verdict, DecidedBy: oversight.DecidedBy})
	if err := s.audit.List(ctx, audit.Filter{Since: when.Since, Until: when.Until}, func(e audit.Entry) error { c.Add(e); return nil }); err != nil {
		return nil, err
	}
	// What became of calls that began to wait in the time, whenever that was.
	for _, after := range []audit.Filter{{Action: "approval.", Since: when.Until}, {Action: string(audit.ToolCall), Since: when.Until}} {
		if !when.Until.Before(given.Made) {
			break
		}
		if err := s.audit.List(ctx, after, func(e audit.Entry) error { c.AddDecision(e); return nil }); err != nil {
			return nil, err
		}
	}
	var err error
	if given, err = s.extent(ctx, given, c); err != nil {
		return nil, err
	}
	others, err := s.roster.Beside(ctx, when.Since)
	if err != nil {
		return nil, err
	}
	given.OtherLogs = roster.Hosts(others)
	if given.Dormant, err = s.dormant(ctx, when.Since); err != nil {
		return nil, err
	}
	return c.Report(given), nil
}

// extent adds what the log holds at all.
func (s reporting) extent(ctx context.Context, g reports.Given, c *reports.Collector) (reports.Given, error) {
	var err error
	if g.Oldest, g.Begins, err = s.audit.Published().Oldest(ctx); err != nil {
		return g, err
	}
	if err := s.audit.List(ctx, audit.Filter{Limit: 1}, func(e audit.Entry) error { g.Newest = e.Seq; return nil }); err != nil {
		return g, err
	}
	g.Signed = s.audit.Published().Newest().Size
	first, last := c.Range()
	if first == 0 {
		return g, nil
	}
	n, err := s.audit.Count(ctx, audit.Filter{After: first - 1, Before: last + 1})
	g.Readable = int64(n)
	return g, err
}

// dormant are the connections that are alive, began before a time and were not used since.
func (s reporting) dormant(ctx context.Context, since time.Time) (all []reports.Dormant, err error) {
	grants, err := s.grants.Grants(ctx, grant.Filter{})
	for _, g := range grants {
		if g.CreatedAt.Before(since) && g.LastUsedAt.Before(since) {
			all = append(all, reports.Dormant{Connection: g.ID, Who: reports.Who{Org: g.Org, Subject: g.Subject, Username: g.Username}, Client: g.ClientID, Server: g.Server,
				Created: g.CreatedAt.UTC(), LastUsed: g.LastUsedAt.UTC()})
		}
	}
	return all, err
}
