package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// delivery is what the client gets of a call that was made.
type delivery struct{ *call }

// deliver says what the client gets of the outcome.
func (c *delivery) deliver(ctx context.Context) (result, error) {
	if err := c.lostAccess(ctx); err != nil { // also since that was asked for the entry, which takes its time
		return result{}, err
	}
	o := &c.outcome
	switch {
	case c.isUnlisted(ctx):
		return result{}, c.noSuchName()
	case o.withheld != "":
		return result{}, answerText(string(o.withheld) + c.withheldHint())
	case o.result != nil:
		return result{value: o.answer, forwarded: true}, nil
	case o.refused != nil && o.refused.Code == jsonrpc.MethodNotFound && c.empty != nil:
		return result{value: c.empty}, nil // a server without prompts, for instance
	case o.refused != nil && o.recorded == audit.Unknown:
		return result{}, answerText(o.refused.Message + " " + textUnsure)
	case o.refused != nil:
		return result{}, c.passError(o.refused)
	case errors.Is(context.Cause(ctx), errCancelled):
		return result{}, answerText(textCancelled + c.effectHint(o.failure))
	}
	return result{}, c.undelivered(o.failure)
}

// lostAccess returns what the client is told in the place of the outcome, of which it gets nothing: its access ended meanwhile, or
// nobody knows whether it did, or calls were stopped. nil: it may have the outcome.
func (c *delivery) lostAccess(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch { // none needs the database, which may be what does not answer
	case errors.Is(cause, errCutOff):
		return &challenge{invalid: true}
	case errors.Is(cause, errUnchecked):
		return c.unchecked(cause)
	case errors.Is(cause, errStopped):
		return answerText(textStopNow + c.withheldHint())
	}
	alive, err := c.alive(c.lasting)
	switch {
	case err != nil:
		return c.unchecked(err)
	case !alive:
		return &challenge{invalid: true}
	}
	return nil
}

// unchecked withholds an answer of which nobody knows whether the client may still have it.
func (c *delivery) unchecked(cause error) error {
	return unavailable("It cannot be found out whether access still holds, so the answer is withheld."+c.effectHint(c.outcome.failure), cause)
}

// isUnlisted reports whether a call failed because Salesforce has no such tool. It may say
// so in any words, which would tell such a name from one that policy hides.
func (c *delivery) isUnlisted(ctx context.Context) bool {
	o := &c.outcome
	inWords := o.refused != nil || o.status == "isError" && c.decision.Class == policy.Unknown
	if !c.isTool() || o.recorded != audit.Failed || !inWords {
		return false
	}
	c.Pool.Relist(c.target()) // it was listed a moment ago
	list, err := c.Pool.List(ctx, c.target(), "tools/list", 0)
	if err != nil {
		return false
	}
	listed, ok := list.Named(c.tool)
	return !ok || listed.Twice
}

// undelivered says why there is no answer of Salesforce's. A lost login is
// a challenge of ours, which makes the client connect again.
func (c *call) undelivered(e *upstream.Error) error {
	if e.Kind == upstream.LoginLost {
		return &challenge{invalid: true}
	}
	if stop, stopped := errors.AsType[stopError](e); stopped {
		return answerText(stop)
	}
	c.Log.WarnContext(c.http.Context(), "salesforce did not answer", "server", c.server.Name, "method", c.msg.Method,
		"kind", e.Kind.String(), "reason", e.Reason, "status", e.Status, "may_have_happened", e.MayHaveHappened)
	text := textFor(e.Kind) + c.effectHint(e)
	if c.reads() || !e.MayHaveHappened { // else it is not to be repeated at all
		text += retryHint(e)
	}
	return answerText(text)
}

// noSuchName is the answer to a name that does not exist or must not be known to.
func (c *call) noSuchName() error {
	kind, name := "tool", c.tool
	if !c.isTool() {
		for prefix, other := range map[string]string{promptPrefix: "prompt", resourcePrefix: "resource"} {
			if without, ok := strings.CutPrefix(c.tool, prefix); ok {
				kind, name = other, without
			}
		}
	}
	e := &rpcError{code: jsonrpc.InvalidParams, message: "Unknown " + kind + ": " + shortened(name, 128)}
	if kind == "resource" { // MCP 2026-07-28, resources, error handling
		e.data = fmt.Appendf(nil, `{"uri":%s}`, jsonrpc.Quote(name))
	}
	return e
}

// passError answers with an error of Salesforce's, in the words of the client's era. Of
// its data only what clients need for their next step passes, built anew.
func (c *delivery) passError(e *jsonrpc.Error) error {
	const resourceNotFound jsonrpc.Code = -32002 // until 2025-11-25; later −32602
	reading := c.msg.Method == "resources/read"
	switch {
	case reading && (e.Code == resourceNotFound || e.Code == jsonrpc.InvalidParams):
		return c.noSuchName()
	case (reading || c.msg.Method == "prompts/get") && e.Code == jsonrpc.MethodNotFound: // the server has none at all
		return c.noSuchName()
	case c.stateless && e.Code == missingCapability:
		return &refusal{status: http.StatusBadRequest, code: e.Code, message: e.Message, data: requiredCapabilities(e.Data)}
	}
	return &rpcError{code: c.passableCode(e.Code), message: e.Message}
}

// requiredCapabilities rebuilds the data of a missingCapability error.
func requiredCapabilities(data jsontext.Value) jsontext.Value {
	o, _ := jsonrpc.ParseObject(data)
	given, _ := o.Object("requiredCapabilities")
	var required jsonrpc.Object
	for _, name := range passableCapabilities {
		if _, ok := given.Get(name); ok {
			required.Set(name, jsontext.Value(`{}`))
		}
	}
	return append(append([]byte(`{"requiredCapabilities":`), required.Encode()...), '}')
}

// passableCode is the code under which an error of Salesforce's reaches the client. Codes
// between −32000 and −32099 mean what the specification of the client's era says, or
// nothing: −32042 would send a user to an address that nobody here vouches for.
func (c *delivery) passableCode(code jsonrpc.Code) jsonrpc.Code {
	if code == elicitationRequired || c.stateless && code <= -32000 && code >= -32099 {
		return jsonrpc.InternalError
	}
	return code
}
