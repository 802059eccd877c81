package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
)

// approvalResolveCommand says whether a call was carried out whose answer was lost.
func approvalResolveCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "resolve APPROVAL --as NAME --happened yes|no --reason TEXT", Short: "Say whether a call was carried out whose answer was lost",
		Long: `resolve records what a person found out in Salesforce about a call that was sent and whose answer was
lost: the page of the call has the query that tells it. The call is not sent again, whatever is said.`,
		Args: usageArgs(named)}, approvalResolve)
	jsonFlag(cmd)
	cmd.Flags().String("as", "", "who says it: a name for the audit log, beside that of the operator")
	cmd.Flags().String("happened", "", "yes: Salesforce carried it out; no: it did not")
	reasonFlagFor(cmd, actor.ForDecision, "how that person knows", "")
	return cmd
}

func approvalResolve(s *stores, cmd *cobra.Command, args []string) error {
	by, err := decider(cmd)
	if err != nil {
		return err
	}
	happened := approval.Happened(cmd.Flag("happened").Value.String())
	if happened != approval.DidHappen && happened != approval.DidNotHappen {
		return usageError{fmt.Errorf("--happened: expected %s or %s, found %q", approval.DidHappen, approval.DidNotHappen, string(happened))}
	}
	r, err := s.newDecisions().Resolve(cmd.Context(), by, args[0], happened, reasonOf(cmd))
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return noApproval(args[0])
	case errors.Is(err, actor.ErrReason):
		return usageError{fmt.Errorf("--reason TEXT, how that person knows: %w", err)}
	case errors.Is(err, approval.ErrNotUnknown) && r != nil && r.Check != nil && r.Check.Happened != "":
		return fmt.Errorf("%s says already: happened %s", r.Check.ResolvedBy, r.Check.Happened)
	case errors.Is(err, approval.ErrNotUnknown):
		return fmt.Errorf("%s: its outcome is known, or it was not sent, or less than an hour ago without an answer yet; see 'approval show'", args[0])
	case r == nil:
		return err
	}
	return reportAct(cmd, err, "noted for "+r.ID+": happened "+string(happened), approvalDeed(cmd, r))
}
