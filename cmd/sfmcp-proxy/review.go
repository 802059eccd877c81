package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/review"
)

// reviewing is what the commands about access reviews share.
type reviewing struct{ *stores }

func (s reviewing) newReviews() *authproxy.Reviews {
	return &authproxy.Reviews{Cutoff: s.newCutoff(nil), Definitions: s.definitions, Now: s.now, Roster: s.roster}
}

func reviewCommand() *cobra.Command {
	list := withReading(&cobra.Command{Use: "list", Short: "Access reviews that have begun", Args: usageArgs(cobra.NoArgs)}, listReviews)
	jsonFlag(list)
	status := withReading(&cobra.Command{Use: "status [REVIEW]", Short: "Each person and server of a review, the newest without a name, and what was decided", Args: usageArgs(cobra.MaximumNArgs(1))}, wholeLog(reviewStatus))
	jsonFlag(status)
	status.Flags().Bool("open", false, "only what nobody has decided about")
	proposal := withStores(&cobra.Command{
		Use: "proposal [REVIEW]", Short: "What policies and groups could do without, by a review", Args: usageArgs(cobra.MaximumNArgs(1)),
		Long: `proposal lists the tools that somebody in the review sees and nobody in it called, as a rule to put
first, and the members of groups whose access was ended in it and who could connect again. Nothing
is changed: write what you agree with into the configuration. 'policy diff OLD NEW' says what it
changes for whom, 'policy replay' what it would have denied.`}, wholeLog(reviewProposal))
	jsonFlag(proposal)
	return group("review", "Access reviews: who has access, who uses it, keep or revoke", reviewStartCommand(), list, status, reviewDecideCommand(), proposal)
}

func reviewStartCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "start", Short: "Begin a review of who has access, and what they used of it", Args: usageArgs(cobra.NoArgs),
		Long: `start lists each person who is connected to a server, or has signed in and may connect, with the
tools that they called in the time of the review and those that they see and did not call. The list
becomes entries of the audit log, and so does each decision. Without other times the review is of
the last whole quarter.`}, wholeLog(startReview))
	f := cmd.Flags()
	f.String("quarter", "", "of this quarter, such as 2026-Q3")
	f.String("name", "", "what it is called; without it the quarter, or the day")
	f.String("since", "", "what was used from then on: "+timeForms)
	f.String("until", "", "before then; a date means its end")
	f.StringSlice("server", nil, "only of this server; may be given several times")
	f.String("as", "", "who begins it: a name for the audit log, beside that of the operator")
	jsonFlag(cmd)
	return cmd
}

// scopeOf reads what a review is to be about, and its name.
func (s reviewing) scopeOf(cmd *cobra.Command) (name string, scope review.Scope, err error) {
	text := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	name = text("name")
	if text("since") != "" || text("until") != "" {
		if text("quarter") != "" || text("since") == "" {
			return "", scope, errors.New("a review has a --quarter, or --since with or without --until")
		}
		when := audit.Filter{Until: s.now()}
		if err := setTimes(&when, text("since"), text("until"), s.now()); err != nil {
			return "", scope, err
		}
		scope.Since, scope.Until = when.Since.UTC(), when.Until.UTC()
		if name == "" {
			name = s.now().Format(time.DateOnly)
		}
	} else {
		quarter, begin, end, err := review.Quarter(text("quarter"), s.now())
		if err != nil {
			return "", scope, fmt.Errorf("--quarter: %w", err)
		}
		scope.Since, scope.Until = begin.UTC(), end.UTC()
		if name == "" {
			name = quarter
		}
	}
	if err := review.ValidName(name); err != nil {
		return "", scope, fmt.Errorf("--name: %w", err)
	}
	if scope.Servers, err = cmd.Flags().GetStringSlice("server"); err != nil {
		return "", scope, err
	}
	for _, server := range scope.Servers {
		if _, err := s.serverNamed(server); err != nil {
			return "", scope, fmt.Errorf("--server: %w", err)
		}
	}
	return name, scope, nil
}

