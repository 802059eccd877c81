package mcpforward

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// isToolName reports whether a tool can be called so (MCP 2025-11-25, tool names:
// [A-Za-z0-9_./-]{1,128}). Policy knows prompts and resources by names with a colon, so a
// tool must not have one.
func isToolName(name string) bool {
	return name != "" && len(name) <= 128 && consistsOf(name, "_./-")
}

// readToolCall reads tools/call.
func readToolCall(r *request) (*call, error) {
	name, ok := r.params.String("name")
	if !ok || name == "" {
		return nil, invalidParams("name is missing")
	}
	arguments, ok := r.params.Get("arguments")
	if !ok {
		arguments = jsontext.Value(`{}`)
	}
	params, canonical, err := forwardedParams(r.params, "name", name, arguments)
	c := newCall(r, audit.ToolCall)
	c.tool, c.params, c.arguments = name, params, canonical
	return c, err
}

// toolResult is a result of one text.
func toolResult(text string, failed bool) jsontext.Value {
	return fmt.Appendf(nil, `{"content":[{"type":"text","text":%s}],"isError":%t}`, jsonrpc.Quote(text), failed)
}

// withText adds a text to the content of a tool result.
func withText(result jsonrpc.Object, text string) jsontext.Value {
	raw, _ := result.Get("content")
	content, _ := jsonrpc.ParseArray(raw)
	content = append(content, fmt.Appendf(nil, `{"type":"text","text":%s}`, jsonrpc.Quote(text)))
	result.Set("content", jsonrpc.Array(content))
	return result.Encode()
}

var errNoToolResult = errors.New("the answer is not the result of a tool")

// checkToolResult refuses what no client can tell success from failure by. Some tools
// answer with structuredContent alone.
func checkToolResult(r jsonrpc.Reading) error {
	failed, ok := r.Members.Get("isError")
	if ok && failed.Kind() != 't' && failed.Kind() != 'f' || r.NoBlocks {
		return errNoToolResult
	}
	return nil
}

// isAmbiguous finds the tool errors after which Salesforce has been seen to have done
// what was asked: failures of its session and of its platform.
func isAmbiguous(result jsonrpc.Object) bool {
	content, _ := result.Get("content")
	return upstream.MayHaveRun(content)
}
