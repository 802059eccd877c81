package mcpforward

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Of the params of a request only the members that its method reads count, and what is sent
// to Salesforce is built from these alone. Others are ignored, as MCP has it for extensions
// and for capabilities that a receiver did not declare, such as tasks.

// inputMembers are by which a client answers a request for input.
var inputMembers = []string{"inputResponses", "requestState"}

// refuseInput refuses input for which nobody here has asked the client (MCP 2026-07-28,
// multi round-trip requests): it would be taken for an answer that a call waits for. We ask
// about tools alone and hand out no state (ask.go), so that holds for every other method and
// version, whether the method could be answered with a request for input or not. A
// notification has no answer, and nothing reads it there.
func (r *request) refuseInput(m method) error {
	if m.notification || r.msg.IsResponse() {
		return nil
	}
	err := r.readInputs()
	if _, ok := r.params.Get("requestState"); ok && err == nil {
		err = invalidParams("no input was asked for: requestState")
	}
	if err != nil && m.limited() {
		return r.malformedParams(err)
	}
	return err // who may ask without limit must not fill the audit log
}

// forwardedParams builds what is sent of params that name one thing: its name, arguments
// unless they are nil, and what of _meta concerns Salesforce. canonical is the canonical
// form of the arguments.
func forwardedParams(given jsonrpc.Object, member, name string, arguments jsontext.Value) (params, canonical jsontext.Value, err error) {
	var out jsonrpc.Object
	out.Set(member, jsonrpc.Quote(name))
	if arguments != nil {
		if arguments.Kind() != '{' {
			return nil, nil, invalidParams("arguments is not an object")
		}
		if canonical, err = jsonrpc.Canonical(arguments); err != nil {
			return nil, nil, invalidParams("arguments is not an object")
		}
		out.Set("arguments", arguments)
	}
	if meta, ok := metaForServer(given); ok {
		out.Set("_meta", meta)
	}
	return out.Encode(), canonical, nil
}

// readCall makes of the params what the method takes them for.
func (r *request) readCall(m method) (*call, error) {
	c, err := m.read(r)
	if err != nil {
		return nil, r.malformedParams(err)
	}
	return c, nil
}

// malformedParams records that params are not what their method takes. It returns err.
func (r *request) malformedParams(err error) error {
	if refused, ok := errors.AsType[*rpcError](err); ok {
		e := r.entry(audit.RequestRefuse, audit.Denied)
		e.Object, e.Reason = r.msg.Method, "malformed: "+refused.message
		r.Audit.Record(r.http.Context(), e)
	}
	return err
}
