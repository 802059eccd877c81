package authproxy

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
)

// Decisions takes the decisions of people about calls that wait for one: for the pages and
// for the command line. Who may decide, in which order a decision takes effect and is
// recorded, and what its entries say stands here and nowhere else.
//
// What gives access is recorded first: an approval that cannot be recorded is not given.
// What takes it away takes effect first: nothing may stand in the way of a denial. A
// decision that comes too late, or from somebody who may not decide, is recorded as denied.
type Decisions struct {
	Approvals *approval.Store
	Grants    *grant.Store // knows the requester's username, for people who read the log
	Audit     *audit.Log
}

// Decide takes the choice of a person about that request: to let exactly its call pass, once,
// or to refuse it. Errors: [approval.ErrNotFound], also for a request that by may not know of;
// and, then the request is returned as well, [approval.ErrNotApprover], [approval.ErrStepUp],
// [approval.ErrAlready] if it was decided so, [approval.ErrGone] if it was decided otherwise or
// is over; [approval.ErrReason].
func (d *Decisions) Decide(ctx context.Context, by approval.Decider, id string, choice approval.Choice) (*approval.Request, error) {
	if choice.Approve {
		return d.approve(ctx, by, id)
	}
	if _, err := approval.CleanReason(choice.Reason); err != nil {
		return nil, err
	}
	return d.deny(ctx, by, id)
}

// approve lets the call pass, once.
func (d *Decisions) approve(ctx context.Context, by approval.Decider, id string) (*approval.Request, error) {
	r, err := d.open(ctx, by, id, audit.Approve)
	if err != nil {
		return r, err
	}
	err = d.Audit.Call(ctx, d.entry(ctx, by, r, audit.Approve), func(ctx context.Context) (audit.Result, error) {
		// From here on whoever hangs up must not leave intent and effect apart.
		decided, err := d.Approvals.Decide(context.WithoutCancel(ctx), id, true, by.Actor)
		switch {
		case decided != nil && errors.Is(err, approval.ErrGone): // time or another decision was faster
			r = decided
			return audit.Result{Outcome: audit.Denied, Reason: goneReason(r)}, tooLate(r, audit.Approve)
		case err != nil:
			return audit.Result{Reason: "not approved"}, err
		}
		r = decided
		return audit.Result{}, nil
	})
	return r, err
}

// deny refuses the call.
func (d *Decisions) deny(ctx context.Context, by approval.Decider, id string) (*approval.Request, error) {
	r, err := d.open(ctx, by, id, audit.Deny)
	if err != nil {
		return r, err
	}
	ctx = context.WithoutCancel(ctx)
	denied, err := d.Approvals.Decide(ctx, id, false, by.Actor)
	if denied != nil && errors.Is(err, approval.ErrGone) {
		return denied, d.refuse(ctx, by, denied, audit.Deny, goneReason(denied), tooLate(denied, audit.Deny))
	}
	if err != nil {
		return r, err
	}
	e := d.entry(ctx, by, denied, audit.Deny)
	e.Outcome = audit.OK
	_, err = d.Audit.Append(ctx, e)
	return denied, err
}

// open returns the request if by may decide it and it is still open.
func (d *Decisions) open(ctx context.Context, by approval.Decider, id string, what audit.Decision) (*approval.Request, error) {
	r, err := d.Approvals.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	switch err := mayDecide(by, r); {
	case errors.Is(err, approval.ErrNotFound):
		return nil, err
	case err != nil:
		return r, d.refuse(ctx, by, r, what, "approvers are "+string(r.Approvers), err)
	}
	if r.State == approval.Pending {
		return r, nil
	}
	return r, d.refuse(ctx, by, r, what, goneReason(r), tooLate(r, what))
}

// mayDecide says whether by may decide about r. An operator may: who runs commands on the
// database could do so without us. A user may decide what they asked for themselves, where
// its policy leaves it to the requester; of other calls they do not even learn.
func mayDecide(by approval.Decider, r *approval.Request) error {
	switch {
	case by.Actor.IsOperator():
		return nil
	case by.Actor != actor.User(r.Subject) || by.Org != r.Org:
		return approval.ErrNotFound
	case !r.OfRequester():
		return approval.ErrNotApprover
	}
	return nil
}

// tooLate is the error of a decision about a request that is not open any more. The same
// decision again, from a second click, is no fault.
func tooLate(r *approval.Request, what audit.Decision) error {
	approved := r.State == approval.Approved || r.State == approval.Spent
	if what == audit.Approve && approved || what == audit.Deny && r.State == approval.Denied {
		return approval.ErrAlready
	}
	return approval.ErrGone
}

func goneReason(r *approval.Request) string { return "approval_" + string(r.State) }

// refuse records a decision that does not count and returns why. What was decided so
// already is on record.
func (d *Decisions) refuse(ctx context.Context, by approval.Decider, r *approval.Request, what audit.Decision, reason string, why error) error {
	if errors.Is(why, approval.ErrAlready) {
		return why
	}
	e := d.entry(ctx, by, r, what)
	e.Outcome, e.Reason = audit.Denied, reason
	if _, err := d.Audit.Append(ctx, e); err != nil {
		return err
	}
	return why
}

// entry leaves source and request id to the log, which takes them from the context.
func (d *Decisions) entry(ctx context.Context, by approval.Decider, r *approval.Request, what audit.Decision) audit.Entry {
	return audit.Entry{
		Actor: by.Actor, Action: audit.ApprovalDecide, Object: r.ID, Decision: what,
		Org: r.Org, Subject: r.Subject, Username: usernameOf(ctx, d.Grants, r.Org, r.Subject), Client: r.ClientID, Grant: r.GrantID,
		Server: r.Server, Tool: r.Tool, Class: r.Class, Approval: r.ID,
		ArgumentsDigest: r.ArgumentsDigest, DefinitionHash: r.DefinitionHash, PolicyVersion: r.PolicyVersion,
	}
}

// usernameOf is for people who read the log; "" when it is not known.
func usernameOf(ctx context.Context, grants *grant.Store, org, subject string) string {
	u, err := grants.User(ctx, org, subject)
	if err != nil {
		return ""
	}
	return u.Username
}
