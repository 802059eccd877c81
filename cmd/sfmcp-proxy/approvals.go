package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

func approvalCommand() *cobra.Command {
	list := withStores(&cobra.Command{Use: "list", Short: "Write calls that wait for a person", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			filter := approval.Filter{State: approval.Pending}
			if all, _ := cmd.Flags().GetBool("all"); all {
				filter.State = ""
			}
			requests, err := s.approvals.List(cmd.Context(), filter)
			if err != nil {
				return err
			}
			return printer(cmd).Approvals(requests)
		})
	list.Flags().Bool("all", false, "include decided and expired ones")
	jsonFlag(list)
	show := withStores(&cobra.Command{Use: "show APPROVAL", Short: "One call with all its arguments", Args: usageArgs(cobra.ExactArgs(1))}, showApproval)
	jsonFlag(show)
	return group("approval", "Write calls waiting for a person", list, show,
		decideCommand("approve", "Let exactly this call pass, once", true),
		decideCommand("deny", "Refuse this call", false))
}

func showApproval(s *stores, cmd *cobra.Command, args []string) error {
	r, err := s.findApproval(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	return printer(cmd).Approval(r)
}

func (s *stores) findApproval(ctx context.Context, id string) (*approval.Request, error) {
	r, err := s.approvals.Get(ctx, id)
	if errors.Is(err, approval.ErrNotFound) {
		return nil, fmt.Errorf("no approval %q: see 'approval list --all'", id)
	}
	return r, err
}

func decideCommand(verb, short string, approve bool) *cobra.Command {
	named := func(cmd *cobra.Command, args []string) error {
		if name, _ := cmd.Flags().GetString("as"); name == "" {
			return errors.New("--as NAME is required: the audit log names who decided")
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
	cmd := withStores(&cobra.Command{Use: verb + " APPROVAL --as NAME", Short: short, Args: usageArgs(named)},
		func(s *stores, cmd *cobra.Command, args []string) error {
			name, err := cmd.Flags().GetString("as")
			if err != nil {
				return err
			}
			return s.decide(cmd, args[0], approve, name)
		})
	cmd.Flags().String("as", "", "who decides, for the audit log")
	return cmd
}

// decide records an approval before it takes effect, and a denial after: what gives
// access must not happen unrecorded, what takes it away must not wait.
func (s *stores) decide(cmd *cobra.Command, id string, approve bool, name string) error {
	ctx := cmd.Context()
	r, err := s.findApproval(ctx, id)
	if err != nil {
		return err
	}
	verdict, decision := "denied", audit.Deny
	if approve {
		verdict, decision = "approved", audit.Approve
	}
	entry := audit.Entry{
		Actor: operator(name), Action: audit.ApprovalDecide, Object: id, Outcome: audit.OK, Decision: decision,
		Org: r.Org, Subject: r.Subject, Client: r.ClientID, Grant: r.GrantID, Server: r.Server, Tool: r.Tool, Class: r.Class,
		Approval: id, ArgumentsDigest: r.ArgumentsDigest, DefinitionHash: r.DefinitionHash, PolicyVersion: r.PolicyVersion,
	}
	record := func() error { _, err := s.audit.Append(ctx, entry); return err }
	if approve {
		if r.State != approval.Pending {
			return fmt.Errorf("%s is %s", id, r.State)
		}
		if err := record(); err != nil {
			return err
		}
	}
	after, err := s.approvals.Decide(ctx, id, approve, name)
	if err != nil && approve { // what was recorded has not happened
		entry.Outcome, entry.Reason = audit.Failed, "not approved"
		err = errors.Join(err, record())
	}
	if errors.Is(err, approval.ErrGone) {
		return fmt.Errorf("%s is %s", id, after.State)
	} else if err != nil {
		return err
	}
	if !approve {
		if err := record(); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", verdict, id)
	return err
}
