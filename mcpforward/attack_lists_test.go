package mcpforward

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// A hidden tool, a denied one, one that does not exist and every other spelling of a
// name get the same answer.
func TestFW16FW17HiddenTools(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	tools := []string{
		"deleteSobjectRecord", "deleteRelatedRecord", "noSuchTool", "soqlquery", "SoqlQuery", " soqlQuery", "soqlQuery ", "soqlQuery\u200b", "ｓoqlQuery",
		"soqlQuery\u0000", "sales.soqlQuery", "sales/soqlQuery", "soql_query", "sobject-all.soqlQuery", "prompt:accountReviewBriefing", "resource:ui://x", "*", "sóqlQuery", "so\u0301qlQuery",
	}
	for _, tool := range tools {
		name, _ := json.Marshal(tool)
		a := c.call("tools/call", `{"name":`+string(name)+`,"arguments":{"sobject-name":"Account","id":"001Hs0000000001IAA","q":"SELECT Id FROM Account"}}`)
		if a.status != http.StatusOK || a.Error == nil || a.Error.Code != -32602 || a.Error.Message != "Unknown tool: "+tool {
			t.Errorf("%q: %d %s", tool, a.status, a.body)
		}
	}
	if a := c.tool(strings.Repeat("x", 10<<10), `{}`); a.Error == nil || a.Error.Code != -32602 || len(a.body) > 400 {
		t.Errorf("a long name: %d bytes", len(a.body))
	}
	if got := w.forwarded(); len(got) != 0 {
		t.Errorf("forwarded %v", got)
	}
	denied := w.entries("tool.call")
	if len(denied) != len(tools)+1 {
		t.Errorf("%d denials are recorded", len(denied))
	}
	for _, e := range denied {
		if e.Outcome != audit.Denied || e.Reason == "" || e.ArgumentsDigest == "" || e.PolicyVersion == "" {
			t.Errorf("recorded %+v", e)
		}
	}
}

// Two users of one endpoint each see their own list.
func TestFW33ListsAreNotShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "p", Rules: []policy.Rule{
			{Effect: policy.Allow, Users: []string{salesforcesim.ManagerID}},
			{Effect: policy.Allow, Tools: []string{"getUserInfo"}},
		}}
	})
	manager := w.connect(salesforcesim.ManagerID, "chatgpt", "sales")
	if a := manager.call("tools/list", `{}`); len(a.Result.Tools) < 10 || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the manager's list: %v %s", a.header, a.body)
	}
	c := rep(w)
	for range 2 {
		if diff := cmp.Diff([]string{"getUserInfo"}, names(c.call("tools/list", `{}`).Result.Tools, "name")); diff != "" {
			t.Errorf("the rep's list: %s", diff)
		}
	}
}

func TestFW34Cursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	for _, params := range []string{`{"cursor":1}`, `{"cursor":[]}`, `{"cursor":{}}`, `{"cursor":"` + strings.Repeat("x", maxCursor) + `"}`} {
		if a := c.call("tools/list", params); a.Error == nil || a.Error.Code != -32602 {
			t.Errorf("%.40s: %.200s", params, a.body)
		}
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
	c.call("tools/list", `{}`)
	before := w.sim.Requests(salesforcesim.RequestFilter{})
	c.call("tools/list", `{"cursor":""}`)
	got := w.sim.Requests(salesforcesim.RequestFilter{RPC: "tools/list", After: before[len(before)-1].Sequence})
	if len(got) != 1 || !strings.Contains(got[0].Body, `"cursor":""`) {
		t.Errorf("an empty cursor is one: %+v", got)
	}
}
