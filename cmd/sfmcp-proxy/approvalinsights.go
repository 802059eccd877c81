package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
)

func insightsCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "insights", Short: "Say how calls that waited were decided, by rule and by who decided",
		Long: `insights counts the calls that began to wait in a time, from the audit log: how many were
approved, denied, countered or expired, and how long people took (half of the decisions, and 95 %
of them, at most). Where approving seems to have become a habit it says so: at least 20 decisions,
more than 98 % of them approvals, half within 5 seconds.`,
		Args: usageArgs(cobra.NoArgs)}, approvalInsights)
	cmd.Flags().String("since", "30d", "from then on: "+timeForms)
	cmd.Flags().String("until", "", "up to then: "+timeForms)
	jsonFlag(cmd)
	return cmd
}

func approvalInsights(s *stores, cmd *cobra.Command, _ []string) error {
	filter := audit.Filter{Action: string(audit.ToolCall), Outcome: audit.Held}
	if err := setTimes(&filter, cmd.Flag("since").Value.String(), cmd.Flag("until").Value.String(), s.now()); err != nil {
		return usageError{err}
	}
	groups, err := s.insights(cmd.Context(), filter)
	if err != nil {
		return err
	}
	return printer(cmd).Insights(groups)
}

// insights reads the calls of the filter, and what was decided about them since.
func (s *stores) insights(ctx context.Context, held audit.Filter) ([]insights.Group, error) {
	var c insights.Collector
	if err := s.audit.List(ctx, held, func(e audit.Entry) error {
		if e.Approval != "" {
			c.Held(e.Approval, e.Server+": "+e.Rule, e.At)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	decisions := audit.Filter{Action: string(audit.ApprovalDecide), Outcome: audit.OK, Since: held.Since}
	if err := s.audit.List(ctx, decisions, func(e audit.Entry) error {
		if v := verdict(e); v != 0 {
			c.Decided(e.Approval, whoDecided(e.Actor), v, e.At)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return c.Groups(s.now(), s.config.Lifetimes.Approval), nil
}

// whoDecided names a person: the one whom an operator named, beside the operator.
func whoDecided(a actor.Actor) string {
	if a.IsOperator() && a.As != "" {
		return fmt.Sprintf("%s (operator %s)", a.As, a.ID)
	}
	return a.String()
}

// verdict is what the entry of a decision says; 0: no decision.
func verdict(e audit.Entry) insights.Verdict {
	switch {
	case e.Decision == audit.Approve && authproxy.StillMissing(e):
		return insights.Partly
	case e.Decision == audit.Approve:
		return insights.Approved
	case e.Decision == audit.Deny:
		return insights.Denied
	case e.Decision == audit.Counter:
		return insights.Countered
	}
	return 0
}
