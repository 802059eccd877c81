package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/packing"
)

// auditFlags adds the filters of the audit log.
func auditFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("user", "", "only what concerns this human, by "+whoForms+": what they did, and what was done about them")
	f.String("actor", "", `only what this actor did, such as "operator:alice" or "client chatgpt"`)
	f.String("tool", "", "only calls of this tool")
	f.String("client", "", "only what this client did, by its client id")
	f.String("server", "", "only what concerns this server")
	f.String("object", "", "only what was done to exactly this: a tool, a session, a position of the kill switch, …")
	f.String("rule", "", "only what this rule decided, as an entry names it")
	f.String("approval", "", "only what concerns this approval")
	f.String("grant", "", "only what was done through this connection, or about it, by its id")
	f.String("action", "", `only this action, such as tool.call; "tool." for all of that noun`)
	f.String("outcome", "", "only what ended so: "+listed(audit.Outcomes()))
	f.String("request", "", "only this request: the id that an error page, or the header X-Request-Id, shows")
	f.String("since", "", "only from then on: "+timeForms)
	f.String("until", "", "only before then; a date means its end")
}

// auditFilter reads the filters. What can be no entry's is an error that says what can.
func (s *stores) auditFilter(cmd *cobra.Command) (audit.Filter, error) {
	text := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	filter := audit.Filter{Actor: text("actor"), Tool: text("tool"), Action: text("action"), Outcome: audit.Outcome(text("outcome")),
		Request: strings.ToUpper(text("request")), Client: text("client"), Server: text("server"), Object: text("object"), Rule: text("rule"), Approval: text("approval"), Grant: text("grant")}
	if by := actor.Parse(filter.Actor); by.IsUser() { // 15 characters are the same id
		by.ID = grant.FullID(by.ID)
		filter.Actor = by.String()
	}
	if filter.Actor != "" && !actor.Parse(filter.Actor).Known() {
		return filter, usageError{fmt.Errorf(`--actor: %q is no actor: "user 005…", "person ISSUER SUBJECT", "client ID", "apitoken NAME:ID", "operator:NAME", "operator", "proxy", "browser" or "stranger"`, filter.Actor)}
	}
	if err := setTimes(&filter, text("since"), text("until"), s.now()); err != nil {
		return filter, usageError{err}
	}
	reads, err := s.newReads()
	if err == nil {
		err = wrongFilter(reads.CheckNames(cmd.Context(), filter))
	}
	if err != nil {
		return filter, err
	}
	if user := text("user"); user != "" {
		whom, err := s.named(cmd, user)
		if err != nil {
			return filter, notMade(err, packing.Asked{})
		}
		filter.Person = whom.Person
	}
	return filter, nil
}

// wrongFilter is an error about a filter by the name of its flag. What is one of a fixed set was called wrongly; what
// could be there, and is not, failed.
func wrongFilter(err error) error {
	wrong, ok := errors.AsType[*oversight.InputError](err)
	switch {
	case !ok:
		return err
	case wrong.Field == "action":
		return usageError{fmt.Errorf("--%w: %s", wrong, actionNames())}
	case wrong.Field == "outcome":
		return usageError{fmt.Errorf("--%w: %s", wrong, listed(audit.Outcomes()))}
	}
	return fmt.Errorf("--%w", wrong)
}

func setTimes(f *audit.Filter, since, until string, now time.Time) error {
	for _, flag := range []struct {
		name, text string
		set        func(span)
	}{{"since", since, func(at span) { f.Since = at.begin }}, {"until", until, func(at span) { f.Until = at.end }}} {
		if flag.text == "" {
			continue
		}
		at, err := parseTime(flag.text, now)
		if err != nil {
			return fmt.Errorf("--%s: %w", flag.name, err)
		}
		flag.set(at)
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return fmt.Errorf("--since %s is not before --until %s: nothing can be between", since, until)
	}
	return nil
}

