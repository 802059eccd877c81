package main

import (
	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
)

func insightsCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{
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
	var filter audit.Filter
	if err := setTimes(&filter, cmd.Flag("since").Value.String(), cmd.Flag("until").Value.String(), s.now()); err != nil {
		return usageError{err}
	}
	reads, err := s.newReads()
	if err != nil {
		return err
	}
	groups, _, err := reads.Insights(cmd.Context(), filter)
	if err != nil {
		return err
	}
	return printer(cmd).Insights(groups)
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
