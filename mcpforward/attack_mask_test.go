package mcpforward

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// canaryMark is in every text of a hidden field that these tests write.
const canaryMark = "canary"

// hidingWorld has the server masked, where rules hide fields, with its REST tools at masked-rest
// and Apex actions at masked-apex, and writer, where nothing is hidden.
func hidingWorld(t *testing.T, rules ...policy.Rule) *world {
	t.Helper()
	return newWorld(t, func(c *setup) {
		at := func(name, hosted string, p *policy.Policy) {
			s := c.Servers[0]
			s.Name, s.URL, s.Policy = name, strings.Replace(s.URL, "platform/sobject-all", hosted, 1), p.For(hosted)
			c.Servers = append(c.Servers, s)
		}
		p := &policy.Policy{Name: "hiding", Rules: rules}
		at("masked", "platform/sobject-all", p)
		at("masked-rest", "platform/headless-360", p)
		at("masked-apex", "custom/AcmeOps", p)
		at("writer", "platform/sobject-all", allowAll())
	})
}

// canaries are records of which every text of a hidden field holds the mark.
type canaries struct{ account, contact, openCase, deal string }

// writeCanaries makes them.
func writeCanaries(w *world) (ids canaries) {
	w.t.Helper()
	c := w.connect(salesforcesim.RepID, "claude", "writer")
	create := func(object, body string) string {
		w.t.Helper()
		a := c.tool("createSobjectRecord", fmt.Sprintf(`{"sobject-name":%q,"body":%s}`, object, body))
		var made struct{ ID string }
		if a.failed() || json.Unmarshal([]byte(a.Result.Content[0].Text), &made) != nil || made.ID == "" {
			w.t.Fatalf("%s: %s", object, a.body)
		}
		return made.ID
	}
	ids.account = create("Account", `{"Name":"canary account","Phone":"canary-1","Website":"canary.example","Description":"canary text","BillingCity":"canary city","BillingCountry":"Italy","Industry":"Energy","NumberOfEmployees":77001}`)
	ids.contact = create("Contact", fmt.Sprintf(`{"FirstName":"canary","LastName":"canary-last","AccountId":%q,"Title":"canary title","Department":"canary dep","Email":"canary@x.example","Phone":"canary-2","MobilePhone":"canary-3","Fax":"canary-4","Description":"canary text"}`, ids.account))
	ids.openCase = create("Case", fmt.Sprintf(`{"AccountId":%q,"ContactId":%q,"Subject":"Visible subject","Description":"canary text"}`, ids.account, ids.contact))
	ids.deal = create("Opportunity", fmt.Sprintf(`{"AccountId":%q,"Name":"Visible deal","StageName":"Prospecting","CloseDate":"2027-01-01","Description":"canary text"}`, ids.account))
	return ids
}

// hideCanaries is a rule that hides every field that writeCanaries fills with the mark.
func hideCanaries() policy.Rule {
	return policy.Rule{Effect: policy.Allow, Tools: []string{"*"},
		Mask: []string{"Account.Name", "Account.Phone", "Account.BillingCity", "Account.NumberOfEmployees", "Contact.FirstName", "Contact.LastName", "Contact.Title", "Contact.Phone", "Contact.MobilePhone", "*.Description"},
		Drop: []string{"Account.Website", "Contact.Department", "Contact.Email", "Contact.Fax"},
	}
}