func startReview(s *stores, cmd *cobra.Command, _ []string) error {
	name, scope, err := reviewing{s}.scopeOf(cmd)
	if err != nil {
		return usageError{err}
	}
	as, _ := cmd.Flags().GetString("as")
	r, err := reviewing{s}.newReviews().Begin(cmd.Context(), authproxy.Act{By: operator(as), Why: "access review"}, name, scope)
	there, isThere := errors.AsType[*authproxy.ElsewhereError](err)
	switch {
	case isThere:
		return fmt.Errorf("%w: see 'review status %s' on that machine, or give --name", there, name)
	case errors.Is(err, authproxy.ErrReviewed):
		return fmt.Errorf("the review %s has begun already: see 'review status %s', or give --name", name, name)
	case errors.Is(err, authproxy.ErrLargeScope):
		return fmt.Errorf("%w: review some servers at a time, by --server and --name", err)
	case err != nil:
		return err
	}
	text := fmt.Sprintf("the review %s has begun: %s, of what was used from %s to before %s; see 'review status %s'", r.ID, counted(len(r.Items), "item"),
		r.Since.Format(time.DateOnly), r.Until.Format(time.DateOnly), r.ID)
	if len(r.Unknown) > 0 {
		text += "\nnobody has listed the tools of " + strings.Join(r.Unknown, ", ") + " yet: of these servers nothing can be said to be unused"
	}
	if len(r.OtherLogs) > 0 {
		text += "\n" + callsElsewhere(r)
	}
	return report(cmd, text, deed{Did: "review start", Review: r.ID})
}

func listReviews(s *stores, cmd *cobra.Command, _ []string) error {
	reviews := reviewing{s}.newReviews()
	all, err := reviews.Reviews(cmd.Context())
	if err != nil {
		return err
	}
	there, err := reviews.Elsewhere(cmd.Context())
	if err == nil {
		err = printer(cmd).Reviews(all)
	}
	for _, e := range there {
		fmt.Fprintf(besides(cmd), "%v\n", e)
	}
	return err
}

// callsElsewhere says that a review lacks what other replicas did.
func callsElsewhere(r *review.Review) string {
	return "the calls of other replicas are in their audit logs and not in it (" + roster.InWords(r.OtherLogs) + "): a tool that it has as not used may have been used there;\n" +
		"when a connection was last used is known of all, and '--unused' goes by that"
}

// reviewNamed is the review of an argument, or the newest.
func (s reviewing) reviewNamed(cmd *cobra.Command, args []string) (*review.Review, error) {
	r, err := s.newReviews().Review(cmd.Context(), strings.Join(args, ""))
	if there, ok := errors.AsType[*authproxy.ElsewhereError](err); ok {
		return nil, fmt.Errorf("%w: run this command on that machine, or name a review of 'review list'", there)
	}
	if errors.Is(err, authproxy.ErrNoReview) {
		err = noReview(args)
	}
	return r, err
}

func noReview(args []string) error {
	if len(args) == 0 {
		return errors.New("no review has begun: 'review start' begins one")
	}
	return fmt.Errorf("there is no review %q: see 'review list'", args[0])
}

func reviewStatus(s *stores, cmd *cobra.Command, args []string) error {
	r, err := reviewing{s}.reviewNamed(cmd, args)
	if err != nil {
		return err
	}
	items := r.Items
	if open, _ := cmd.Flags().GetBool("open"); open {
		items = slices.DeleteFunc(slices.Clone(items), func(i *review.Item) bool { return i.Decision != nil })
	}
	if !printer(cmd).JSON {
		fmt.Fprintf(cmd.OutOrStdout(), "review %s, of what was used from %s to before %s: %s, %d open\n", r.ID, r.Since.Format(time.DateOnly), r.Until.Format(time.DateOnly), counted(len(r.Items), "item"), r.Open())
		if len(r.OtherLogs) > 0 {
			fmt.Fprintln(cmd.OutOrStdout(), callsElsewhere(r))
		}
	}
	return printer(cmd).ReviewItems(items)
}

func reviewProposal(s *stores, cmd *cobra.Command, args []string) error {
	r, err := reviewing{s}.reviewNamed(cmd, args)
	if err != nil {
		return err
	}
	policies := map[string]string{}
	for _, server := range s.config.Servers {
		policies[server.Name] = server.Policy
	}
	if len(r.OtherLogs) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "no tool is proposed: who called it is not known, because the calls of other replicas are in their audit logs (%s)\n", roster.InWords(r.OtherLogs))
	}
	return printer(cmd).Proposal(r.Proposal(policies))
}
