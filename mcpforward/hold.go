package mcpforward

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/upstream"
)

// hold asks for the person that a call needs. It reports true if one has approved
// exactly this call and it can be forwarded; otherwise it has answered.
func (x *exchange) hold(c *call) (approved bool, err error) {
	ctx := x.r.Context()
	if c.decision.Quorum > 1 { // one decision is all that a request can hold: less than asked for must not do
		x.recordDenied(c, "more than one approver is required, which is not supported")
		return false, x.tell(sayNoQuorum)
	}
	r, err := x.ask(c)
	if r == nil {
		return false, err
	}
	if r.State == approval.Approved {
		// The person agreed to the tool as it was listed then. What Salesforce lists at this
		// moment must be the same, or the call is another one and needs its own approval.
		x.Pool.Relist(x.target())
		if r, err = x.ask(c); r == nil {
			return false, err
		}
	}
	if r.State != approval.Approved {
		return false, x.held(c, r)
	}
	// An approval is not spent on a call that cannot be made.
	if _, err := x.target().Token(ctx); err != nil {
		return false, x.noToken(c, err)
	}
	return true, nil
}

// ask returns the approval request that exactly this call meets, with the tool as
// Salesforce lists it. It returns nil when it has answered.
func (x *exchange) ask(c *call) (*approval.Request, error) {
	ctx := x.r.Context()
	_, hash, err := x.Pool.Tool(ctx, x.target(), c.tool)
	if errors.Is(err, upstream.ErrNoTool) {
		x.recordDenied(c, "salesforce does not list the tool")
		return nil, x.answer(unknown(x.msg, c.tool))
	}
	if err != nil {
		return nil, x.noCall(c, err)
	}
	c.definition = hash
	c.binding = approval.Binding{
		Org: x.grant.Org, Subject: x.grant.Subject, ClientID: x.grant.ClientID, GrantID: x.grant.ID,
		Server: x.server.Name, Tool: c.tool, DefinitionHash: hash, PolicyVersion: c.decision.Version, Arguments: c.arguments,
	}
	r, err := x.Approvals.Submit(ctx, c.binding, string(c.decision.Class), c.decision.Approvers)
	if errors.Is(err, approval.ErrTooMany) {
		x.recordDenied(c, "too many approvals are pending")
		return nil, x.tell(sayTooMany)
	}
	if err != nil {
		return nil, unavailable("the call could not be submitted for approval, so it was not made", err)
	}
	c.approval, c.binding.Role = r, r.Role
	return r, nil
}

// held answers a call that is not approved, or was spent.
func (x *exchange) held(c *call, r *approval.Request) error {
	e := x.callEntry(c, audit.Held)
	switch r.State {
	case approval.Denied:
		e.Outcome, e.Reason = audit.Denied, "denied by a person"
	case approval.Spent:
		e.Outcome, e.Reason = audit.Repeated, "was carried out before: "+string(r.Outcome)
	}
	x.record(e)
	return x.result(approvalResult(r, x.Access.PublicURL()+"/approvals/"+r.ID))
}

// spend takes the approval for this one call. When a repeat of the call was faster,
// it has the approval, and this one is answered from the record.
func (x *exchange) spend(ctx context.Context, c *call, intent int64) (spent bool, err error) {
	r, err := x.Approvals.Spend(ctx, c.binding)
	if err == nil {
		c.approval = r
		return true, nil
	}
	x.conclude(c, intent, ending{outcome: audit.Denied, reason: "the approval could not be spent"})
	if !errors.Is(err, approval.ErrNotApproved) {
		return false, unavailable("the approval could not be spent, so the call was not made", err)
	}
	r, err = x.Approvals.Submit(ctx, c.binding, string(c.decision.Class), c.decision.Approvers)
	if err != nil {
		return false, unavailable("the approval is gone, so the call was not made", err)
	}
	if r.State == approval.Approved { // it was given back in this instant
		return false, x.tell(sayAgain)
	}
	return false, x.held(c, r)
}

// settle records with the approval how its call ended.
func (x *exchange) settle(c *call, end ending) {
	if c.approval == nil {
		return
	}
	ctx := context.WithoutCancel(x.r.Context())
	var err error
	if end.settled == "" {
		err = x.Approvals.Unspend(ctx, c.approval.ID)
	} else {
		err = x.Approvals.Settle(ctx, c.approval.ID, end.settled, end.result)
	}
	if err != nil {
		x.Log.ErrorContext(ctx, "how an approved call ended was not recorded with its approval",
			"approval", c.approval.ID, "outcome", end.outcome, "error", err)
	}
}

// noCall answers a call that was not made because Salesforce could not be asked
// about its tool.
func (x *exchange) noCall(c *call, err error) error {
	end := lostEnding(ending{}, err)
	end.err.MayHaveHappened = false // only a list was asked for
	x.recordDenied(c, "tool definition: "+end.reason)
	return x.undelivered(c, end.err)
}

// noToken answers a call that was not made for want of a Salesforce token.
func (x *exchange) noToken(c *call, err error) error {
	kind := upstream.Unavailable
	if errors.Is(err, upstream.ErrLoginLost) {
		kind = upstream.LoginLost
	}
	x.recordDenied(c, "no salesforce token: "+kind.String())
	return x.undelivered(c, &upstream.Error{Kind: kind, Reason: "no token", Err: err})
}
