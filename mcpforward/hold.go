package mcpforward

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// hold asks for the person that a call needs. It returns nil if none is needed, or if one
// has approved exactly this call and it can be forwarded.
func (c *call) hold() error {
	switch {
	case c.decision.Effect != policy.Confirm:
		return nil
	case !c.isTool(): // there is no result to carry the link
		c.recordDenied("only calls of tools can be held for a person")
		return answerText(textNoHold)
	}
	if c.decision.Reach.Unnamed { // until somebody agrees, and until the call is made, it may come to be another record
		c.recordDenied("the call does not name by its id each record that it writes to, or says what it sets")
		return answerText(textUnnamed)
	}
	if _, err := ui.Arguments(c.arguments); err != nil { // what nobody can read, nobody is asked
		c.recordDenied("the arguments are " + err.Error())
		return answerText(textUnreadable)
	}
	if err := c.submit(); err != nil {
		return err
	}
	if err := c.asking.awaitDecision(); err != nil { // wait.go
		return err
	}
	if c.approval.State != approval.Approved {
		return c.held(c.approval)
	}
	// An approval is not spent on a call that cannot be made.
	if _, err := c.target().Token(c.http.Context()); err != nil {
		return c.noToken(err)
	}
	return nil
}

// submit finds the approval request that exactly this call meets, with the tool as
// Salesforce lists it, and makes one if there is none.
func (c *call) submit() error {
	ctx := c.http.Context()
	if err := c.meaning.findNow(c.waiting); err != nil {
		return err
	}
	c.binding = approval.Binding{
		Org: c.grant.Org, Subject: c.grant.Subject, ClientID: c.grant.ClientID, GrantID: c.grant.ID,
		Server: c.server.Name, Tool: c.tool, DefinitionHash: c.definition, PolicyVersion: c.decision.Version, Arguments: c.arguments,
		Confirmation: c.decision.Confirmation, Rule: c.decision.Reason,
	}
	a, err := c.Approvals.Submit(ctx, c.binding, string(c.decision.Class))
	if many, ok := errors.AsType[*approval.TooManyError](err); ok {
		c.recordDenied("approval_flood: " + many.Error())
		return answerText(textForTooMany(many, c.Access.PublicURL()))
	}
	if err != nil {
		return unavailable("the call could not be submitted for approval, so it was not made", err)
	}
	c.approval = a
	return nil
}

// held records and answers a call whose approval is not given, or was spent.
func (c *call) held(a *approval.Request) error {
	answer, err := c.approvalAnswer(a)
	e := c.callEntry(audit.Held)
	switch a.State {
	case approval.Denied:
		e.Outcome, e.Reason = audit.Denied, "denied by a person"
	case approval.Countered:
		e.Outcome, e.Reason = audit.Denied, "a person proposed another call in its place"
	case approval.Spent:
		found := c.recordsAgain(a)
		e.Outcome, e.Reason = audit.Repeated, repeatReason(a)
		if err := c.outside.noteRepeat(c.http.Context(), a, found); err != nil { // outside.go
			e.Reason += "; that the answer holds outside text could not be noted, so it is withheld from the client"
			c.Audit.Record(c.http.Context(), e)
			return answerText(textUnnoted)
		}
		e.AnswerDigest = answerDigest(answer)
		e.Rows, e.Records, e.RecordsTotal = said(found)
	}
	c.Audit.Record(c.http.Context(), e)
	if err != nil {
		return err
	}
	return &notApproved{a, answer}
}

// repeatReason says in the log what is known of the call that one repeats.
func repeatReason(a *approval.Request) string {
	switch a.Outcome {
	case approval.Done:
		return "was carried out before"
	case approval.Failed:
		return "was sent before, and Salesforce did not carry it out"
	case approval.Unknown:
		return "was sent before, and it is not known whether it was carried out"
	}
	return "is being made, or how it ended was not recorded"
}

// approvalAnswer is what a call is answered with that does not pass for its request: a result,
// or an error that asks the client to open the page.
func (c *call) approvalAnswer(a *approval.Request) (jsontext.Value, error) {
	if c.asking.isAskedToOpen(a) {
		return c.asking.askToOpen(a)
	}
	o, err := jsonrpc.ParseObject(approvalResult(a, c.asking.address(a)))
	if err != nil {
		return nil, err
	}
	meta, _ := o.Object("_meta")
	if r := remediation(a); r != "" {
		c.asking.setDenial(&meta, r, a.ID, "")
		o.Set("_meta", meta.Encode())
	}
	return c.passed(o.Encode()), nil
}

// spend takes the approval, if one is needed, for this one call. When a repeat of the
// call was faster, it has the approval, and this one is answered from the record. When the record
// is not any more what those who agreed saw, the call waits again.
func (c *call) spend(ctx context.Context) error {
	if c.approval == nil {
		return nil
	}
	a, err := c.Approvals.SpendShown(ctx, c.binding, c.shown)
	if err == nil {
		c.approval = a
		return nil
	}
	c.outcome = notForwarded("the approval could not be spent")
	switch {
	case errors.Is(err, approval.ErrUnread):
		c.outcome = notForwarded("whether the record is still what was shown could not be read")
		return answerText(textUnseen)
	case errors.Is(err, approval.ErrInDoubt):
		c.outcome = notForwarded("whether the approval was spent is not known, because the database did not answer")
		return unavailable("whether the approval was spent is not known, and the call was not made", err)
	case !errors.Is(err, approval.ErrNotApproved):
		return unavailable("the approval could not be spent, so the call was not made", err)
	case errors.Is(err, approval.ErrLapsed):
		c.outcome = notForwarded("somebody who agreed may no longer do so, or signed in with the company too long ago")
	case errors.Is(err, approval.ErrChanged):
		c.outcome = notForwarded("the record is not any more what those who agreed saw")
	}
	if a, err = c.Approvals.Submit(ctx, c.binding, string(c.decision.Class)); err != nil {
		return unavailable("the approval is gone, so the call was not made", err)
	}
	if a.State == approval.Approved { // it was given back in this instant
		return answerText(textAgain)
	}
	return c.held(a)
}

// notSettled is what an entry says of a call whose approval does not say how it ended.
const notSettled = "how it ended could not be recorded with its approval"

// settleApproval records with the approval how its call ended, and for the entry that it was given back, or that
// this was not recorded.
func (c *call) settleApproval() {
	if c.approval == nil {
		return
	}
	ctx := context.WithoutCancel(c.http.Context())
	var err error
	if c.outcome.approval == "" {
		c.settled = approval.GivenBack
		err = c.Approvals.Unspend(ctx, c.approval.ID)
	} else {
		err = c.Approvals.Settle(ctx, c.approval.ID, c.outcome.approval, c.outcome.result)
	}
	if err != nil {
		c.settled = notSettled
		c.Log.ErrorContext(ctx, "how an approved call ended was not recorded with its approval",
			"approval", c.approval.ID, "outcome", c.outcome.recorded, "error", err)
	}
}

// noToken answers a call that was not made for want of a Salesforce token.
func (c *call) noToken(err error) error {
	kind := upstream.Unavailable
	if errors.Is(err, upstream.ErrLoginLost) {
		kind = upstream.LoginLost
	}
	c.recordDenied("no salesforce token: " + kind.String())
	return c.undelivered(&upstream.Error{Kind: kind, Reason: "no token", Err: err})
}