// canaryCalls are calls whose answers hold hidden fields, at the server of that name.
func canaryCalls(ids canaries) map[string][][2]string {
	query := func(q string) [2]string { return [2]string{"soqlQuery", fmt.Sprintf(`{"q":%q}`, q)} }
	get := func(url string) [2]string {
		return [2]string{"dispatch", fmt.Sprintf(`{"method":"GET","url":"/services/data/v67.0/%s"}`, url)}
	}
	const contactFields = "Id, Name, FirstName, LastName, Title, Department, Email, Phone, MobilePhone, Fax, Description"
	return map[string][][2]string{
		"masked": {
			query("SELECT " + contactFields + " FROM Contact WHERE Id = '" + ids.contact + "'"),
			query("SELECT FIELDS(ALL) FROM Contact WHERE Id = '" + ids.contact + "' LIMIT 5"),
			query("SELECT FIELDS(STANDARD) FROM Account WHERE Id = '" + ids.account + "'"),
			query("SELECT Id, Name, BillingCity, BillingAddress, NumberOfEmployees FROM Account WHERE Id = '" + ids.account + "'"),
			query("SELECT Subject, Description, ContactEmail, ContactPhone, Contact.Name, Contact.Email, Contact.Account.Name, Contact.Account.Phone FROM Case WHERE Id = '" + ids.openCase + "'"),
			query("SELECT Id, (SELECT " + contactFields + " FROM Contacts), (SELECT Subject, Description FROM Cases) FROM Account WHERE Id = '" + ids.account + "'"),
			query("SELECT Id, FORMAT(NumberOfEmployees) n FROM Account WHERE Id = '" + ids.account + "'"),
			query("SELECT a.Name, a.Phone FROM Account a WHERE a.Id = '" + ids.account + "'"),
			{"find", `{"q":"FIND {Visible} IN NAME FIELDS RETURNING Opportunity(Id, Name, Description, Account.Name)"}`},
			{"listRecentSobjectRecords", `{"sobject-name":"Contact"}`},
			{"listRecentSobjectRecords", `{"sobject-name":"Account"}`},
			{"getRelatedRecords", fmt.Sprintf(`{"sobject-name":"Account","id":%q,"relationship-path":"Contacts"}`, ids.account)},
			{"getRelatedRecords", fmt.Sprintf(`{"sobject-name":"Contact","id":%q,"relationship-path":"Account"}`, ids.contact)},
			{"getRelatedRecords", fmt.Sprintf(`{"sobject-name":"Account","id":%q,"relationship-path":"Cases"}`, ids.account)},
		},
		"masked-rest": {
			get("sobjects/Contact/" + ids.contact),
			get("sobjects/Account/" + ids.account),
			get("sobjects/Contact"),
			get("query?q=SELECT+Name,Phone,Description+FROM+Account"),
			{"dispatch_readonly", fmt.Sprintf(`{"method":"GET","url":"/services/data/v67.0/sobjects/Contact/%s"}`, ids.contact)},
		},
		"masked-apex": {
			{"getAccountSummary", fmt.Sprintf(`{"inputs":[{"accountId":%q}]}`, ids.account)},
		},
	}
}

// What is masked or dropped reaches neither the client nor the audit log, whatever tool
// answers it, in both eras, as text and as structured content.
func TestMaskCanary(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, hideCanaries())
	ids := writeCanaries(w)
	before := len(w.entries("tool.call"))
	for server, calls := range canaryCalls(ids) {
		c := w.connect(salesforcesim.RepID, "chatgpt", server)
		stateless := &client{world: w, url: c.url, token: c.token}
		for _, call := range calls {
			for era, a := range map[string]*answer{
				"session":   c.tool(call[0], call[1]),
				"stateless": stateless.ask("tools/call", fmt.Sprintf(`"name":%q,"arguments":%s`, call[0], call[1])),
			} {
				what := fmt.Sprintf("%s, %s %s (%s)", server, call[0], call[1], era)
				switch {
				case a.failed():
					t.Errorf("%s: refused: %s", what, a.body)
				case strings.Contains(a.body, canaryMark), strings.Contains(a.body, "77001"), strings.Contains(a.body, "77,001"):
					t.Errorf("%s: told: %s", what, a.body)
				case !strings.Contains(a.body, "(hidden)") && call[0] != "listRecentSobjectRecords":
					t.Errorf("%s: hides nothing: %s", what, a.body)
				}
			}
		}
	}
	entries := w.entries("tool.call")[before:]
	if text, err := json.Marshal(entries); err != nil || strings.Contains(string(text), canaryMark) {
		t.Errorf("the audit log holds what is hidden: %s %v", text, err)
	}
	hidden := slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Outcome == audit.OK && e.Hidden > 5 })
	if !hidden {
		t.Error("no entry says how many values were hidden")
	}
}

// Who asks is a record too, whose manager, role and profile getUserInfo calls by other names
// than their fields have.
func TestMaskCanaryOfTheUser(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, policy.Rule{Effect: policy.Allow, Mask: []string{"User.Name", "User.Email"}, Drop: []string{"UserRole.Name", "User.TimeZoneSidKey"}})
	c := w.connect(salesforcesim.RepID, "chatgpt", "masked")
	a := c.tool("getUserInfo", `{}`)
	for _, told := range []string{"Morgan", "@", "Executive", "New_York", "-05:00"} {
		if a.failed() || strings.Contains(a.text(), told) || !strings.Contains(a.text(), "Sales User") {
			t.Errorf("%q in %s", told, a.body)
		}
	}
	w.switches(func(s *salesforcesim.Switches) { s.BigAnswer = true }) // one text more, which is none of JSON
	if a := c.tool("getUserInfo", `{}`); !a.failed() || !strings.Contains(a.text(), "withheld") {
		t.Errorf("what cannot be read: %s", a.text())
	}
}

