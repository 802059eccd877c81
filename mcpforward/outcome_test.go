package mcpforward

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// M-CL-14: a result of another kind is none, whatever it holds. It must not become a
// complete one on its way to a client of the stateless era.
func TestResultOfAnotherKind(t *testing.T) {
	t.Parallel()
	c := newCall(&request{msg: &jsonrpc.Message{Method: "tools/call"}}, audit.ToolCall)
	c.decision = policy.Decision{Class: policy.Create}
	for result, complete := range map[string]bool{
		`{"content":[]}`:                         true,
		`{"content":[],"resultType":"complete"}`: true,
		`{"content":[],"resultType":null}`:       false,
		`{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"https://evil.example"}}},"content":[]}`: false,
		`{"resultType":"task","content":[]}`: false,
	} {
		o := c.ending.outcomeOf(&jsonrpc.Message{Result: jsontext.Value(result)}, nil)
		if complete != (o.failure == nil) || complete != (o.result != nil) || !complete && (o.recorded != audit.Unknown || o.approval != approval.Unknown) {
			t.Errorf("%s: %+v", result, o)
		}
	}
}
