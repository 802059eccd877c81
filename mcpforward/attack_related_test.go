package mcpforward

import (
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// A person who agrees to a change of the record where a relation leads has agreed to no record: by
// the time of the call the relation may lead to another. Nobody is asked about such a call, in
// whatever form it comes; where nobody has to be asked, it passes.
func TestAP02NobodyAgreesToARecordThatIsNotNamed(t *testing.T) {
	t.Parallel()
	confirm := &policy.Policy{Name: "confirm", Rules: []policy.Rule{
		{Effect: policy.Allow, Classes: []policy.Class{policy.Read}},
		{Effect: policy.Confirm, Classes: []policy.Class{policy.Create, policy.Update, policy.Delete, policy.Admin}},
	}}
	w, free := withHeadless(t, func(c *setup) {
		c.Servers[0].Policy = confirm
		held := c.Servers[len(c.Servers)-1]
		held.Name, held.Policy = "held-rest", confirm
		c.Servers = append(c.Servers, held)
	})
	tools, rest := rep(w), w.connect(salesforcesim.RepID, "chatgpt", "held-rest")
	const contact = `"sobject-name":"Contact","id":"003xx000004TmiQAAS","relationship-path":`
	const url = `"url":"/services/data/v67.0/sobjects/Contact/003xx000004TmiQAAS/Account"`
	const patch = `{"method":"PATCH",` + url + `,"body":{"Industry":"Energy"}}`
	const composite = `{"url":"/services/data/v67.0/composite","method":"POST","body":{"compositeRequest":[{"method":"PATCH","referenceId":"a",` + url + `,"body":{"Industry":"Energy"}}]}}`
	for _, call := range []struct {
		c               *client
		tool, arguments string
	}{
		{tools, "updateRelatedRecord", `{` + contact + `"Account","body":{"Industry":"Energy"}}`},
		{tools, "updateRelatedRecord", `{` + contact + `"ReportsTo/Account","body":{"Industry":"Energy"}}`},
		{tools, "updateRelatedRecord", `{` + contact + `"Owner","body":{"Title":"CEO"}}`},
		{tools, "deleteRelatedRecord", `{` + contact + `"Account"}`},
		{rest, "dispatch", patch},
		{rest, "dispatch", `{"method":"DELETE",` + url + `}`},
		{rest, "dispatch", composite},
	} {
		before := len(w.forwarded())
		a := call.c.tool(call.tool, call.arguments)
		if !a.failed() || !strings.Contains(a.text(), "change or delete that one by its own id") || slices.Contains(w.forwarded()[before:], call.tool) {
			t.Errorf("%s %s: %s", call.tool, call.arguments, a.body)
		}
	}
	if waiting, err := w.approvals.List(t.Context(), approval.Filter{State: approval.Pending}); err != nil || len(waiting) != 0 {
		t.Errorf("waiting: %d, %v", len(waiting), err)
	}
	w.wantHeld("a record that is named", tools.tool("updateSobjectRecord", `{"sobject-name":"Contact","id":"003xx000004TmiQAAS","body":{"Title":"CEO"}}`))
	w.wantHeld("a record that a request within names", rest.tool("dispatch", strings.Replace(composite, "/Account", "", 1)))
	before := len(w.forwarded())
	if free.tool("dispatch", patch); !slices.Contains(w.forwarded()[before:], "dispatch") {
		t.Error("nobody has to be asked, and it was not sent")
	}
}
