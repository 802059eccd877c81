package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/review"
)

func reviewDecideCommand() *cobra.Command {
	cmd := withCutoff(&cobra.Command{
		Use: "decide keep|revoke", Short: "Decide about somebody's access in a review", Args: usageArgs(cobra.ExactArgs(1)),
		Long: `decide keeps a person's access to a server, or ends it: their connections to it end here and,
with the last one, their login at Salesforce. Both need a reason and are entries of the audit log.
Who may connect is said by the groups of the configuration: somebody whose access ended can connect
again until they are taken out of them; 'review proposal' lists them.

With --unused, revoke decides about everything that nobody has decided about and nobody used: no tool
was called in the time of the review, and no connection was made or used in that time or since, through
any replica. Servers whose tools nobody has listed are left out, because of them it is not known.`}, decideReview)
	f := cmd.Flags()
	f.String("review", "", "the review; without it the newest")
	f.String("user", "", "a Salesforce user id or username")
	f.String("server", "", "the server; without it every one of the person in the review")
	f.Bool("unused", false, "with revoke, in the place of --user: each open item that nobody used")
	reasonFlagFor(cmd, actor.ForDecision, "required: why", "")
	f.String("as", "", "who decides: a name for the audit log, beside that of the operator")
	jsonFlag(cmd)
	return cmd
}

func decideReview(s *stores, cmd *cobra.Command, args []string) error {
	what := audit.Decision(args[0])
	reason := reasonOf(cmd)
	switch {
	case what != audit.Keep && what != audit.Revoke:
		return usageError{fmt.Errorf("expected keep or revoke, found %q", args[0])}
	case reason == "":
		return usageError{errors.New("--reason is required: why, in a few words")}
	}
	by, err := decider(cmd)
	if err != nil {
		return err
	}
	r, items, err := reviewing{s}.itemsToDecide(cmd, what)
	if err != nil {
		return err
	}
	for _, i := range items {
		err = errors.Join(err, reviewing{s}.decideItem(cmd, by, r, i, what, reason)) // the others all the same
	}
	if what == audit.Revoke && len(items) > 0 {
		_, tellErr := revokeAtSalesforce(s, cmd)
		err = errors.Join(err, tellErr)
	}
	return err
}

// itemsToDecide are the items that the flags name.
func (s reviewing) itemsToDecide(cmd *cobra.Command, what audit.Decision) (r *review.Review, items []*review.Item, err error) {
	text := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	var named []string
	if text("review") != "" {
		named = []string{text("review")}
	}
	unused, _ := cmd.Flags().GetBool("unused")
	switch {
	case unused && (what != audit.Revoke || text("user") != ""):
		return nil, nil, usageError{errors.New("--unused goes with revoke and without --user: what is kept is looked at one by one")}
	case !unused && text("user") == "":
		return nil, nil, usageError{errors.New("--user is required, or --unused with revoke")}
	}
	if r, err = s.reviewNamed(cmd, named); err != nil {
		return nil, nil, err
	}
	var person audit.Person
	if !unused {
		whom, err := s.named(cmd, text("user"))
		if err != nil {
			return nil, nil, err
		}
		person = whom.Person
	}
	reviews := s.newReviews()
	for _, i := range r.Items {
		switch {
		case text("server") != "" && i.Server != text("server"):
		case unused && reviews.Unused(r, i), !unused && concerns(person, i):
			items = append(items, i)
		}
	}
	switch {
	case len(items) > 0:
		return r, items, nil
	case unused && len(r.Unknown) > 0:
		return nil, nil, fmt.Errorf("the review %s has nothing that is known to be unused; of %s nobody has listed the tools, so decide there by --user: see 'review status %s --open'", r.ID, strings.Join(r.Unknown, ", "), r.ID)
	}
	return nil, nil, fmt.Errorf("the review %s has nothing like that: see 'review status %s'", r.ID, r.ID)
}

// concerns says whether an item is about a person.
func concerns(p audit.Person, i *review.Item) bool {
	for _, subject := range p.Subjects {
		if subject == i.Subject {
			return true
		}
	}
	return false
}

func (s reviewing) decideItem(cmd *cobra.Command, by approval.Decider, r *review.Review, i *review.Item, what audit.Decision, reason string) error {
	var ended int
	var err error
	if unused, _ := cmd.Flags().GetBool("unused"); unused {
		ended, err = s.newReviews().RevokeUnused(cmd.Context(), by, r, i, reason)
	} else {
		ended, err = s.newReviews().Decide(cmd.Context(), by, r.ID, i.Of, what, reason)
	}
	if errors.Is(err, authproxy.ErrUsed) {
		return report(cmd, fmt.Sprintf("left: %s at %s, which was used since the review began", i.Name(), i.Server),
			deed{Did: "review leave", Review: r.ID, Org: i.Org, Subject: i.Subject, Username: i.Username, Server: i.Server})
	}
	if errors.Is(err, authproxy.ErrOwnAccess) {
		return usageError{err}
	} else if !audit.TookEffect(err) {
		return fmt.Errorf("%s at %s: %w", i.Name(), i.Server, err)
	}
	d := deed{Did: "review " + string(what), Review: r.ID, Org: i.Org, Subject: i.Subject, Username: i.Username, Server: i.Server}
	said := fmt.Sprintf("kept: %s at %s", i.Name(), i.Server)
	if what == audit.Revoke {
		d.Connections = &ended
		said = fmt.Sprintf("revoked: %s at %s, %s ended", i.Name(), i.Server, counted(ended, "connection"))
		if ended == 0 {
			said = fmt.Sprintf("decided: %s at %s, 0 connections, nothing ended", i.Name(), i.Server)
		}
		if again := authproxy.ConnectAgain(i.Groups); again != "" {
			said += "; " + again
		}
	}
	return reportAct(cmd, err, said, d)
}
