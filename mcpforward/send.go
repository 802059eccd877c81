package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// ending is how a call ended.
type ending struct {
	outcome string           // in the audit log
	settled approval.Outcome // empty: the call did not leave, so its approval is given back
	reason  string           // for operators; no text of Salesforce's
	status  string           // of the answer
	result  jsontext.Value   // what the client gets, if Salesforce gave a result
	fault   *jsonrpc.Error   // Salesforce's error, if it gave one; see pass
	err     *upstream.Error  // why there is neither
}

// target is where the caller's calls go: the configured URL, as the user who signed in.
// Package upstream asks for the token right before it sends, maybe long after a session
// had to be opened, so that the last look at the grant is there.
func (x *exchange) target() upstream.Target {
	org, subject := x.grant.Org, x.grant.Subject
	whileAlive := func(ctx context.Context, token string, err error) (string, error) {
		if err != nil {
			return "", loginLost(err)
		}
		if alive, err := x.Access.Alive(ctx, x.grant.ID); err != nil || !alive {
			return "", errCutOff
		}
		return token, nil
	}
	return upstream.Target{
		Org: org, Subject: subject, Server: x.server.Name, URL: x.server.URL, Timeout: x.server.Timeout,
		Client: x.declares(),
		Token: func(ctx context.Context) (string, error) {
			token, err := x.Links.Token(ctx, org, subject)
			return whileAlive(ctx, token, err)
		},
		Refused: func(ctx context.Context, old string) (string, error) {
			token, err := x.Links.Refused(ctx, org, subject, old)
			return whileAlive(ctx, token, err)
		},
	}
}

// stopError says why the kill switch refuses a call that is about to leave.
type stopError string

func (e stopError) Error() string { return "stopped by the kill switch" }

// callTarget is the target of one call. Whenever it takes a token it is about to leave,
// so the kill switch is looked at once more.
func (x *exchange) callTarget(c *call) upstream.Target {
	t := x.target()
	token, refused := t.Token, t.Refused
	unlessStopped := func(token string, err error) (string, error) {
		if stop := x.stopped(c); err == nil && stop != "" {
			return "", stopError(stop)
		}
		return token, err
	}
	t.Token = func(ctx context.Context) (string, error) { return unlessStopped(token(ctx)) }
	t.Refused = func(ctx context.Context, old string) (string, error) { return unlessStopped(refused(ctx, old)) }
	return t
}

// loginLost puts package link's word for it into package upstream's.
func loginLost(err error) error {
	if errors.Is(err, link.ErrNeedsReauth) {
		return fmt.Errorf("%w: %w", upstream.ErrLoginLost, err)
	}
	return err
}

// send forwards the call, passes on what comes before the response, and returns that.
func (x *exchange) send(ctx context.Context, c *call) (*jsonrpc.Message, error) {
	answer, err := x.Pool.Call(ctx, x.callTarget(c), jsonrpc.Relay(x.msg.ID, x.msg.Method, c.params), c.reads())
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	defer x.questions.forget(answer)
	for {
		m, err := answer.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil, &upstream.Error{Kind: upstream.Broken, MayHaveHappened: true, Reason: "answer has no response"}
		case err != nil:
			return nil, err
		case m.IsResponse():
			return m, nil
		}
		pass := x.reply.Notify
		if m.IsRequest() {
			pass = func(m *jsonrpc.Message) error { return x.pose(ctx, c, answer, m) }
		}
		if err := pass(m); err != nil {
			x.Log.DebugContext(ctx, "a message was not passed on", "method", m.Method, "error", err)
		}
	}
}

// judge says how the call ended. A write whose answer is lost, or is one of those that
// Salesforce also gives when it did what was asked, is of unknown outcome (D11).
func (x *exchange) judge(c *call, m *jsonrpc.Message, err error) ending {
	unsure := ending{outcome: audit.Failed, settled: approval.Failed}
	if !c.reads() {
		unsure = ending{outcome: audit.Unknown, settled: approval.Unknown}
	}
	if err != nil {
		return lostEnding(unsure, err)
	}
	if m.Error != nil {
		end := unsure
		if refusedUnread(m.Error.Code) {
			end = ending{outcome: audit.Failed, settled: approval.Failed}
		}
		end.status = fmt.Sprint("error ", int(m.Error.Code))
		end.fault = &jsonrpc.Error{Code: m.Error.Code, Message: shortened(m.Error.Message, 500), Data: m.Error.Data}
		return end
	}
	return resultEnding(c, unsure, m.Result)
}

func lostEnding(unsure ending, err error) ending {
	var e *upstream.Error
	if !errors.As(err, &e) {
		e = &upstream.Error{Kind: upstream.Broken, MayHaveHappened: true, Reason: "unexpected failure", Err: err}
	}
	end := unsure
	if !e.MayHaveHappened {
		end = ending{outcome: audit.Failed}
	}
	end.err, end.reason = e, e.Kind.String()+": "+e.Reason
	if stop, stopped := errors.AsType[stopError](e); stopped && !e.MayHaveHappened {
		end.outcome, end.reason = audit.Denied, stop.Error()
	}
	if e.Status != 0 {
		end.status = fmt.Sprint("HTTP ", e.Status)
	}
	return end
}

