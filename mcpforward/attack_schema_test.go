package mcpforward

import (
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// onlyThese lets reads of some objects pass.
func onlyThese(objects ...string) func(*setup) {
	return func(s *setup) {
		s.Servers[0].Policy = &policy.Policy{Name: "only", Rules: []policy.Rule{{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, Objects: objects}}}
	}
}

func runQuery(c *client, q string) *answer { return c.tool("soqlQuery", `{"q":"`+q+`"}`) }

// asked counts the entries of what the proxy asked by itself.
func (w *world) askedFor() (objects []string) {
	for _, e := range w.entries("schema.read") {
		if e.Outcome != audit.Intent {
			objects = append(objects, e.Object+" "+string(e.Outcome))
		}
	}
	return objects
}

// Where a custom relation leads is asked of Salesforce once, as the user, recorded, and the
// call is judged by that: what is allowed passes, what leads to a denied object does not.
func TestCustomRelationsAreAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onlyThese("Account", "Plan__c"))
	c := rep(w)
	for range 2 {
		if a := runQuery(c, "SELECT Name, Plan__r.Name FROM Account LIMIT 5"); a.failed() || !strings.Contains(a.text(), "records") {
			t.Fatalf("%s", a.body)
		}
	}
	if got := w.askedFor(); !slices.Equal(got, []string{"Account ok"}) {
		t.Errorf("asked for %v", got)
	}
	forwarded := len(w.forwarded())
	for _, q := range []string{
		"SELECT Id, (SELECT Value__c FROM Secrets__r) FROM Account LIMIT 5", // leads to what is not allowed
		"SELECT Nothing__r.Name FROM Account LIMIT 5",                       // the org has no such relation
		"SELECT Plan__r.Owner.Name FROM Account LIMIT 5",
	} {
		if a := runQuery(c, q); !a.failed() {
			t.Errorf("%s passed: %s", q, a.body)
		}
	}
	if n := len(w.forwarded()) - forwarded; n != 0 {
		t.Errorf("%d requests more reached Salesforce", n)
	}
	// A relation behind a relation needs both objects.
	if a := runQuery(c, "SELECT Plan__r.Account__r.Name FROM Account LIMIT 5"); a.failed() {
		t.Errorf("%s", a.body)
	}
	if got := w.askedFor(); !slices.Equal(got, []string{"Account ok", "Plan__c ok"}) {
		t.Errorf("asked for %v", got)
	}
}

// What a client asks for itself is remembered, and nothing is asked for once more.
func TestAnswersOfTheSchemaToolAreLearned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onlyThese("Account", "Plan__c"))
	c := rep(w)
	if a := c.tool("getObjectSchema", `{"objects":"Account,Plan__c"}`); a.failed() {
		t.Fatal(string(a.body))
	}
	if a := runQuery(c, "SELECT Plan__r.Account__r.Name FROM Account LIMIT 5"); a.failed() {
		t.Errorf("%s", a.body)
	}
	if got := w.askedFor(); got != nil {
		t.Errorf("asked for %v", got)
	}
}

// FW-22: what one user was told opens nothing for another: the other one's own words are asked
// for, and while Salesforce does not give them, the call stays denied.
func TestFW22SchemaOfAnotherUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onlyThese("Account", "Plan__c"))
	if a := runQuery(rep(w), "SELECT Plan__r.Name FROM Account LIMIT 5"); a.failed() {
		t.Fatal(string(a.body))
	}
	manager := w.connect(salesforcesim.ManagerID, "chatgpt", "sales")
	w.handler.schemas.Missed("acme", salesforcesim.ManagerID, "Account")
	if a := runQuery(manager, "SELECT Plan__r.Name FROM Account LIMIT 5"); !a.failed() {
		t.Errorf("passed by what another user was told: %s", a.body)
	}
	w.handler.Forget("acme", salesforcesim.ManagerID)
	if a := runQuery(manager, "SELECT Plan__r.Name FROM Account LIMIT 5"); a.failed() {
		t.Errorf("%s", a.body)
	}
}

// P3: a custom server behind which anybody's code may answer as getObjectSchema is not
// believed about the org, and neither is Salesforce about what was not asked for.
func TestP3OtherServersAreNotBelieved(t *testing.T) {
	t.Parallel()
	lie := `{"sobjects":[{"name":"Account","fields":[{"name":"Secret__c","type":"reference","relationshipName":"Secret__r","referenceTo":["Account"]}]}]}`
	told, err := jsonrpc.Reply(nil, toolResult(lie, false)).Reading()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		server, asked string
		passes        bool
	}{
		{"custom", "Account", false},
		{"sales", "Account", true},
		{"custom", "Case", false},
		{"sales", "Case", false},
	} {
		h := newWorld(t, onlyThese("Account", "Plan__c")).handler
		c := &call{request: &request{Handler: h, name: tt.server, server: h.Access.Server(tt.server)}, tool: schemaTool}
		c.grant = &grant.Grant{Org: "acme", Subject: salesforcesim.RepID}
		c.decision.Objects = []string{tt.asked}
		c.learnSchema(told)
		learned := h.schemas.For("acme", c.grant.Subject)
		if learned != nil && tt.server == "custom" {
			t.Errorf("something was learned of %s from %s", tt.asked, tt.server)
		}
		d := h.Access.Server("sales").Policy.Decide(policy.Principal{Org: "acme", Subject: c.grant.Subject}, policy.Call{
			Tool: "soqlQuery", Arguments: []byte(`{"q":"SELECT Secret__r.Name FROM Account"}`), Schema: learned})
		if passes := d.Effect == policy.Allow; passes != tt.passes {
			t.Errorf("by what %s says, asked for %s, the call is %s", tt.server, tt.asked, d.Effect)
		}
	}
}

