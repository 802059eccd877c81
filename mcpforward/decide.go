package mcpforward

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
)

// decide asks the policy and the kill switch whether the call may pass. What is hidden is
// answered as if it did not exist. Only allow and confirm pass; an effect that is neither
// denies.
func (c *call) decide() error {
	c.decision = c.judgeDescribed() // describe.go
	d := c.decision
	passes := d.Effect == policy.Allow || d.Effect == policy.Confirm
	switch stop := c.stopped(c.reads()); {
	case d.Hidden && !passes:
		c.recordDenied(d.Reason)
		return c.noSuchName()
	case !passes:
		c.recordDenied(d.Reason)
		return answerText(d.Text)
	case stop != "":
		c.recordDenied("stopped by the kill switch")
		return answerText(stop)
	}
	return c.obligations.rewrite() // rewrite.go
}

// judge asks the policy. A list is judged item by item when its answer comes.
func (c *call) judge() policy.Decision {
	rules := c.server.Policy
	switch {
	case c.isTool() && !isToolName(c.tool):
		return policy.Decision{Effect: policy.Deny, Rule: -1, Class: policy.Unknown, Hidden: true, Reason: "not the name of a tool", Version: rules.Version()}
	case c.tool == "":
		return policy.Decision{Effect: policy.Allow, Rule: -1, Class: policy.Read, Reason: "lists are filtered", Version: rules.Version()}
	}
	return c.judgeAs(c.arguments)
}

// judgeAs asks the policy about the call with these arguments.
func (c *call) judgeAs(arguments jsontext.Value) policy.Decision {
	origin := audit.OriginOf(c.http.Context())
	if origin.Relay { // what stands in front may well be in a network that is let pass; its clients may not
		origin.Source = ""
	}
	return c.server.Policy.Decide(c.who, policy.Call{
		Tool: c.tool, Arguments: arguments, OutsideText: c.outside.given, Schema: c.schemas.For(c.grant.Org, c.grant.Subject),
		Server: c.name, Source: origin.Source, Now: c.Now(),
	})
}

// stopped says why the kill switch refuses a request, or "". If its position is not
// known, everything is refused (D9).
func (r *request) stopped(reads bool) string {
	mode, err := r.Access.StopMode(r.lasting)
	if err != nil && !errors.Is(err, access.ErrStopAltered) { // which is reported once
		r.Log.ErrorContext(r.http.Context(), "kill switch cannot be read", "error", err)
	}
	switch {
	case mode == access.StopOff && err == nil:
		return ""
	case mode == access.StopWrites && err == nil && reads:
		return ""
	case mode == access.StopWrites && err == nil:
		return textStopWrites
	}
	return textStopAll
}
