package mcpforward

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// onlyMembers refuses params with a member that is not among those named, and _meta: what
// is not judged must not pass.
func onlyMembers(params jsonrpc.Object, names ...string) error {
	for member := range params.All() {
		if member != "_meta" && !slices.Contains(names, member) {
			return invalidParams("params may hold " + strings.Join(names, ", ") + " and _meta")
		}
	}
	return nil
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

// malformedParams records that params are not what their method takes. It returns err.
func (r *request) malformedParams(err error) error {
	if refused, ok := errors.AsType[*rpcError](err); ok {
		e := r.entry("request.refuse", audit.Denied)
		e.Object, e.Reason = r.msg.Method, "malformed: "+refused.message
		r.record(e)
	}
	return err
}
