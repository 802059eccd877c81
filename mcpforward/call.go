package mcpforward

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// call is one request to Salesforce that is being judged, recorded and forwarded.
type call struct {
	action    string          // in the audit log
	tool      string          // as policy names it: a tool, "prompt:NAME", "resource:URI"; empty for lists
	arguments jsontext.Value  // canonical; nil: none
	params    jsontext.Value  // what is sent, built from the parse (D6)
	decision  policy.Decision // by which it may pass

	approval   *approval.Request // that it needs, nil: none
	binding    approval.Binding  // of that approval
	definition string            // hash of the tool's definition; empty if nobody asked

	// shape makes of Salesforce's result what the client gets; nil: nothing to do.
	shape func(jsontext.Value) (jsontext.Value, error)
	// empty is the result if Salesforce does not know the method; nil: an error.
	empty jsontext.Value
}

// reads reports whether the call changes nothing, so that it can be repeated or given up.
func (c *call) reads() bool { return c.decision.Class == policy.Read }

// callTool is tools/call.
func (x *exchange) callTool() error {
	c, fault := x.toolCall()
	if fault != nil {
		return x.odd(fault)
	}
	c.decision = x.decide(c)
	if denied, err := x.deny(c); denied {
		return err
	}
	if c.decision.Effect == policy.Confirm {
		if approved, err := x.hold(c); !approved {
			return err
		}
	}
	return x.forward(c)
}

// forward takes a call that may pass to Salesforce and back.
func (x *exchange) forward(c *call) error {
	if !c.reads() {
		c.params = bare(c.params)
	}
	intent, err := x.intend(c)
	if err != nil {
		return unavailable("the call could not be recorded, so it was not made", err)
	}
	// From here on Recheck sees the call; what is revoked before is seen by repeat.
	ctx, leave := x.depart(c)
	defer leave()
	if refused, err := x.repeat(ctx, c); refused {
		x.conclude(c, intent, ending{outcome: audit.Denied, reason: "refused right before it was forwarded"})
		return err
	}
	if c.approval != nil {
		if spent, err := x.spend(ctx, c, intent); !spent {
			return err
		}
	}
	m, err := x.send(ctx, c)
	end := x.judge(c, m, err)
	x.settle(c, end)
	x.conclude(c, intent, end)
	return x.deliver(ctx, c, end)
}

// isToolName reports whether a tool can be called so (MCP 2025-11-25, tool names:
// [A-Za-z0-9_./-]{1,128}). Policy knows prompts and resources by names with a colon, so a
// tool must not have one.
func isToolName(name string) bool {
	return name != "" && len(name) <= 128 && consistsOf(name, "_./-")
}

// decide asks the policy. A list is judged item by item when its answer comes.
func (x *exchange) decide(c *call) policy.Decision {
	if x.msg.Method == "tools/call" && !isToolName(c.tool) {
		return policy.Decision{Effect: policy.Deny, Rule: -1, Class: policy.Unknown, Hidden: true, Reason: "not the name of a tool", Version: x.server.Policy.Version()}
	}
	if c.tool == "" {
		return policy.Decision{Effect: policy.Allow, Rule: -1, Class: policy.Read, Reason: "lists are filtered", Version: x.server.Policy.Version()}
	}
	return x.server.Policy.Decide(x.who, policy.Call{Tool: c.tool, Arguments: c.arguments})
}

// deny answers a call that may not pass: by policy, or because it is stopped. What is
// hidden is answered as if it did not exist. Only allow and confirm pass; an effect
// that is neither denies.
func (x *exchange) deny(c *call) (denied bool, err error) {
	d := c.decision
	passes := d.Effect == policy.Allow || d.Effect == policy.Confirm
	switch stop := x.stopped(c); {
	case d.Hidden && !passes:
		x.recordDenied(c, d.Reason)
		return true, x.answer(unknown(x.msg, c.tool))
	case !passes:
		x.recordDenied(c, d.Reason)
		return true, x.tell(d.Text)
	case stop != "":
		x.recordDenied(c, "stopped by the kill switch")
		return true, x.tell(stop)
	}
	return false, nil
}

// board registers the request as one that can be cut off and cancelled.
func (x *exchange) board(ctx context.Context) (context.Context, func()) {
	session, id := "", ""
	if x.session != nil {
		session = x.session.hash
	}
	if x.msg != nil {
		id = idKey(x.msg.ID)
	}
	return x.calls.enter(ctx, x.grant.ID, session, id)
}

