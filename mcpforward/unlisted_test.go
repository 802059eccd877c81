package mcpforward

import (
	"testing"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// FW-16: a tool that the policy hides and one that Salesforce does not have get the
// same answer, whatever words Salesforce has for it.
func TestFW16HiddenAndMissingToolsAnswerAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[2].Policy = &policy.Policy{Name: "most", Rules: []policy.Rule{
			{Effect: policy.Deny, Tools: []string{"createAccountWithOpportunity"}}, {Effect: policy.Allow, Tools: []string{"*"}}}}
	})
	c := w.connect(salesforcesim.RepID, "chatgpt", "custom")
	for _, isError := range []bool{false, true} {
		w.switches(func(f *salesforcesim.Switches) { f.UnknownToolIsError = isError })
		for _, name := range []string{"createAccountWithOpportunity", "noSuchTool"} {
			if a := c.tool(name, `{}`); a.Error == nil || a.Error.Code != -32602 || a.Error.Message != "Unknown tool: "+name {
				t.Errorf("%s: %s", name, a.body)
			}
		}
	}
	if a := c.tool("getAccountSummary", `{}`); !a.failed() || a.Error != nil {
		t.Errorf("a failing tool that exists: %s", a.body)
	}
}