// A denied call asks for nothing where asking is of no use: on servers without the tool, for
// users to whom the tool is hidden, while everything is stopped; and what Salesforce does not
// describe is not asked for at once again.
func TestD15WhatIsNotAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		onlyThese("Account", "Hidden__c")(s)
		s.Servers[2].Policy = s.Servers[0].Policy
		s.Servers[2].URL = strings.Replace(s.Servers[0].URL, "sobject-all", "headless-360", 1)
	})
	c, other := rep(w), w.connect(salesforcesim.RepID, "chatgpt", "custom")
	if a := other.tool("dispatch_readonly", `{"url":"/services/data/v67.0/query?q=SELECT+Plan__r.Name+FROM+Account+LIMIT+5"}`); !a.failed() {
		t.Errorf("%s", a.body)
	}
	c.tool("updateSobjectRecord", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","body":{"Plan__r":{"Key__c":"1"}}}`)
	if got := w.askedFor(); got != nil {
		t.Errorf("asked for %v", got)
	}
	for range 3 {
		runQuery(c, "SELECT Plan__r.Name FROM Hidden__c LIMIT 5")
	}
	if got := w.askedFor(); !slices.Equal(got, []string{"Hidden__c error"}) {
		t.Errorf("asked for %v", got)
	}
	if err := w.handler.Access.SetStop(t.Context(), access.StopAll, "test"); err != nil {
		t.Fatal(err)
	}
	runQuery(c, "SELECT Plan__r.Name FROM Account LIMIT 5")
	if got := w.askedFor(); len(got) != 1 {
		t.Errorf("asked for %v while everything is stopped", got)
	}
}

// P4: a formula of the org's own shows a denied, or hidden, field of another object. The org is
// asked before such a formula passes, once: what is denied of the field is denied of the formula,
// what is hidden is hidden in it, and nobody may filter by it.
func TestP4FormulasOfTheOrg(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		for name, rules := range map[string][]policy.Rule{
			"denied": {{Effect: policy.Deny, Fields: []string{"Contact.Email"}}, {Effect: policy.Allow}},
			"masked": {{Effect: policy.Allow, Mask: []string{"Contact.Email"}}}, "writer": allowAll().Rules,
		} {
			server := s.Servers[0]
			server.Name, server.Policy = name, (&policy.Policy{Name: name, Rules: rules}).For(server.URL)
			s.Servers = append(s.Servers, server)
		}
	})
	ids := writeCanaries(w)
	told, masked, manager := w.connect(salesforcesim.RepID, "chatgpt", "denied"), w.connect(salesforcesim.RepID, "chatgpt", "masked"), w.connect(salesforcesim.ManagerID, "chatgpt", "masked")
	query := "SELECT Subject, Reply_To__c FROM Case WHERE Id = '" + ids.openCase + "'"
	for _, q := range []string{query, "SELECT Id FROM Case WHERE Reply_To__c LIKE 'canary%'", "SELECT FIELDS(ALL) FROM Case LIMIT 5"} {
		if a := runQuery(told, q); !a.failed() || strings.Contains(a.body, canaryMark) {
			t.Errorf("%s passed: %s", q, a.body)
		}
	}
	for _, one := range []struct {
		who string
		*client
	}{{"who was told", masked}, {"another one", manager}} {
		who, c := one.who, one.client
		if a := runQuery(c, query); a.failed() || strings.Contains(a.body, canaryMark) || !strings.Contains(a.body, "Visible subject") || !strings.Contains(a.body, "(hidden)") {
			t.Errorf("%s: %s", who, a.body)
		}
		if a := runQuery(c, "SELECT Id FROM Case WHERE Reply_To__c LIKE 'canary%'"); !a.failed() || !strings.Contains(a.text(), "WHERE") {
			t.Errorf("%s filters by it: %s", who, a.body)
		}
	}
	if got := w.askedFor(); !slices.Equal(got, []string{"Case ok", "Case ok"}) { // each of the two
		t.Errorf("asked for %v", got)
	}
	// More objects than one call has described wait for the next call, and where nothing is
	// concealed nobody is asked.
	several := "SELECT Regions__c, (SELECT Regions__c FROM Contacts LIMIT 1), (SELECT Regions__c FROM Opportunities LIMIT 1), (SELECT Regions__c FROM Contracts LIMIT 1), " +
		"(SELECT Regions__c FROM Orders LIMIT 1), (SELECT Regions__c FROM Tasks LIMIT 1) FROM Account LIMIT 1"
	if a := runQuery(w.connect(salesforcesim.RepID, "chatgpt", "writer"), several); a.failed() || len(w.askedFor()) != 2 {
		t.Errorf("nothing is concealed: %s, asked for %v", a.body, w.askedFor())
	}
	if a := runQuery(masked, several); !a.failed() || a.text() != textUndescribed {
		t.Errorf("%s", a.body)
	}
	if a := runQuery(masked, several); a.failed() || len(w.askedFor()) != 8 {
		t.Errorf("%s, asked for %v", a.body, w.askedFor())
	}
}