// A call that would find a hidden field out is refused with words that say what to take out,
// and reaches nobody; so is what nobody can read.
func TestMaskRefusesWhatWouldBeFoundOut(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, hideCanaries(), policy.Rule{Effect: policy.Allow, Tools: []string{"prompt:*"}, Mask: []string{"Account.Name"}})
	ids := writeCanaries(w)
	c, rest := w.connect(salesforcesim.RepID, "chatgpt", "masked"), w.connect(salesforcesim.RepID, "chatgpt", "masked-rest")
	w.sim.ForgetRequests(salesforcesim.RequestFilter{})
	query := func(q string) *answer { return c.tool("soqlQuery", fmt.Sprintf(`{"q":%q}`, q)) }
	get := func(url string) *answer {
		return rest.tool("dispatch", fmt.Sprintf(`{"method":"GET","url":"/services/data/v67.0/%s"}`, url))
	}
	for want, answers := range map[string][]*answer{
		"WHERE": {query("SELECT Id FROM Contact WHERE Email LIKE 'canary%'"), query("SELECT Id FROM Case WHERE ContactEmail = 'canary@x.example'"),
			query("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName = 'canary-last')"), get("query?q=SELECT+Id+FROM+Contact+WHERE+Email+LIKE+'c%25'")},
		"ORDER BY":       {query("SELECT Id FROM Contact ORDER BY Name LIMIT 1")},
		"GROUP BY":       {query("SELECT COUNT(Id) FROM Contact GROUP BY Title")},
		"function":       {query("SELECT MAX(NumberOfEmployees) m FROM Account"), query("SELECT COUNT(Email) FROM Contact")},
		"IN NAME FIELDS": {c.tool("find", `{"q":"FIND {canary} RETURNING Contact(Id)"}`), c.tool("find", `{"q":"FIND {canary} IN EMAIL FIELDS RETURNING Contact(Id)"}`)},
		"told apart":     {c.call("prompts/get", fmt.Sprintf(`{"name":"accountReviewBriefing","arguments":{"accountId":%q}}`, ids.account)), get("parameterizedSearch?q=canary"), get("analytics/reports/00O000000000001")},
	} {
		for i, a := range answers {
			if !a.failed() || !strings.Contains(a.text(), want) {
				t.Errorf("%s, %d: %s", want, i, a.body)
			}
		}
	}
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{}) {
		if r.RPC == "tools/call" || r.RPC == "prompts/get" {
			t.Errorf("reached Salesforce: %s", r.Body)
		}
	}
	for _, e := range w.entries("tool.call") {
		if e.Server != "writer" && (e.Outcome != audit.Denied || e.Reason == "") {
			t.Errorf("recorded %+v", e)
		}
	}
}

// An answer in an event stream is hidden in as any other, and what comes before it says
// nothing.
func TestMaskCanaryInEventStreams(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, hideCanaries())
	ids := writeCanaries(w)
	w.switches(func(s *salesforcesim.Switches) { s.Framing, s.ProgressNotifications = "sse", 2 })
	c := w.connect(salesforcesim.RepID, "chatgpt", "masked")
	call := canaryCalls(ids)["masked"][0]
	if a := c.tool(call[0], call[1]); a.failed() || strings.Contains(a.body, canaryMark) || !strings.Contains(a.body, "(hidden)") || strings.Contains(a.body, "step 1") {
		t.Errorf("%s", a.body)
	}
}

// FW-22: of progress nothing passes beside how far it is, whatever a hosted server writes next to that.
func TestFW22ProgressTellsNothingHidden(t *testing.T) {
	t.Parallel()
	c := newCall(&request{}, audit.ToolCall)
	c.decision.Obligations.Hiding = mask.New([]string{"Contact.SSN__c"}, nil)
	for params, want := range map[string]string{
		`{"progressToken":"a","progress":1,"total":2.5,"message":"078-05-1120"}`:                                         `{"progressToken":"a","progress":1,"total":2.5}`,
		`{"Message":"078-05-1120","progressToken":7,"progress":1,"data":["078-05-1120"],"_meta":{"text":"078-05-1120"}}`: `{"progressToken":7,"progress":1}`,
		`{"progressToken":"a","progress":1,"total":"078-05-1120"}`:                                                       `{"progressToken":"a","progress":1}`,
	} {
		m := c.obligations.pass(jsonrpc.Request(nil, "notifications/progress", jsontext.Value(params)))
		if m == nil || string(m.Params) != want {
			t.Errorf("%s: %+v", params, m)
		}
	}
	if m := c.obligations.pass(jsonrpc.Request(nil, "notifications/message", jsontext.Value(`{"data":"078-05-1120"}`))); m != nil {
		t.Errorf("a log message passes: %+v", m)
	}
}

