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
		{Effect: policy.Confirm, Classes: []policy.Class{policy.Create, policy.Update, policy.Delete, policy.Unknown, policy.Admin}},
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
	at := func(method, path, body string) string {
		if body != "" {
			body = `,"body":` + body
		}
		return `{"method":"` + method + `","url":"/services/data/v67.0/` + path + `"` + body + `}`
	}
	within := func(requests string) string {
		return at("POST", "composite", `{"compositeRequest":[`+requests+`]}`)
	}
	const found = `{"method":"GET","referenceId":"a","url":"/services/data/v67.0/query?q=SELECT+Id+FROM+Contact+LIMIT+1"}`
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
		// A record by an external id, which may be another one later, or be made.
		{rest, "dispatch", at("PATCH", "sobjects/Contact/Ext__c/7", `{"LastName":"x"}`)},
		{rest, "dispatch", at("PATCH", "sobjects/Contact/Id/003xx000004TmiQAAS", `{"LastName":"x"}`)},
		{rest, "dispatch", at("DELETE", "sobjects/Contact/Ext__c/7", "")},
		{rest, "dispatch", at("PATCH", "composite/sobjects/Contact/Ext__c", `{"records":[{"attributes":{"type":"Contact"},"Ext__c":"7","LastName":"x"}]}`)},
		{rest, "dispatch", within(`{"method":"PATCH","referenceId":"a","url":"/services/data/v67.0/sobjects/Contact/Ext__c/7","body":{"LastName":"x"}}`)},
		{rest, "dispatch", at("POST", "composite/batch", `{"batchRequests":[{"method":"DELETE","url":"v67.0/sobjects/Contact/Ext__c/7"}]}`)},
		// The record that a query finds, and what it says of one.
		{rest, "dispatch", within(found + `,{"method":"PATCH","referenceId":"b","url":"/services/data/v67.0/sobjects/Contact/@{a.records[0].Id}","body":{"LastName":"x"}}`)},
		{rest, "dispatch", within(found + `,{"method":"DELETE","referenceId":"b","url":"/services/data/v67.0/composite/sobjects?ids=@{a.records[0].Id}"}`)},
		{rest, "dispatch", within(found + `,{"method":"PATCH","referenceId":"b","url":"/services/data/v67.0/sobjects/Contact/003xx000004TmiQAAS","body":{"AccountId":"@{a.records[0].AccountId}"}}`)},
		{rest, "dispatch", within(found + `,{"method":"PATCH","referenceId":"b","url":"/services/data/v67.0/sobjects/Contact/003xx000004TmiQAAS","body":{"Title":"Like \u0040{a.records[0].Title}"}}`)},
		// The same in one of several records that a request within writes.
		{rest, "dispatch", within(found + `,{"method":"POST","referenceId":"b","url":"/services/data/v67.0/composite/sobjects","body":{"records":[{"attributes":{"type":"Contact"},"LastName":"x","AccountId":"@{a.records[0].AccountId}"}]}}`)},
		{rest, "dispatch", within(found + `,{"method":"PATCH","referenceId":"b","url":"/services/data/v67.0/composite/sobjects","body":{"records":[{"attributes":{"type":"Contact"},"Id":"003xx000004TmiQAAS","Title":"x"},{"attributes":{"type":"Contact"},"Id":"003xx000004TmiRAAS","Title":"@{a.records[0].Title}"}]}}`)},
		{rest, "dispatch", within(found + `,{"method":"POST","referenceId":"b","url":"/services/data/v67.0/composite/tree/Account","body":{"records":[{"attributes":{"type":"Account","referenceId":"c"},"Name":"x","Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"d"},"LastName":"@{a.records[0].LastName}"}]}}]}}`)},
		{rest, "dispatch", at("POST", "composite/graph", `{"graphs":[{"graphId":"1","compositeRequest":[`+found+`,{"method":"POST","referenceId":"b","url":"/services/data/v67.0/composite/sobjects","body":{"records":[{"attributes":{"type":"Contact"},"LastName":"@{a.records[0].LastName}"}]}}]}]}`)},
	} {
		before := len(w.forwarded())
		a := call.c.tool(call.tool, call.arguments)
		if !a.failed() || !strings.Contains(a.text(), "name that one by its own id") || slices.Contains(w.forwarded()[before:], call.tool) {
			t.Errorf("%s %s: %s", call.tool, call.arguments, a.body)
		}
	}
	if waiting, err := w.approvals.List(t.Context(), approval.Filter{State: approval.Pending}); err != nil || len(waiting) != 0 {
		t.Errorf("waiting: %d, %v", len(waiting), err)
	}
	w.wantHeld("a record that is named", tools.tool("updateSobjectRecord", `{"sobject-name":"Contact","id":"003xx000004TmiQAAS","body":{"Title":"CEO"}}`))
	w.wantHeld("a record that a request within names", rest.tool("dispatch", strings.Replace(composite, "/Account", "", 1)))
	w.wantHeld("a record that is made, and one that points to it", rest.tool("dispatch", within(
		`{"method":"POST","referenceId":"a","url":"/services/data/v67.0/sobjects/Account","body":{"Name":"x"}},`+
			`{"method":"POST","referenceId":"b","url":"/services/data/v67.0/sobjects/Contact","body":{"LastName":"x","AccountId":"@{a.id}"}}`)))
	w.wantHeld("a record that is made, and several that point to it", rest.tool("dispatch", within(
		`{"method":"POST","referenceId":"a","url":"/services/data/v67.0/sobjects/Account","body":{"Name":"x"}},`+
			`{"method":"POST","referenceId":"b","url":"/services/data/v67.0/composite/sobjects","body":{"records":[{"attributes":{"type":"Contact"},"LastName":"x","AccountId":"@{a.id}"}]}}`)))
	before := len(w.forwarded())
	if free.tool("dispatch", patch); !slices.Contains(w.forwarded()[before:], "dispatch") {
		t.Error("nobody has to be asked, and it was not sent")
	}
}