// listed names them all in one line.
func listed[T ~string](all []T) string {
	var names []string
	for _, name := range all {
		names = append(names, string(name))
	}
	return strings.Join(names, ", ")
}

// actionNames lists what --action can be.
func actionNames() string {
	var names []audit.Action
	for _, d := range audit.Actions() {
		names = append(names, d.Action)
	}
	return listed(names)
}

func auditCommand() *cobra.Command {
	list := withCutoff(&cobra.Command{Use: "list", Short: "The newest entries of the audit log", Args: usageArgs(cobra.NoArgs)}, listAudit)
	auditFlags(list)
	jsonFlag(list)
	list.Flags().Int("limit", 50, "how many of the newest entries")
	list.Flags().Bool("all", false, "all entries that match")
	return group("audit", "The audit log", list, auditShowCommand(), auditExportCommand(), auditVerifyCommand(), auditProveCommand(), auditTilesCommand(), auditCopyCommand(), auditPruneCommand(), auditKeyCommand(), auditAcknowledgeCommand(), auditReindexCommand(), auditLogCommand())
}

// rawFlag adds --raw to a command that prints entries.
func rawFlag(cmd *cobra.Command) {
	cmd.Flags().Bool("raw", false, "the record byte for byte as the log has it: what proofs are of; what is about people is encrypted in it")
}

func entries(n int64) string {
	if n == 1 {
		return "entry"
	}
	return "entries"
}

// unsound is that the log and its checkpoints do not agree, or that this cannot be found out: what is read of it is not all
// that was written, or not as it was.
func (s *stores) unsound(ctx context.Context) error {
	if err := s.audit.Agree(ctx); err != nil {
		return fmt.Errorf("what is read may not be all that was written: %w", err)
	}
	return nil
}

// wholeLog has a command that hands out what the log holds do so all the same, say that this may not be all, and end
// with status 1.
func wholeLog(run storesCommand) storesCommand {
	return func(s *stores, cmd *cobra.Command, args []string) error {
		unsound := s.unsound(cmd.Context())
		err := run(s, cmd, args)
		if unsound == nil || errors.As(err, new(usageError)) {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "sfmcp-proxy: %v\n", unsound)
		if err == nil {
			err = reportedError(exitFailed)
		}
		return err
	}
}

// sayUnsound says so beside what is printed.
func (s *stores) sayUnsound(cmd *cobra.Command) {
	if err := s.unsound(cmd.Context()); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "sfmcp-proxy: %v\n", err)
	}
}

func listAudit(s *stores, cmd *cobra.Command, _ []string) error {
	filter, err := s.auditFilter(cmd)
	if err != nil {
		return err
	}
	if filter.Limit, err = cmd.Flags().GetInt("limit"); err != nil {
		return err
	}
	if all, _ := cmd.Flags().GetBool("all"); all && cmd.Flags().Changed("limit") {
		return usageError{errors.New("--all and --limit exclude each other")}
	} else if all {
		filter.Limit = 0
	} else if filter.Limit <= 0 {
		return usageError{fmt.Errorf("--limit: expected a number from 1 on, found %d; --all shows every entry", filter.Limit)}
	}
	s.sayUnsound(cmd)
	shown, p := 0, printer(cmd)
	if p.JSON { // whole entries, with their arguments; the columns have none
		if filter, err = s.readLog(cmd, audit.LogRead, "entries", filter); err != nil {
			return err
		}
	}
	if err := p.Entries(func(each func(audit.Entry) error) error {
		return s.audit.List(cmd.Context(), filter, func(e audit.Entry) error {
			shown++
			return each(e)
		})
	}); err != nil || p.JSON || shown < filter.Limit || filter.Limit == 0 {
		return err
	}
	total, err := s.audit.Count(cmd.Context(), filter)
	if err == nil && total > shown {
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "showing the last %d of %d; --all or --limit N shows more\n", shown, total)
	}
	return err
}