// A call that was approved is answered from the record afterwards: that is what the client got,
// without what is hidden.
func TestMaskCanaryInRepeatedAnswers(t *testing.T) {
	t.Parallel()
	rule := hideCanaries()
	rule.Effect = policy.Confirm
	w := hidingWorld(t, rule)
	ids := writeCanaries(w)
	c := w.connect(salesforcesim.RepID, "chatgpt", "masked")
	call := canaryCalls(ids)["masked"][0]
	w.wantHeld("asks", c.tool(call[0], call[1]))
	w.decide(true)
	first, again := c.tool(call[0], call[1]), c.tool(call[0], call[1])
	for what, a := range map[string]*answer{"the answer": first, "its repeat": again} {
		if a.failed() || strings.Contains(a.body, canaryMark) || !strings.Contains(a.body, "(hidden)") {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	if !strings.Contains(again.text(), "not made again") {
		t.Errorf("made again: %s", again.body)
	}
}

// What cannot be read is withheld, and the client and the log are told why.
func TestMaskWithholdsWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, hideCanaries())
	ids := writeCanaries(w)
	w.switches(func(s *salesforcesim.Switches) { s.BigAnswer = true }) // one text more, which is none of JSON
	c := w.connect(salesforcesim.RepID, "chatgpt", "masked")
	call := canaryCalls(ids)["masked"][0]
	if a := c.tool(call[0], call[1]); !a.failed() || strings.Contains(a.body, canaryMark) || !strings.Contains(a.text(), "withheld") {
		t.Errorf("%s", a.body)
	}
	if e := w.last(); e.Outcome != audit.OK || !strings.Contains(e.Reason, "withheld") || e.Rows != nil {
		t.Errorf("recorded %+v", e)
	}
}

// A description leaves out what is dropped, and keeps what is masked.
func TestMaskLeavesDroppedFieldsOutOfDescriptions(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, hideCanaries())
	c := w.connect(salesforcesim.RepID, "chatgpt", "masked")
	a := c.tool("getObjectSchema", `{"objects":"Contact,Account"}`)
	if a.failed() || strings.Contains(a.body, `"Email`) || strings.Contains(a.body, "Department") || !strings.Contains(a.body, "MobilePhone") || !strings.Contains(a.body, "LastName") {
		t.Errorf("%s", a.body)
	}
	if a := c.tool("getObjectSchema", `{}`); a.failed() || !strings.Contains(a.body, "Opportunities") {
		t.Errorf("the index: %s", a.body)
	}
}

// P6: the records of answers that no LIMIT bounds are counted there, and cut.
func TestP6RowsOfAnswers(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, policy.Rule{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, MaxRows: 2})
	writer := w.connect(salesforcesim.RepID, "claude", "writer")
	ids := writeCanaries(w)
	for i := range 4 {
		if a := writer.tool("createSobjectRecord", fmt.Sprintf(`{"sobject-name":"Contact","body":{"LastName":"Row %d","AccountId":%q}}`, i, ids.account)); a.failed() {
			t.Fatal(a.body)
		}
	}
	c, rest := w.connect(salesforcesim.RepID, "chatgpt", "masked"), w.connect(salesforcesim.RepID, "chatgpt", "masked-rest")
	for what, a := range map[string]*answer{
		"related": c.tool("getRelatedRecords", fmt.Sprintf(`{"sobject-name":"Account","id":%q,"relationship-path":"Contacts"}`, ids.account)),
		"recent":  c.tool("listRecentSobjectRecords", `{"sobject-name":"Contact"}`),
		"REST":    rest.tool("dispatch", `{"method":"GET","url":"/services/data/v67.0/sobjects/Contact"}`),
	} {
		if n := strings.Count(a.body, `\"attributes\":`); a.failed() || n != 2 || !strings.Contains(a.text(), "left out") {
			t.Errorf("%s: %d records: %s", what, n, a.body)
		}
	}
	if e := w.last(); e.Rows == nil || *e.Rows != 2 || e.Cut < 3 {
		t.Errorf("recorded %+v", e)
	}
	if a := c.tool("soqlQuery", `{"q":"SELECT Id FROM Contact"}`); !a.failed() || !strings.Contains(a.text(), "LIMIT 2") {
		t.Errorf("a query without LIMIT: %s", a.body)
	}
}