// depart gives the call the context in which it is forwarded. A read ends with its
// client. A write that may already be under way at Salesforce does not: its outcome has
// to be recorded (SR-FW-9).
func (x *exchange) depart(c *call) (context.Context, func()) {
	if c.reads() {
		return x.waiting, func() {}
	}
	return x.board(context.WithoutCancel(x.r.Context()))
}

// interrupted answers a request that ended before it was forwarded.
func (x *exchange) interrupted() error {
	switch cause := context.Cause(x.waiting); {
	case errors.Is(cause, errStopped):
		return x.tell(sayStopAll)
	case errors.Is(cause, errCutOff):
		return &challenge{invalid: true}
	case errors.Is(cause, errCancelled):
		return x.tell(sayCancelled + " It was not carried out.")
	}
	return unavailable("the client went away", nil)
}

// repeat makes every check once more, right before the call is forwarded: reading a
// slow body, waiting for a token and writing the log have taken their time.
func (x *exchange) repeat(ctx context.Context, c *call) (refused bool, err error) {
	if x.waiting.Err() != nil {
		return true, x.interrupted()
	}
	who, rules := x.who, x.server.Policy
	if err := x.authorize(ctx); err != nil {
		return true, err
	}
	// Of the same caller, the same policy says the same of the same call.
	if !x.who.Equal(who) || x.server.Policy != rules {
		if now := x.decide(c); now.Effect != c.decision.Effect || now.Version != c.decision.Version {
			return true, x.tell(sayChanged)
		}
	}
	if stop := x.stopped(c); stop != "" {
		return true, x.tell(stop)
	}
	return false, nil
}

// toolCall reads the params of tools/call. Members that the protocol does not name,
// and tasks, are refused: what is not judged must not pass.
func (x *exchange) toolCall() (*call, *jsonrpc.Message) {
	for member := range x.params.All() {
		if member != "name" && member != "arguments" && member != "_meta" {
			return nil, x.invalid("params may hold name, arguments and _meta")
		}
	}
	name, ok := x.params.String("name")
	if !ok || name == "" {
		return nil, x.invalid("name is missing")
	}
	arguments, ok := x.params.Get("arguments")
	if !ok {
		arguments = jsontext.Value(`{}`)
	}
	c := &call{action: "tool.call", tool: name}
	var fault *jsonrpc.Message
	if c.params, c.arguments, fault = x.named("name", name, arguments); fault != nil {
		return nil, fault
	}
	return c, nil
}

// named builds the params of a request that names one thing, with arguments or nil,
// and the canonical form of the arguments.
func (x *exchange) named(member, name string, arguments jsontext.Value) (params, canonical jsontext.Value, fault *jsonrpc.Message) {
	var out jsonrpc.Object
	out.Set(member, jsonrpc.Quote(name))
	if arguments != nil {
		var err error
		if arguments.Kind() != '{' {
			return nil, nil, x.invalid("arguments is not an object")
		}
		if canonical, err = jsonrpc.Canonical(arguments); err != nil {
			return nil, nil, x.invalid("arguments is not an object")
		}
		out.Set("arguments", arguments)
	}
	if meta, ok := keptMeta(x.params); ok {
		out.Set("_meta", meta)
	}
	return out.Encode(), canonical, nil
}

func (x *exchange) invalid(message string) *jsonrpc.Message {
	return jsonrpc.Failure(x.msg.ID, jsonrpc.InvalidParams, message)
}

// odd answers a request whose params are not what its method takes, and records that, as
// malformed does.
func (x *exchange) odd(fault *jsonrpc.Message) error {
	e := x.entry("request.refuse", audit.Denied)
	e.Object, e.Reason = x.msg.Method, "malformed: "+fault.Error.Message
	x.record(e)
	return x.answer(fault)
}

// tell answers with a sentence instead of a result: a tool result that a model can
// pass on, or a JSON-RPC error where there are no tool results.
func (x *exchange) tell(text string) error {
	if x.msg.Method != "tools/call" {
		return x.answer(jsonrpc.Failure(x.msg.ID, jsonrpc.InternalError, text))
	}
	return x.result(toolResult(text, true))
}

// overLimit answers a call beyond the user's limits, or those of the server, not too fast.
func (x *exchange) overLimit() error {
	x.recordLimited()
	x.budgets.Of(x.user()).HoldBack(x.r.Context())
	if x.msg != nil && x.msg.Method == "tools/call" {
		return x.tell(sayLimit)
	}
	return &refusal{status: http.StatusTooManyRequests, code: jsonrpc.InvalidRequest, retry: limitPause, message: sayLimit}
}
