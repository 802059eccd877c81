package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/policy"
)

func budgetCommand() *cobra.Command {
	list := withStores(&cobra.Command{
		Use: "list", Short: "How much of each budget is used now, by whom", Args: usageArgs(cobra.NoArgs),
		Long: `list prints how much of each budget is used in its present window, the parties of which a call was
refused first, then those that an alarm was about. What running processes have set aside counts as used.`,
	}, func(s *stores, cmd *cobra.Command, _ []string) error {
		all, err := s.budgets.List(cmd.Context(), s.counters(), budget.Filter{})
		if err != nil {
			return err
		}
		return printer(cmd).Budgets(all)
	})
	jsonFlag(list)
	return group("budget", "How much may be done in a time", list)
}

// counters are all that the configuration counts, each once.
func (s *stores) counters() (all []*budget.Counter) {
	for _, counters := range s.config.Counters() {
		for _, c := range counters {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// budgetsOf is what a user has used of budgets of each user.
func (s *stores) budgetsOf(ctx context.Context, org, subject string) ([]budget.Count, error) {
	if org == "" || subject == "" { // would be everybody's
		return nil, nil
	}
	return s.budgets.List(ctx, s.counters(), budget.Filter{Org: org, Party: subject})
}

// budgetAlarm records that a budget is nearly used up, or is and a call was refused.
func (s *stores) budgetAlarm(ctx context.Context, a budget.Alarm) {
	// What leaves in rows and bytes is another danger than what is done.
	kind := "volume_limit"
	if a.What == policy.Rows || a.What == policy.Bytes {
		kind = "exfil_threshold"
	}
	e := audit.Entry{Actor: actor.Proxy, Action: audit.BudgetAlarm, Outcome: audit.OK, Object: a.Name, Org: a.Org}
	how := fmt.Sprintf("%d of %d are used", a.Taken, a.Limit)
	if a.Level == budget.LimitReached {
		e.Outcome, how = audit.Denied, fmt.Sprintf("the limit of %d is reached and a call was refused", a.Limit)
	}
	switch a.Who {
	case policy.EachUser:
		e.Subject = a.Party
	case policy.EachClient:
		e.Client = a.Party
	}
	e.Reason = fmt.Sprintf("%s, %s: %s; begins anew at %s", kind, a.Scope, how, a.Renews.UTC().Format(time.RFC3339))
	s.log.WarnContext(ctx, "a budget is nearly or wholly used", "scope", a.Scope, "budget", a.Name, "taken", a.Taken, "limit", a.Limit)
	s.audit.Record(ctx, e)
	// Who it is about stands in the log alone: of everybody's counts together, each level is told
	// once in a window.
	if err := s.notices.Raise(ctx, a.Scope+" "+a.Name, fmt.Sprintf("%s/%d", a.Renews.UTC().Format(time.RFC3339), a.Level), how); err != nil {
		s.log.ErrorContext(ctx, "the alarm of a budget is not told", "error", err)
	}
}
