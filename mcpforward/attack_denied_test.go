package mcpforward

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// everyTool has a call of each tool of the server, by a name for the table, about the canaries.
func everyTool(ids canaries) map[string][2]string {
	query := func(q string) [2]string { return [2]string{"soqlQuery", fmt.Sprintf(`{"q":%q}`, q)} }
	return map[string][2]string{
		"query account":    query("SELECT Id, Name FROM Account WHERE Id = '" + ids.account + "' LIMIT 5"),
		"query contact":    query("SELECT Id, Email FROM Contact WHERE Id = '" + ids.contact + "' LIMIT 5"),
		"query parent":     query("SELECT Id, Contact.Email FROM Case WHERE Id = '" + ids.openCase + "' LIMIT 5"),
		"query children":   query("SELECT Id, (SELECT Id, Email FROM Contacts LIMIT 2) FROM Account WHERE Id = '" + ids.account + "' LIMIT 5"),
		"query condition":  query("SELECT Id FROM Case WHERE Contact.Email LIKE 'canary%' LIMIT 5"),
		"query everything": query("SELECT Id, Name FROM Account"),
		"search":           {"find", `{"q":"FIND {canary} IN ALL FIELDS RETURNING Contact(Id, Email LIMIT 5) LIMIT 5"}`},
		"recent":           {"listRecentSobjectRecords", `{"sobject-name":"Contact"}`},
		"related":          {"getRelatedRecords", fmt.Sprintf(`{"sobject-name":"Account","id":%q,"relationship-path":"Contacts"}`, ids.account)},
		"schema":           {"getObjectSchema", `{"objects":"Contact"}`},
		"user":             {"getUserInfo", `{}`},
		"create":           {"createSobjectRecord", fmt.Sprintf(`{"sobject-name":"Contact","body":{"LastName":"x","Email":"x@x.example","AccountId":%q}}`, ids.account)},
		"update":           {"updateSobjectRecord", fmt.Sprintf(`{"sobject-name":"Contact","id":%q,"body":{"Email":"y@x.example"}}`, ids.contact)},
		"update related":   {"updateRelatedRecord", fmt.Sprintf(`{"sobject-name":"Case","id":%q,"relationship-path":"Contact","body":{"Email":"z@x.example"}}`, ids.openCase)},
		"delete":           {"deleteSobjectRecord", fmt.Sprintf(`{"sobject-name":"Contact","id":%q}`, ids.contact)},
		"delete related":   {"deleteRelatedRecord", fmt.Sprintf(`{"sobject-name":"Case","id":%q,"relationship-path":"Contact"}`, ids.openCase)},
	}
}

// deniedKinds are policies, one for each kind of rule, with the calls that pass; all others are
// denied.
var deniedKinds = map[string]struct {
	rules  []policy.Rule
	passes string // names of calls, with commas
}{
	"no rule":           {nil, ""},
	"by tool":           {[]policy.Rule{{Effect: policy.Allow, Tools: []string{"soql*", "getUserInfo"}}}, "query account,query contact,query parent,query children,query condition,query everything,user"},
	"by user":           {[]policy.Rule{{Effect: policy.Deny, Users: []string{salesforcesim.RepID[:15]}}, {Effect: policy.Allow}}, ""},
	"by group":          {[]policy.Rule{{Effect: policy.Deny, Groups: []string{"pilot"}}, {Effect: policy.Allow}}, ""},
	"by client":         {[]policy.Rule{{Effect: policy.Allow, Clients: []string{"claude"}}}, ""},
	"by class":          {[]policy.Rule{{Effect: policy.Deny, Classes: []policy.Class{policy.Read}}, {Effect: policy.Deny, Classes: []policy.Class{policy.Delete}}, {Effect: policy.Allow, Tools: []string{"create*"}}}, "create"},
	"by object":         {[]policy.Rule{{Effect: policy.Deny, Objects: []string{"Contact"}}, {Effect: policy.Allow}}, "query account,query everything,user"},
	"by objects":        {[]policy.Rule{{Effect: policy.Allow, Objects: []string{"Account", "User"}}}, "query account,query everything"},
	"by field":          {[]policy.Rule{{Effect: policy.Deny, Fields: []string{"*.Email"}}, {Effect: policy.Allow}}, "query account,query everything,schema,user"},
	"by fields":         {[]policy.Rule{{Effect: policy.Allow, Fields: []string{"Account.Id", "Account.Name"}}}, "query account,query everything"},
	"by rows":           {[]policy.Rule{{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, Tools: []string{"soqlQuery", "find"}, MaxRows: 9}}, "query account,query contact,query parent,query condition,search"},
	"by a condition":    {[]policy.Rule{{Effect: policy.Deny, When: `reaches("Contact") || class == "create"`}, {Effect: policy.Allow, When: `rows < 100`}}, "query account,user"},
	"by another moment": {[]policy.Rule{{Effect: policy.Allow, When: `now < timestamp("2020-01-01T00:00:00Z")`}}, ""},
	"by what may be hidden": {[]policy.Rule{{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, Tools: []string{"soqlQuery", "find"}, Mask: []string{"Contact.Email"}}},
		"query account,query contact,query parent,query children,query everything"},
}

// What is denied never reaches Salesforce, whatever kind of rule denies it, whichever tool, in
// both eras; what passes reaches it once. No answer to what is denied holds a value of a record.
func TestFW16DeniedNeverReachesSalesforce(t *testing.T) {
	t.Parallel()
	for name, kind := range deniedKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := hidingWorld(t, kind.rules...)
			c := w.connect(salesforcesim.RepID, "chatgpt", "masked")
			stateless := &client{world: w, url: c.url, token: c.token}
			passes := strings.Split(kind.passes, ",")
			seen := map[string]bool{}
			for _, era := range []string{"session", "stateless"} {
				for call, made := range everyTool(writeCanaries(w)) {
					seen[call] = true
					before := len(w.forwarded())
					var a *answer
					if era == "session" {
						a = c.tool(made[0], made[1])
					} else {
						a = stateless.ask("tools/call", fmt.Sprintf(`"name":%q,"arguments":%s`, made[0], made[1]))
					}
					reached := len(w.forwarded()) - before
					switch pass := slices.Contains(passes, call); {
					case pass && (reached != 1 || a.failed() && made[0] != "deleteRelatedRecord"):
						t.Errorf("%s (%s) does not pass once but %d times: %s", call, era, reached, a.body)
					case !pass && (reached != 0 || !a.failed()):
						t.Errorf("%s (%s) reached Salesforce %d times: %s", call, era, reached, a.body)
					case !pass && strings.Contains(a.body, canaryMark):
						t.Errorf("%s (%s) tells of a record: %s", call, era, a.body)
					}
				}
			}
			for _, call := range passes {
				if call != "" && !seen[call] {
					t.Errorf("there is no call %q", call)
				}
			}
		})
	}
}
