package mcpforward

import (
	"context"
	"fmt"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// entry is what every entry of this request says.
func (r *request) entry(action audit.Action, outcome audit.Outcome) audit.Entry {
	g := r.grant
	return audit.Entry{
		Actor: actor.User(g.Subject), Action: action, Outcome: outcome,
		Org: g.Org, Subject: g.Subject, Username: g.Username, Client: g.ClientID, Grant: g.ID, Server: r.name,
	}
}

// callEntry is an entry about a call that was judged.
func (c *call) callEntry(outcome audit.Outcome) audit.Entry {
	e := c.entry(c.action, outcome)
	e.Object, e.Tool = c.tool, c.tool
	e.Class, e.Decision, e.Rule = string(c.decision.Class), audit.Decision(c.decision.Effect), c.decision.Reason
	e.PolicyVersion, e.DefinitionHash = c.decision.Version, c.definition
	if c.decision.Shadow {
		e.Decision = e.Decision.InShadow()
	}
	if c.arguments != nil {
		e.ArgumentsDigest, e.Arguments = approval.Digest(c.arguments), []byte(c.arguments)
	}
	if c.approval != nil {
		e.Approval = c.approval.ID
	}
	return e
}

// recorded makes the call between its two entries: that it is about to be forwarded, without
// which it is not (D11), and how it ended, which is c.outcome once attempt returns.
func (c *call) recorded(attempt func() error) error {
	intent, err := c.Audit.Append(c.http.Context(), c.callEntry(audit.Intent))
	if err != nil {
		return unavailable("the call could not be recorded, so it was not made", err)
	}
	err = attempt()
	c.recordOutcome(intent)
	return err
}

// recordOutcome records how an intended call ended. The arguments are in the intent. Of a
// read nothing depends on that, so its client does not wait for the disk; see package audit.
func (c *call) recordOutcome(intent int64) {
	o := &c.outcome
	e := c.callEntry(o.recorded)
	e.Arguments = nil
	e.IntentSeq, e.Status, e.Reason = intent, o.status, o.reason
	e.Bytes, e.DurationMS = int64(len(o.result)), c.Now().Sub(c.started).Milliseconds()
	if c.reads() {
		ctx := context.WithoutCancel(c.http.Context())
		c.Audit.AppendLater(ctx, e, func(err error) { c.logLost(ctx, e, err) })
		return
	}
	c.record(e)
}

// recordDenied records a call that is answered without being forwarded.
func (c *call) recordDenied(reason string) {
	e := c.callEntry(audit.Denied)
	e.Reason = reason
	c.record(e)
}

// recordMalformed records a request that is not what the protocol has.
func (r *request) recordMalformed(how string) {
	if r.budgets.Of(r.user()).Allow() {
		e := r.entry(audit.RequestRefuse, audit.Denied)
		e.Reason = "malformed: " + how
		r.record(e)
	}
}

// recordLimited records a request that is refused for a limit, if it is not one of many.
func (r *request) recordLimited() {
	unrecorded, ok := r.budgets.Of(r.user()).RecordRefusal()
	if !ok {
		return
	}
	e := r.entry(audit.RequestRefuse, audit.Denied)
	e.Object = r.http.Method
	if r.msg != nil {
		e.Object = r.msg.Method
	}
	if e.Object == "tools/call" {
		if c, err := readToolCall(r); err == nil {
			e = c.callEntry(audit.Denied)
		}
	}
	e.Reason = "over a limit of calls"
	if unrecorded > 0 {
		e.Reason += fmt.Sprintf("; %d more were refused before without an entry", unrecorded)
	}
	r.record(e)
}

// record appends an entry about something that has happened already. It does not end
// with the client, and a failure changes nothing about what happened.
func (r *request) record(e audit.Entry) {
	ctx := context.WithoutCancel(r.http.Context())
	if _, err := r.Audit.Append(ctx, e); err != nil {
		r.logLost(ctx, e, err)
	}
}

// logLost says in the log what the audit log could not take.
func (r *request) logLost(ctx context.Context, e audit.Entry, err error) {
	r.Log.ErrorContext(ctx, "audit entry lost", "action", e.Action, "outcome", e.Outcome, "intent", e.IntentSeq, "error", err)
}
