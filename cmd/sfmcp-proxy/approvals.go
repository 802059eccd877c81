package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

func approvalCommand() *cobra.Command {
	list := withCutoff(&cobra.Command{Use: "list", Short: "Write calls that wait for a person", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			filter := approval.Filter{State: approval.Pending}
			if all, _ := cmd.Flags().GetBool("all"); all {
				filter.State = ""
			}
			requests, err := s.approvals.List(cmd.Context(), filter)
			if err != nil {
				return err
			}
			if n, err := s.approvals.Count(cmd.Context(), filter); err == nil && n > len(requests) && len(requests) == approval.MostListed {
				fmt.Fprintf(cmd.ErrOrStderr(), "only the newest %d of %d\n", len(requests), n)
			}
			return printer(cmd).Approvals(requests)
		})
	list.Flags().Bool("all", false, "include decided and expired ones")
	jsonFlag(list)
	show := withCutoff(&cobra.Command{Use: "show APPROVAL", Short: "One call with all its arguments", Args: usageArgs(cobra.ExactArgs(1))}, showApproval)
	jsonFlag(show)
	return group("approval", "Write calls waiting for a person", list, show,
		decideCommand("approve", "Let exactly this call pass, once", true),
		decideCommand("deny", "Refuse this call", false), counterCommand(), insightsCommand(), approvalEvidenceCommand(), approvalExportCommand(), approvalResolveCommand())
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

const whoIsNamed = `A name after --as that is somebody's Salesforce username or user id, or their name, e-mail address or subject
at the company, is that human: they count once, on pages and here, and not for a call of their own, or one
that they proposed. Any other name is a human of its own, and nothing tells whether somebody who is known
agreed by it before: name people by their e-mail address.`

func decideCommand(verb, short string, approve bool) *cobra.Command {
	cmd := onStoresFor(!approve)(&cobra.Command{Use: verb + " APPROVAL --as NAME", Short: short, Long: short + ".\n\n" + whoIsNamed, Args: usageArgs(named)},
		func(s *stores, cmd *cobra.Command, args []string) error {
			choice := approval.Choice{Approve: approve}
			by, err := decider(cmd)
			if err != nil {
				return err
			}
			if approve {
				choice.Role, err = cmd.Flags().GetString("role")
			} else {
				choice.Reason = reasonOf(cmd)
			}
			if err != nil {
				return err
			}
			if choice.Role != "" {
				by.Roles = []string{choice.Role}
			}
			if together, _ := cmd.Flags().GetBool("together"); together {
				return s.decideTogether(cmd, args[0], by, choice)
			}
			return s.decide(cmd, args[0], by, choice)
		})
	jsonFlag(cmd)
	cmd.Flags().String("as", "", "who decides: a name for the audit log, beside that of the operator")
	cmd.Flags().Bool("together", false, "with it all calls of its connection that wait, where their rule says group: true")
	if approve {
		cmd.Flags().String("role", "", "the role for which that person agrees, where more than one is missing")
	} else {
		reasonFlagFor(cmd, actor.ForDenial, "why, for the client, in that person's own words", "")
	}
	return cmd
}

// counterCommand proposes the same call with other values.
func counterCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "counter APPROVAL --as NAME --arguments JSON", Args: usageArgs(named),
		Short: "Propose the same call with other values in its arguments, in the place of this one",
		Long:  "Propose the same call with other values in its arguments, in the place of this one.\n\n" + whoIsNamed,
	}, func(s *stores, cmd *cobra.Command, args []string) error {
		by, err := decider(cmd)
		if err != nil {
			return err
		}
		arguments, err := jsonObject(cmd.Flag("arguments").Value.String())
		if err != nil {
			return usageError{fmt.Errorf("--arguments: %w, all arguments of the call as 'approval show' prints them; nothing was done", err)}
		}
		r, err := s.newDecisions().Counter(cmd.Context(), by, args[0], arguments)
		if err != nil {
			return undecided(args[0], r, err)
		}
		return report(cmd, "proposed "+r.ID+" in the place of "+args[0], approvalDeed(cmd, r))
	})
	jsonFlag(cmd)
	cmd.Flags().String("as", "", "who proposes it: a name for the audit log, beside that of the operator")
	cmd.Flags().String("arguments", "", "all arguments of the call, as 'approval show' prints them, with other values")
	return cmd
}

