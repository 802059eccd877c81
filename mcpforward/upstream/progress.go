package upstream

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// replaceProgressToken puts our token in the place of the request's, which it
// returns: tokens must be unique on a session, and several clients of one user
// share it. A token that is neither string nor number is none and is removed.
func replaceProgressToken(params, ours jsontext.Value) (replaced, theirs jsontext.Value) {
	if !bytes.Contains(params, []byte(`"progressToken"`)) { // names are in their shortest form
		return params, nil
	}
	o, err := jsonrpc.ParseObject(params)
	if err != nil {
		return params, nil // no params
	}
	raw, _ := o.Get("_meta")
	meta, err := jsonrpc.ParseObject(raw)
	if err != nil {
		return params, nil
	}
	theirs, ok := meta.Get("progressToken")
	if !ok {
		return params, nil
	}
	if kind := theirs.Kind(); kind == '"' || kind == '0' {
		meta.Set("progressToken", ours)
	} else {
		theirs = nil
		meta.Delete("progressToken")
	}
	o.Set("_meta", meta.Encode())
	return o.Encode(), theirs
}

// progress returns m with the request's own token if it is progress of this request,
// else nil. It has to increase (MCP 2025-06-18, progress), also over a repetition of
// the request, of which the client does not know.
func (a *attempt) progress(m *jsonrpc.Message) *jsonrpc.Message {
	c := a.call
	if m.Method != "notifications/progress" || a.progressToken == nil {
		return nil
	}
	params, err := jsonrpc.ParseObject(m.Params)
	if err != nil {
		return nil
	}
	if token, _ := params.Get("progressToken"); !bytes.Equal(token, a.id) {
		return nil
	}
	value, _ := params.Get("progress")
	at, err := strconv.ParseFloat(string(value), 64)
	if err != nil || c.progressed && at <= c.progress {
		return nil
	}
	c.progressed, c.progress = true, at
	params.Set("progressToken", a.progressToken)
	return jsonrpc.Request(nil, m.Method, params.Encode())
}
