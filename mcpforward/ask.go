package mcpforward

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// How a client learns that a call waits for its user. One that can open addresses is asked
// to open the page of the call: in the stateless era by a result that requires input, after
// which it makes the call again (MCP 2026-07-28, multi round-trip requests); in sessions of
// 2025-11-25 by the error −32042. Every other client gets a result with the address. Where
// somebody else decides, opening the page helps nobody, so all get the result.
//
// What a client answers is no decision. accept means that its user was willing to open the
// page; the decision is made there, or not at all. So the answer is checked for being one to
// what we asked, and then counts for nothing but this: it is not asked a second time.

const (
	// elicitationRequired is the code of an error that names addresses to open (MCP 2025-11-25,
	// URL elicitation required).
	elicitationRequired jsonrpc.Code = -32042
	// metaDenial is where a result says in members why it was denied, for clients that declare
	// the extension of that purpose (SEP-2643, structured authorization denials).
	metaDenial = protocolPrefix + "authorization"
)

// askingClient is how the client learns that a call waits for a person, and of the decision.
type askingClient struct{ *call }

// isAskedToOpen reports whether the client is asked to open the page of a.
func (c *askingClient) isAskedToOpen(a *approval.Request) bool {
	return a.State == approval.Pending && a.OfRequester() && c.client.capabilities.has(canOpen) && c.inputs.Len() == 0 &&
		(c.stateless || c.session.version == newestVersion)
}

// address is where the page of a request is.
func (c *askingClient) address(a *approval.Request) string {
	return c.Access.PublicURL() + "/approvals/" + a.ID
}

// askToOpen answers the call with the request to open the page of a. The key of what is asked
// is the id of the request, by which the answer is known again.
func (c *askingClient) askToOpen(a *approval.Request) (answer jsontext.Value, err error) {
	message := jsonrpc.Quote(fmt.Sprintf("A call of the tool %s waits for your approval. The page shows it in full; approve or deny it there until %s.", c.tool, clockTime(a.ExpiresAt)))
	url := jsonrpc.Quote(c.address(a))
	if !c.stateless {
		return nil, &rpcError{code: elicitationRequired, message: waitingText(a, c.address(a)), data: fmt.Appendf(nil,
			`{"elicitations":[{"mode":"url","elicitationId":%s,"url":%s,"message":%s}]}`, jsonrpc.Quote(a.ID), url, message)}
	}
	var meta jsonrpc.Object
	meta.Set(metaApproval, approvalMeta(a, c.address(a)))
	c.setDenial(&meta, "available", a.ID, `,"remediationHints":[{"type":"url"}]`)
	value := fmt.Appendf(nil, `{"inputRequests":{%s:{"method":"elicitation/create","params":{"mode":"url","url":%s,"message":%s}}},"_meta":%s}`,
		jsonrpc.Quote(a.ID), url, message, meta.Encode())
	o, err := jsonrpc.ParseObject(c.complete(value))
	if err != nil {
		return nil, err
	}
	o.Set("resultType", jsontext.Value(`"input_required"`))
	return jsonrpc.OneLine(o.Encode()), nil
}

// setDenial says in _meta why the call was not made, if the client declared that it reads
// that: what was refused, and whether anything can be done about it. id correlates, and opens
// nothing.
func (c *askingClient) setDenial(meta *jsonrpc.Object, remediation, id, more string) {
	if !c.client.capabilities.has(canReadDenials) {
		return
	}
	if id != "" {
		more = `,"authorizationContextId":` + string(jsonrpc.Quote(id)) + more
	}
	meta.Set(metaDenial, fmt.Appendf(nil, `{"reason":"insufficient_authorization","remediation":%s%s}`, jsonrpc.Quote(remediation), more))
}

// remediation says whether anything can be done about a call that was answered with a; "":
// it was made, or may be.
func remediation(a *approval.Request) string {
	switch a.State {
	case approval.Pending, approval.Countered: // there is a way, of which only the text speaks
		return "undisclosed"
	case approval.Denied:
		return "unavailable"
	}
	return ""
}

// readInputs takes the answers to what we asked, which come with a repeat of the call that we
// asked about, under the id of its request. Anything else is input for which nobody has asked.
func (r *request) readInputs() error {
	given, ok := r.params.Get("inputResponses")
	if !ok {
		return nil
	}
	unasked := invalidParams("no input was asked for: inputResponses")
	inputs, err := jsonrpc.ParseObject(given)
	if err != nil || !r.stateless || r.msg.Method != "tools/call" {
		return unasked
	}
	id := ""
	for name := range inputs.All() { // other names are passed over (MCP, error handling)
		if strings.HasPrefix(name, approval.IDPrefix) {
			id = name
			break
		}
	}
	a, err := r.Approvals.Get(r.http.Context(), id)
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return unasked
	case err != nil:
		return unavailable("the approval could not be read, so the call was not made", err)
	case a.Org != r.grant.Org || a.Subject != r.grant.Subject || a.ClientID != r.grant.ClientID || a.Server != r.server.Name:
		return unasked
	}
	r.inputs = inputs
	return nil
}
