package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// decide takes the viewer's decision about one of their own calls.
func (c *Console) decide(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	decision := v.form.Get("decision")
	if decision != "approve" && decision != "deny" {
		return errDecision
	}
	if !ownDecision(a) {
		return c.refuse(r.Context(), v, a, decision, errOtherApprover)
	}
	if a.State != approval.Pending {
		return c.tooLate(w, r, v, a, decision)
	}
	if decision == "approve" {
		a, err = c.approve(r.Context(), v, a)
	} else {
		a, err = c.deny(r.Context(), v, a)
	}
	if errors.Is(err, approval.ErrGone) && a != nil {
		return c.tooLate(w, r, v, a, decision) // time or another tab was faster
	}
	if err != nil {
		return err
	}
	c.result(w, r, a)
	return nil
}

// approve records the decision before it takes effect: whatever gives access is in
// the log first, or is not given.
func (c *Console) approve(ctx context.Context, v *visit, a *approval.Request) (*approval.Request, error) {
	e := entry(v, a, audit.Approve, audit.Intent)
	seq, err := c.Audit.Append(ctx, e)
	if err != nil {
		return nil, err
	}
	// From here on the person's closed tab must not leave the two apart.
	ctx = context.WithoutCancel(ctx)
	decided, err := c.Approvals.Decide(ctx, a.ID, true, actor.User(v.session.Subject).String())
	e.IntentSeq, e.Outcome = seq, audit.OK
	if err != nil {
		e.Outcome, e.Reason = audit.Failed, "not approved"
	}
	if _, failure := c.Audit.Append(ctx, e); failure != nil {
		// The intent is on record, and that is what must not be missing.
		c.Log.ErrorContext(ctx, "outcome of an approval not recorded", "approval", a.ID, "intent", seq, "error", failure)
	}
	return decided, err
}

// deny takes the decision first: it takes access away, and nothing may stand in its way.
func (c *Console) deny(ctx context.Context, v *visit, a *approval.Request) (*approval.Request, error) {
	ctx = context.WithoutCancel(ctx)
	denied, err := c.Approvals.Decide(ctx, a.ID, false, actor.User(v.session.Subject).String())
	if err != nil {
		return denied, err
	}
	if _, err := c.Audit.Append(ctx, entry(v, a, audit.Deny, audit.OK)); err != nil {
		return nil, err
	}
	return denied, nil
}

// tooLate answers a decision about what is decided, expired or void. The same
// decision again, from a second click, is no fault.
func (c *Console) tooLate(w http.ResponseWriter, r *http.Request, v *visit, a *approval.Request, decision string) error {
	approved := a.State == approval.Approved || a.State == approval.Spent
	if decision == "approve" && approved || decision == "deny" && a.State == approval.Denied {
		c.result(w, r, a)
		return nil
	}
	e := entry(v, a, audit.Decision(decision), audit.Denied)
	e.Reason = "approval_" + string(a.State)
	if _, err := c.Audit.Append(r.Context(), e); err != nil {
		return err
	}
	return c.show(w, r, http.StatusGone, v, a)
}

// refuse records a decision that the viewer may not take.
func (c *Console) refuse(ctx context.Context, v *visit, a *approval.Request, decision string, why *problem) error {
	e := entry(v, a, audit.Decision(decision), audit.Denied)
	e.Reason = "approvers are " + a.Approvers
	if _, err := c.Audit.Append(ctx, e); err != nil {
		return err
	}
	return why
}

// result shows the page by a GET, so that reloading it does not post again.
func (c *Console) result(w http.ResponseWriter, r *http.Request, a *approval.Request) {
	http.Redirect(w, r, "/approvals/"+a.ID, http.StatusSeeOther)
}

// entry leaves source and request id to the log, which takes them from the context.
func entry(v *visit, a *approval.Request, decision audit.Decision, outcome audit.Outcome) audit.Entry {
	return audit.Entry{
		Actor: actor.User(v.session.Subject), Action: audit.ApprovalDecide, Object: a.ID, Outcome: outcome,
		Org: a.Org, Subject: a.Subject, Username: v.viewer.Username, Client: a.ClientID, Grant: a.GrantID,
		Server: a.Server, Tool: a.Tool, Class: a.Class, Decision: decision, Approval: a.ID,
		ArgumentsDigest: a.ArgumentsDigest, DefinitionHash: a.DefinitionHash, PolicyVersion: a.PolicyVersion,
	}
}
