package mcpforward

import (
	"context"
	"fmt"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// entry is what every entry of this request says.
func (x *exchange) entry(action, outcome string) audit.Entry {
	g := x.grant
	return audit.Entry{
		Actor: "user " + g.Subject, Action: action, Outcome: outcome,
		Org: g.Org, Subject: g.Subject, Username: g.Username, Client: g.ClientID, Grant: g.ID, Server: x.name,
	}
}

// callEntry is an entry about a call that was judged.
func (x *exchange) callEntry(c *call, outcome string) audit.Entry {
	e := x.entry(c.action, outcome)
	e.Object, e.Tool = c.tool, c.tool
	e.Class, e.Decision, e.Rule = string(c.decision.Class), string(c.decision.Effect), c.decision.Reason
	e.PolicyVersion, e.DefinitionHash = c.decision.Version, c.definition
	if c.decision.Shadow {
		e.Decision += " (shadow)"
	}
	if c.arguments != nil {
		e.ArgumentsDigest, e.Arguments = approval.Digest(c.arguments), []byte(c.arguments)
	}
	if c.approval != nil {
		e.Approval = c.approval.ID
	}
	return e
}

// intend records that the call is about to be forwarded. Without that it is not (D11).
func (x *exchange) intend(c *call) (seq int64, err error) {
	return x.Audit.Append(x.r.Context(), x.callEntry(c, audit.Intent))
}

// conclude records how an intended call ended. The arguments are in the intent. Of a read
// nothing depends on that, so its client does not wait for the disk; see package audit.
func (x *exchange) conclude(c *call, intent int64, end ending) {
	e := x.callEntry(c, end.outcome)
	e.Arguments = nil
	e.IntentSeq, e.Status, e.Reason = intent, end.status, end.reason
	e.Bytes, e.DurationMS = int64(len(end.result)), x.Now().Sub(x.started).Milliseconds()
	if c.reads() {
		ctx := context.WithoutCancel(x.r.Context())
		x.Audit.AppendLater(ctx, e, func(err error) { x.lost(ctx, e, err) })
		return
	}
	x.record(e)
}

// recordDenied records a call that is answered without being forwarded.
func (x *exchange) recordDenied(c *call, reason string) {
	e := x.callEntry(c, audit.Denied)
	e.Reason = reason
	x.record(e)
}

// recordLimited records a request that is refused for a limit, if it is not one of many.
func (x *exchange) recordLimited() {
	unrecorded, ok := x.budgets.Of(x.user()).RecordRefusal()
	if !ok {
		return
	}
	e := x.entry("request.refuse", audit.Denied)
	e.Object = x.r.Method
	if x.msg != nil {
		e.Object = x.msg.Method
	}
	if e.Object == "tools/call" {
		if c, fault := x.toolCall(); fault == nil {
			e = x.callEntry(c, audit.Denied)
		}
	}
	e.Reason = "over a limit of calls"
	if unrecorded > 0 {
		e.Reason += fmt.Sprintf("; %d more were refused before without an entry", unrecorded)
	}
	x.record(e)
}

// record appends an entry about something that has happened already. It does not end
// with the client, and a failure changes nothing about what happened.
func (x *exchange) record(e audit.Entry) {
	ctx := context.WithoutCancel(x.r.Context())
	if _, err := x.Audit.Append(ctx, e); err != nil {
		x.lost(ctx, e, err)
	}
}

// lost says in the log what the audit log could not take.
func (x *exchange) lost(ctx context.Context, e audit.Entry, err error) {
	x.Log.ErrorContext(ctx, "audit entry lost", "action", e.Action, "outcome", e.Outcome, "intent", e.IntentSeq, "error", err)
}

// stopped says why the kill switch refuses the call, or "". If its position is not
// known, everything is refused (D9).
func (x *exchange) stopped(c *call) string {
	mode, err := x.Access.StopMode(context.WithoutCancel(x.r.Context()))
	if err != nil {
		x.Log.ErrorContext(x.r.Context(), "kill switch cannot be read", "error", err)
	}
	switch {
	case mode == access.StopOff && err == nil:
		return ""
	case mode == access.StopWrites && err == nil && c.reads():
		return ""
	case mode == access.StopWrites && err == nil:
		return sayStopWrites
	}
	return sayStopAll
}
