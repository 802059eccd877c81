package mcpforward

import (
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxURI bounds the name of a resource.
const maxURI = 2048

// getPrompt is prompts/get. A prompt can be backed by a Flow or by Apex, so it is
// judged like a tool, under the name "prompt:NAME".
func (x *exchange) getPrompt() error {
	for member := range x.params.All() {
		if member != "name" && member != "arguments" && member != "_meta" {
			return x.odd(x.invalid("params may hold name, arguments and _meta"))
		}
	}
	name, ok := x.params.String("name")
	if !ok || name == "" {
		return x.odd(x.invalid("name is missing"))
	}
	arguments, _ := x.params.Get("arguments")
	c := &call{action: "prompt.get", tool: "prompt:" + name}
	var fault *jsonrpc.Message
	if c.params, c.arguments, fault = x.named("name", name, arguments); fault != nil {
		return x.odd(fault)
	}
	return x.fetch(c)
}

// readResource is resources/read, judged under the name "resource:URI".
func (x *exchange) readResource() error {
	for member := range x.params.All() {
		if member != "uri" && member != "_meta" {
			return x.odd(x.invalid("params may hold uri and _meta"))
		}
	}
	uri, ok := x.params.String("uri")
	if !ok || uri == "" || len(uri) > maxURI {
		return x.odd(x.invalid("uri is missing or too long"))
	}
	c := &call{action: "resource.read", tool: "resource:" + uri}
	c.params, _, _ = x.named("uri", uri, nil)
	return x.fetch(c)
}

// maxArgument bounds what a completion is asked for.
const maxArgument = 4096

// completeArgument is completion/complete: what a client could fill in for an argument
// of a prompt or of a resource template. Its answer shows what is there, so it is
// judged as getting that prompt or reading that resource would be.
func (x *exchange) completeArgument() error {
	var out jsonrpc.Object
	for member, value := range x.params.All() {
		switch member {
		case "ref", "argument", "context":
			if value.Kind() != '{' || len(value) > maxArgument {
				return x.odd(x.invalid(member + " is not an object, or too large"))
			}
			out.Set(member, value)
		case "_meta":
		default:
			return x.odd(x.invalid("params may hold ref, argument, context and _meta"))
		}
	}
	c := &call{action: "completion.complete", tool: referred(out), params: out.Encode(), empty: jsontext.Value(`{"completion":{"values":[]}}`)}
	if _, ok := out.Get("argument"); !ok || c.tool == "" {
		return x.odd(x.invalid("ref must name a prompt or a resource, and argument is needed"))
	}
	var err error
	if c.arguments, err = jsonrpc.Canonical(c.params); err != nil { // for the record: what was typed so far is data
		return err
	}
	return x.fetch(c)
}

// referred is the name by which policy knows what a completion refers to, or "".
func referred(params jsonrpc.Object) string {
	raw, _ := params.Get("ref")
	ref, _ := jsonrpc.ParseObject(raw)
	kind, _ := ref.String("type")
	name, _ := ref.String("name")
	uri, _ := ref.String("uri")
	switch {
	case kind == "ref/prompt" && name != "":
		return "prompt:" + name
	case kind == "ref/resource" && uri != "" && len(uri) <= maxURI:
		return "resource:" + uri
	}
	return ""
}

// fetch judges and forwards a call that is not one of a tool. There is no way to hold
// such a call for a person, so one that needs a person is denied.
func (x *exchange) fetch(c *call) error {
	c.decision = x.decide(c)
	if denied, err := x.deny(c); denied {
		return err
	}
	if c.decision.Effect == policy.Confirm {
		x.recordDenied(c, "only calls of tools can be held for a person")
		return x.tell(sayNoHold)
	}
	return x.forward(c)
}