// refusedUnread are the codes of JSON-RPC and MCP by which a request is refused before
// anything is done.
func refusedUnread(code jsonrpc.Code) bool {
	switch code {
	case jsonrpc.ParseError, jsonrpc.InvalidRequest, jsonrpc.MethodNotFound, jsonrpc.InvalidParams, missingCapability:
		return true
	}
	return false
}

func resultEnding(c *call, unsure ending, result jsontext.Value) ending {
	end := ending{outcome: audit.OK, settled: approval.Done, status: "result"}
	result, o, err := clean(result)
	if kind, given := o.Get("resultType"); err == nil && given && string(kind) != `"complete"` {
		err = errNotComplete
	}
	switch {
	case err != nil:
	case c.shape != nil:
		result, err = c.shape(result)
	case c.action == "tool.call":
		err = checkToolResult(o)
	}
	if err != nil {
		end = unsure
		end.reason = "answer cannot be read"
		end.err = &upstream.Error{Kind: upstream.Broken, MayHaveHappened: true, Reason: "result cannot be read", Err: err}
		return end
	}
	if failed, _ := o.Get("isError"); string(failed) == "true" {
		end = ending{outcome: audit.Failed, settled: approval.Failed}
		if !c.reads() && ambiguous(o) {
			end = unsure
			result = withText(o, sayUnsure)
		}
		end.status = "isError"
	}
	end.result = result
	return end
}

// errNotComplete is a result of a kind that nobody asked for (MCP 2026-07-28): one that
// wants input, or stands for a task.
var errNotComplete = errors.New("the answer is not a complete result")

var errNoToolResult = errors.New("the answer is not the result of a tool")

// checkToolResult refuses what no client can tell success from failure by.
func checkToolResult(o jsonrpc.Object) error {
	if failed, ok := o.Get("isError"); ok && failed.Kind() != 't' && failed.Kind() != 'f' {
		return errNoToolResult
	}
	content, ok := o.Get("content")
	if !ok {
		return nil // some answer with structuredContent alone
	}
	blocks, err := jsonrpc.ParseArray(content)
	for _, b := range blocks {
		if b.Kind() != '{' {
			return errNoToolResult
		}
	}
	return err
}

// ambiguous finds the tool errors after which Salesforce has been seen to have done
// what was asked: faults of its session and of its platform.
func ambiguous(result jsonrpc.Object) bool {
	content, _ := result.Get("content")
	return upstream.MayHaveRun(content)
}

// deliver answers the client, unless its access ended meanwhile.
func (x *exchange) deliver(ctx context.Context, c *call, end ending) error {
	cause := context.Cause(ctx)
	alive, err := x.Access.Alive(context.WithoutCancel(ctx), x.grant.ID)
	switch {
	case err != nil:
		return unavailable("It cannot be found out whether access still holds, so the answer is withheld."+may(c, end.err), err)
	case errors.Is(cause, errCutOff) || !alive:
		return &challenge{invalid: true}
	case errors.Is(cause, errStopped):
		return x.tell(sayStopNow + midway(c, end))
	case x.unlisted(ctx, c, end):
		return x.answer(unknown(x.msg, c.tool))
	case end.result != nil:
		return x.forwarded(end.result)
	case end.fault != nil && end.fault.Code == jsonrpc.MethodNotFound && c.empty != nil:
		return x.result(c.empty) // a server without prompts, for instance
	case end.fault != nil && end.outcome == audit.Unknown:
		return x.tell(end.fault.Message + " " + sayUnsure)
	case end.fault != nil:
		return x.pass(c, end.fault)
	case errors.Is(cause, errCancelled):
		return x.tell(sayCancelled + may(c, end.err))
	}
	return x.undelivered(c, end.err)
}

// unlisted reports whether a call failed because Salesforce has no such tool. It may say
// so in any words, which would tell such a name from one that policy hides.
func (x *exchange) unlisted(ctx context.Context, c *call, end ending) bool {
	told := end.fault != nil || end.status == "isError" && c.decision.Class == policy.Unknown
	if x.msg.Method != "tools/call" || end.outcome != audit.Failed || !told {
		return false
	}
	_, _, err := x.Pool.Tool(ctx, x.target(), c.tool)
	return errors.Is(err, upstream.ErrNoTool)
}

// undelivered tells the client why there is no answer of Salesforce's. A lost login is
// a challenge of ours, which makes the client connect again.
func (x *exchange) undelivered(c *call, e *upstream.Error) error {
	if e.Kind == upstream.LoginLost {
		return &challenge{invalid: true}
	}
	if stop, stopped := errors.AsType[stopError](e); stopped {
		return x.tell(string(stop))
	}
	x.Log.WarnContext(x.r.Context(), "salesforce did not answer", "server", x.server.Name, "method", x.msg.Method,
		"kind", e.Kind.String(), "reason", e.Reason, "status", e.Status, "may_have_happened", e.MayHaveHappened)
	text := sayKind(e) + may(c, e)
	if c.reads() || !e.MayHaveHappened { // else it is not to be repeated at all
		text += when(e)
	}
	return x.tell(text)
}
