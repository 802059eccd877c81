package mcpforward

import (
	"context"
	"errors"
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
// which it is not (D11), and how it ended, which is c.outcome once attempt returns. Of a
// read nothing depends on the latter, so its client does not wait for the disk; see
// [audit.Log.Call].
func (c *call) recorded(attempt func() error) error {
	err := c.Audit.Call(c.http.Context(), c.callEntry(audit.Intent), func(context.Context) (audit.Result, error) {
		err := attempt()
		o := &c.outcome
		return audit.Result{Outcome: o.recorded, Status: o.status, Reason: o.reason,
			Bytes: int64(len(o.result)), Duration: c.Now().Sub(c.started)}, err
	})
	if errors.Is(err, audit.ErrNoIntent) {
		return unavailable("the call could not be recorded, so it was not made", err)
	}
	return err
}

// recordDenied records a call that is answered without being forwarded.
func (c *call) recordDenied(reason string) {
	e := c.callEntry(audit.Denied)
	e.Reason = reason
	c.Audit.Record(c.http.Context(), e)
}

// recordMalformed records a request that is not what the protocol has.
func (r *request) recordMalformed(how string) {
	if r.budgets.Of(r.user()).Allow() {
		e := r.entry(audit.RequestRefuse, audit.Denied)
		e.Reason = "malformed: " + how
		r.Audit.Record(r.http.Context(), e)
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
	r.Audit.Record(r.http.Context(), e)
}