// With rewrite the query gets its LIMIT; the client is told, and the log has both queries.
func TestRewriteAddsLimit(t *testing.T) {
	t.Parallel()
	w := hidingWorld(t, policy.Rule{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, MaxRows: 2, Rewrite: true, When: `server == "masked"`})
	c := w.connect(salesforcesim.RepID, "chatgpt", "masked")
	for query, want := range map[string]string{
		"SELECT Id FROM Account ORDER BY Name":                   "SELECT Id FROM Account ORDER BY Name LIMIT 2",
		"SELECT Id FROM Account LIMIT 500":                       "SELECT Id FROM Account LIMIT 2",
		"SELECT Id FROM Account WHERE Name != 'LIMIT 1'":         "SELECT Id FROM Account WHERE Name != 'LIMIT 1' LIMIT 2",
		"SELECT Id, (SELECT Id FROM Cases LIMIT 1) FROM Account": "SELECT Id, (SELECT Id FROM Cases LIMIT 1) FROM Account LIMIT 1",
	} {
		w.sim.ForgetRequests(salesforcesim.RequestFilter{})
		a := c.tool("soqlQuery", fmt.Sprintf(`{"q":%q}`, query))
		if a.failed() || !strings.Contains(a.text(), "was made with LIMIT") {
			t.Errorf("%s: %s", query, a.body)
		}
		sent := ""
		for _, r := range w.sim.Requests(salesforcesim.RequestFilter{RPC: "tools/call"}) {
			sent = r.Body
		}
		if !strings.Contains(sent, want+`"`) {
			t.Errorf("%s: sent %s", query, sent)
		}
		entries := w.entries("tool.call")
		intent := entries[len(entries)-2]
		if intent.Outcome != audit.Intent || !strings.Contains(string(intent.Arguments), query+`"`) || !strings.Contains(string(intent.Sent), want+`"`) {
			t.Errorf("recorded %s, sent %s", intent.Arguments, intent.Sent)
		}
	}
	if a := c.tool("soqlQuery", `{"q":"SELECT Id FROM Account LIMIT 2"}`); a.failed() || strings.Contains(a.text(), "was made with") {
		t.Errorf("a query that is bounded: %s", a.body)
	}
}

// What a tool says of its failure may quote a record, whatever sentences of Salesforce's stand in it:
// of them alone the client is told.
func TestErrorsThatQuoteHiddenFields(t *testing.T) {
	t.Parallel()
	h := &hidingReader{reader: mask.New([]string{"Contact.SSN__c"}, nil).NewReader(mask.Asked{}), fields: true, failed: true}
	for text, want := range map[string]string{
		"Apex failed: SSN__c 123-45-6789 is not valid":                                   textErrorHidden,
		"UNKNOWN_EXCEPTION: System.DmlException: SSN__c 123-45-6789 is not valid":        textErrorHidden + " It holds the words: UNKNOWN_EXCEPTION.",
		"Unexpected error while invoking tool updateIt: SSN__c 123-45-6789 is not valid": textErrorHidden + " It holds the words: Unexpected error while invoking tool.",
	} {
		out, err := h.text(jsonrpc.Quote(text))
		if err != nil || string(out) != string(jsonrpc.Quote(want)) {
			t.Errorf("%s: %s, %v", text, out, err)
		}
	}
	for _, masked := range [][]string{nil, {"Contact.SSN__c"}} {
		p := &policy.Policy{Name: "hiding", Rules: []policy.Rule{{Effect: policy.Allow, Mask: masked}}}
		c := newCall(&request{msg: &jsonrpc.Message{Method: "tools/call"}}, audit.ToolCall)
		c.tool, c.decision = "soqlQuery", p.Decide(policy.Principal{}, policy.Call{Tool: "soqlQuery", Arguments: []byte(`{"q":"SELECT SSN__c FROM Contact"}`)})
		o := c.ending.outcomeOf(&jsonrpc.Message{Error: &jsonrpc.Error{Code: jsonrpc.InternalError, Message: "SSN__c 123-45-6789 is not valid"}}, nil)
		if passed := strings.Contains(o.refused.Message, "123-45"); passed != (masked == nil) {
			t.Errorf("an error where %v are hidden: %s", masked, o.refused.Message)
		}
	}
}