// named refuses a decision of which nobody would know whose it is.
func named(cmd *cobra.Command, args []string) error {
	name, _ := cmd.Flags().GetString("as")
	if name == "" {
		return errors.New("--as NAME is required: the audit log names who decided")
	}
	if err := actor.CheckName(name); err != nil {
		return fmt.Errorf("--as: %w", err)
	}
	return cobra.ExactArgs(1)(cmd, args)
}

// decider is the operator, for the person whom --as names.
func decider(cmd *cobra.Command) (approval.Decider, error) {
	name, err := cmd.Flags().GetString("as")
	return approval.Decider{Actor: operator(name)}, err
}

// decide takes an operator's decision, for the person whom by names.
func (s *stores) decide(cmd *cobra.Command, id string, by approval.Decider, choice approval.Choice) error {
	r, err := s.newDecisions().Decide(cmd.Context(), by, id, choice)
	if !audit.TookEffect(err) {
		return undecided(id, r, err)
	}
	return reportAct(cmd, err, decided(r, choice), approvalDeed(cmd, r))
}

// decideTogether takes one decision about a call and those that wait beside it.
func (s *stores) decideTogether(cmd *cobra.Command, id string, by approval.Decider, choice approval.Choice) error {
	decisions := s.newDecisions()
	r, _, err := decisions.See(cmd.Context(), by, id)
	if err != nil {
		return undecided(id, r, err)
	}
	group, err := s.approvals.Together(cmd.Context(), r)
	if err != nil {
		return err
	}
	if group == nil {
		return fmt.Errorf("%s is decided alone: it is %s, and its rule says no group: true, or it is of the class %s", id, r.State, r.Class)
	}
	ids := make([]string, len(group))
	for i := range group {
		ids[i] = group[i].ID
	}
	all, err := decisions.DecideTogether(cmd.Context(), by, ids, choice)
	if err != nil {
		return err
	}
	var failed []error
	for i, one := range all {
		if !audit.TookEffect(one.Err) {
			failed = append(failed, undecided(ids[i], one.Request, one.Err))
			continue
		}
		failed = append(failed, reportAct(cmd, one.Err, decided(one.Request, choice), approvalDeed(cmd, one.Request)))
	}
	return errors.Join(failed...)
}

// decided says what a choice did.
func decided(r *approval.Request, choice approval.Choice) string {
	switch {
	case !choice.Approve:
		return "denied " + r.ID
	case r.State == approval.Pending:
		return "noted for " + r.ID + ", which still needs " + r.WhoIsMissing()
	}
	return "approved " + r.ID
}

func approvalDeed(cmd *cobra.Command, r *approval.Request) deed {
	return deed{Did: "approval " + cmd.Name(), Org: r.Org, Subject: r.Subject, Client: r.ClientID, Connection: r.GrantID, Approval: r.ID}
}

// undecided says why a decision was not taken, and what can be done.
func undecided(id string, r *approval.Request, err error) error {
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return noApproval(id)
	case errors.Is(err, approval.ErrAlready) && r != nil && r.State == approval.Pending:
		return fmt.Errorf("%s: that person agreed before, or as many as that role needs; it still needs %s", id, r.WhoIsMissing())
	case errors.Is(err, approval.ErrGone), errors.Is(err, approval.ErrAlready), errors.Is(err, approval.ErrNotApprover) && r.State != approval.Pending:
		return fmt.Errorf("%s is %s", id, r.State)
	case errors.Is(err, approval.ErrNotApprover):
		return fmt.Errorf("%s: %w; it needs %s, see --role", id, err, r.WhoIsMissing())
	}
	return err
}
