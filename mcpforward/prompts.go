package mcpforward

import (
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	// maxURI bounds the name of a resource.
	maxURI = 2048
	// maxArgument bounds what a completion is asked for.
	maxArgument = 4096
)

// Policy judges prompts, resources and completions as it judges tools, by these words
// before their names. There is no way to hold them for a person, see [call.hold].
const (
	promptPrefix   = "prompt:"
	resourcePrefix = "resource:"
)

// readPrompt reads prompts/get. A prompt can be backed by a Flow or by Apex, so it is
// judged like a tool, under the name "prompt:NAME".
func readPrompt(r *request) (*call, error) {
	name, ok := r.params.String("name")
	if !ok || name == "" {
		return nil, invalidParams("name is missing")
	}
	arguments, _ := r.params.Get("arguments")
	params, canonical, err := forwardedParams(r.params, "name", name, arguments)
	c := newCall(r, audit.PromptGet)
	c.tool, c.params, c.arguments = promptPrefix+name, params, canonical
	return c, err
}

// readResource reads resources/read, judged under the name "resource:URI".
func readResource(r *request) (*call, error) {
	uri, ok := r.params.String("uri")
	if !ok || uri == "" || len(uri) > maxURI {
		return nil, invalidParams("uri is missing or too long")
	}
	params, _, err := forwardedParams(r.params, "uri", uri, nil)
	c := newCall(r, audit.ResourceRead)
	c.tool, c.params = resourcePrefix+uri, params
	return c, err
}

// readCompletion reads completion/complete: what a client could fill in for an argument
// of a prompt or of a resource template. Its answer shows what is there, so it is
// judged as getting that prompt or reading that resource would be.
func readCompletion(r *request) (*call, error) {
	var out jsonrpc.Object
	for _, member := range []string{"ref", "argument", "context"} {
		value, ok := r.params.Get(member)
		switch {
		case !ok:
		case value.Kind() != '{' || len(value) > maxArgument:
			return nil, invalidParams(member + " is not an object, or too large")
		default:
			out.Set(member, value)
		}
	}
	name := referenceName(out)
	if _, ok := out.Get("argument"); !ok || name == "" {
		return nil, invalidParams("ref must name a prompt or a resource, and argument is needed")
	}
	params := out.Encode()
	arguments, err := jsonrpc.Canonical(params) // for the record: what was typed so far is data
	c := newCall(r, audit.CompletionComplete)
	c.tool, c.params, c.arguments = name, params, arguments
	c.empty = jsontext.Value(`{"completion":{"values":[]}}`)
	return c, err
}

// referenceName is the name by which policy knows what a completion refers to, or "".
func referenceName(params jsonrpc.Object) string {
	ref, _ := params.Object("ref")
	kind, _ := ref.String("type")
	name, _ := ref.String("name")
	uri, _ := ref.String("uri")
	switch {
	case kind == "ref/prompt" && name != "":
		return promptPrefix + name
	case kind == "ref/resource" && uri != "" && len(uri) <= maxURI:
		return resourcePrefix + uri
	}
	return ""
}
