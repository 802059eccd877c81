package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
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
	r, err := s.approvals.Get(cmd.Context(), args[0])
	if errors.Is(err, approval.ErrNotFound) {
		return noApproval(args[0])
	}
	if err != nil {
		return err
	}
	return printer(cmd).Approval(r)
}

func noApproval(id string) error {
	return fmt.Errorf("no approval %q: see 'approval list --all'", id)
}

func decideCommand(verb, short string, approve bool) *cobra.Command {
	named := func(cmd *cobra.Command, args []string) error {
		name, _ := cmd.Flags().GetString("as")
		if name == "" {
			return errors.New("--as NAME is required: the audit log names who decided")
		}
		if err := actor.CheckName(name); err != nil {
			return fmt.Errorf("--as: %w", err)
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
	jsonFlag(cmd)
	cmd.Flags().String("as", "", "who decides: a name for the audit log, beside that of the operator")
	return cmd
}

// decide takes an operator's decision, for the person that name says.
func (s *stores) decide(cmd *cobra.Command, id string, approve bool, name string) error {
	done := "denied"
	if approve {
		done = "approved"
	}
	r, err := s.newDecisions().Decide(cmd.Context(), approval.Decider{Actor: operator(name)}, id, approval.Choice{Approve: approve})
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return noApproval(id)
	case errors.Is(err, approval.ErrGone), errors.Is(err, approval.ErrAlready):
		return fmt.Errorf("%s is %s", id, r.State)
	case err != nil:
		return err
	}
	return report(cmd, done+" "+id, deed{Did: "approval " + cmd.Name(), Org: r.Org, Subject: r.Subject, Client: r.ClientID, Connection: r.GrantID, Approval: r.ID})
}
