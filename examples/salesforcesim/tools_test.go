package salesforcesim

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// The results that were recorded from a live server: salesforce.md 2.2.
func TestResultShape(t *testing.T) {
	t.Parallel()
	d := testStore()
	o := callOptions{OrgBaseURL: "https://acme.my.salesforce.example"}
	for _, tt := range []struct{ name, args, want string }{
		{"success", `{"q":"SELECT COUNT() FROM Lead"}`,
			`{"content":[{"type":"text","text":"{\"totalSize\":2.0,\"done\":true,\"records\":[]}"}],"isError":false,` +
				`"_meta":{"salesforce/org_base_url":"https://acme.my.salesforce.example","salesforce/toolTags":["query","soql"]}}`},
		{"error", `{"q":"SELECT Id FORM Lead"}`,
			`{"content":[{"type":"text","text":"[{\"message\":\"\\nSELECT Id FORM Lead\\n          ^\\nERROR at Row:1:Column:11\\nunexpected token: 'FORM'\",\"errorCode\":\"MALFORMED_QUERY\"}]"}],` +
				`"isError":true,"_meta":{"salesforce/toolTags":["query","soql"]}}`},
	} {
		got, known := callTool(d, rep().person(), "platform/sobject-reads", "soqlQuery", json.RawMessage(tt.args), o)
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || !known {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestUnknownTool(t *testing.T) {
	t.Parallel()
	d := testStore()
	for _, tt := range [][2]string{
		{"platform/sobject-reads", "createSobjectRecord"}, {"platform/sobject-reads", "deleteSobjectRecord"},
		{"platform/sobject-mutations", "deleteSobjectRecord"}, {"platform/sobject-deletes", "updateSobjectRecord"},
		{"platform/sobject-all", "soqlquery"}, {"platform/sobject-all", ""}, {"platform/nothing", "soqlQuery"},
	} {
		if _, known := callTool(d, rep().person(), tt[0], tt[1], nil, callOptions{}); known {
			t.Errorf("%s knows %q", tt[0], tt[1])
		}
	}
}

func TestDialects(t *testing.T) {
	t.Parallel()
	const soql, sosl = `"SELECT COUNT() FROM Lead"`, `"FIND {Fjord}"`
	for _, tt := range []struct {
		tool, args, accepted string
	}{
		{"soqlQuery", `{"q":` + soql + `}`, "live both"},
		{"soqlQuery", `{"query":` + soql + `}`, "docs both"},
		{"find", `{"q":` + sosl + `}`, "live both"},
		{"find", `{"search":` + sosl + `}`, "docs both"},
		{"find", `{"query":` + sosl + `}`, ""},
		{"soqlQuery", `{"q":null,"query":` + soql + `}`, "docs both"},
	} {
		for _, dialect := range []string{"live", "docs", "both"} {
			c := callAs(t, rep())
			c.options.Dialect = dialect
			want := ""
			if !strings.Contains(tt.accepted, dialect) {
				want = "MISSING_ARGUMENT"
			}
			if got := c.call(tt.tool, tt.args).code(t); got != want {
				t.Errorf("%s %s in %s: %q, want %q", tt.tool, tt.args, dialect, got, want)
			}
		}
	}
	// Without its name the schema tool answers with the index, so a name of the other
	// dialect is overlooked.
	c := callAs(t, rep())
	if text := c.call("getObjectSchema", `{"object-name":"Account"}`).text(); strings.Contains(text, "childRelationships") {
		t.Errorf("object-name was understood in the dialect live: %.200s", text)
	}
	c.options.Dialect = "docs"
	if text := c.call("getObjectSchema", `{"object-name":"Account"}`).text(); !strings.Contains(text, "childRelationships") {
		t.Errorf("object-name was not understood in the dialect docs: %.200s", text)
	}
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	for _, tt := range []struct{ tool, args, want string }{
		{"soqlQuery", `[1]`, "JSON_PARSER_ERROR"},
		{"soqlQuery", `{"q":5}`, "JSON_PARSER_ERROR"},
		{"soqlQuery", ``, "MISSING_ARGUMENT"},
		{"soqlQuery", `null`, "MISSING_ARGUMENT"},
		{"createSobjectRecord", `{"sobject-name":"Account"}`, "MISSING_ARGUMENT"},
		{"createSobjectRecord", `{"sobject-name":"Account","body":"text"}`, "JSON_PARSER_ERROR"},
		{"createSobjectRecord", `{"sobject-name":"Account","body":[]}`, "JSON_PARSER_ERROR"},
		{"createSobjectRecord", `{"body":{"Name":"x"}}`, "MISSING_ARGUMENT"},
		{"updateSobjectRecord", `{"sobject-name":"Account","body":{"Name":"x"}}`, "MISSING_ARGUMENT"},
		{"deleteSobjectRecord", `{"sobject-name":"Account"}`, "MISSING_ARGUMENT"},
		{"getRelatedRecords", `{"sobject-name":"Account","id":"` + northwindID + `"}`, "MISSING_ARGUMENT"},
	} {
		if got := c.call(tt.tool, tt.args).code(t); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.tool, tt.args, got, tt.want)
		}
	}
	if n := len(c.d.All("Account")); n != 5 {
		t.Errorf("%d accounts after refused calls, want 5", n)
	}
}

func TestGetUserInfo(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"id": RepID, "username": RepUsername, "name": "Riley Reyes", "email": RepUsername, "role": "Account Executive",
		"profile": "Sales User", "manager": "Morgan Adeyemi", "localTime": "2026-03-10T11:00:00-04:00", "timezone": "America/New_York",
	}
	if diff := cmp.Diff(want, callAs(t, rep()).call("getUserInfo", `{}`).decode(t)); diff != "" {
		t.Errorf("getUserInfo (-want +got):\n%s", diff)
	}
	got := callAs(t, &User{ID: "005xx000001Sv8BAAS", Name: "New", Timezone: "Nowhere/Land"}).call("getUserInfo", ``).decode(t)
	if got["manager"] != nil || got["timezone"] != "UTC" {
		t.Errorf("without manager and time zone: %v", got)
	}
}

// People who sign in are found by queries, with what getUserInfo tells of them.
func TestCallerHasUserRecord(t *testing.T) {
	t.Parallel()
	c := callAs(t, &User{ID: records.RecordID("005", 77), Username: "new@acme.example", Name: "Nia New", Email: "nia@acme.example",
		Profile: "Standard User", Role: "Intern", Manager: "Riley Reyes"})
	r := c.soql("SELECT Name, Profile.Name, UserRole.Name, Manager.Name FROM User WHERE Username = 'new@acme.example'")
	want := `"Profile":{"Name":"Standard User"},"UserRole":{"Name":"Intern"},"Manager":{"Name":"Riley Reyes"}`
	raw := string(records.Encode(r[0]))
	for part := range strings.SplitSeq(strings.NewReplacer(`"Profile":{`, "", `"UserRole":{`, "", `"Manager":{`, "", "}", "").Replace(want), ",") {
		if !strings.Contains(raw, part) {
			t.Errorf("record %s lacks %s", raw, part)
		}
	}
}

func TestGetObjectSchema(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	index := c.call("getObjectSchema", `{}`)
	if text := index.text(); !strings.Contains(text, `"Opportunity"`) || strings.Contains(text, "Secret") {
		t.Errorf("index: %.300s", text)
	}
	if text := callAs(t, manager()).call("getObjectSchema", `{}`).text(); !strings.Contains(text, `"Secret__c"`) {
		t.Errorf("the manager's index lacks Secret__c")
	}
	described := c.call("getObjectSchema", `{"objects":"opportunity, Contact"}`).decode(t)["sobjects"].([]any)
	opportunity := described[0].(map[string]any)
	if len(described) != 2 || opportunity["name"] != "Opportunity" || opportunity["keyPrefix"] != "006" || opportunity["guidance"] == nil {
		t.Errorf("describe: %v", opportunity)
	}
	if text := string(records.Encode(opportunity)); !strings.Contains(text, `"referenceTo":["Account"]`) || !strings.Contains(text, `"picklistValues"`) {
		t.Errorf("describe lacks references or values: %.300s", text)
	}
	for _, each := range opportunity["fields"].([]any) {
		field := each.(map[string]any)
		if field["label"] == "" || field["name"] == "Id" && field["nillable"] != false || field["name"] == "AccountId" && field["label"] != "Account" {
			t.Errorf("field: %v", field)
		}
	}
	if text := c.call("getObjectSchema", `{"objects":"Account"}`).text(); strings.Contains(text, "Secret") {
		t.Error("child relationship of a hidden object is described")
	}
	hidden := c.call("getObjectSchema", `{"objects":"Account,Secret__c"}`)
	want := map[string]any{"errorCode": "INTERNAL_ERROR", "message": "Failed to retrieve object schema from Salesforce API: ;" +
		" nested exception is: common.exception.ApiQueryException: sObject type 'Secret__c' is not supported."}
	if diff := cmp.Diff(want, hidden.decode(t)); diff != "" || !hidden.IsError {
		t.Errorf("hidden object (-want +got):\n%s", diff)
	}
}

func TestRelatedAndRecent(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	related := func(object, id, path string) toolReply {
		return c.call("getRelatedRecords", string(records.Encode(map[string]any{"sobject-name": object, "id": id, "relationship-path": path})))
	}
	if got := related("Account", northwindID, "Contacts").decode(t); got["totalSize"] != 2.0 {
		t.Errorf("contacts: %v", got)
	}
	if got := related("Contact", records.RecordID("003", 3), "Account").decode(t); got["Name"] != "Cascade Health Partners" {
		t.Errorf("account of a contact: %v", got)
	}
	if got := related("Contact", records.RecordID("003", 3), "Account/Opportunities").decode(t); got["totalSize"] != 1.0 {
		t.Errorf("opportunities of the account of a contact: %v", got)
	}
	for _, tt := range [][3]string{
		{"Account", northwindID, "Secrets__r"}, {"Account", northwindID, "Nothing"}, {"Account", northwindID, "Parent"},
		{"Account", northwindID, "/"}, {"Account", northwindID, "Contacts/Account"},
		{"Secret__c", records.RecordID("a00", 1), "Account__r"}, {"Account", records.RecordID("001", 99), "Contacts"}, {"Contact", northwindID, "Account"},
	} {
		if got := related(tt[0], tt[1], tt[2]).code(t); got != "NOT_FOUND" {
			t.Errorf("%v: %q, want NOT_FOUND", tt, got)
		}
	}
	c.call("updateSobjectRecord", `{"sobject-name":"Account","id":"`+cascadeID+`","body":{"Rating":"Hot"}}`)
	items := c.call("listRecentSobjectRecords", `{"sobject-name":"Account"}`).decode(t)["recentItems"].([]any)
	if first := items[0].(map[string]any); first["Id"] != cascadeID || first["Name"] != "Cascade Health Partners" || len(items) != 5 {
		t.Errorf("recent items: %v", items)
	}
	if got := c.call("listRecentSobjectRecords", `{"sobject-name":"Secret__c"}`).code(t); got != "NOT_FOUND" {
		t.Errorf("recent items of a hidden object: %q", got)
	}
}

func TestInjectionIsSeeded(t *testing.T) {
	t.Parallel()
	got := callAs(t, rep()).column("SELECT Description FROM Case WHERE Subject = 'Dashboard is empty'", "Description")
	if !strings.Contains(got, "createSobjectRecord") {
		t.Errorf("description %q holds no instructions", got)
	}
}

func TestFaultyAnswers(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	c.options.UpdateAlwaysUnexpected = true
	r := c.call("updateSobjectRecord", `{"sobject-name":"Account","id":"`+northwindID+`","body":{"Name":"changed"}}`)
	if !r.IsError || r.text() != "Unexpected error while invoking tool updateSobjectRecord" {
		t.Errorf("update: %v", r)
	}
	if got := c.column("SELECT Name FROM Account WHERE Id = '"+northwindID+"'", "Name"); got != "Northwind Logistics" {
		t.Errorf("the failed update changed the name to %q", got)
	}
	c.options.BigAnswer = true
	if r := c.call("getUserInfo", `{}`); len(r.Content) != 2 || len(r.Content[1].Text) < 2<<20 {
		t.Error("the big answer is small")
	}
	c.options.MalformedTool = "find"
	raw, known := callTool(c.d, c.u.person(), c.server, "find", nil, c.options)
	if json.Unmarshal(raw, &toolReply{}) == nil || !json.Valid(raw) || !known {
		t.Errorf("the malformed answer reads well: %s", raw)
	}
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			callTool(c.d, rep().person(), c.server, "createSobjectRecord", json.RawMessage(`{"sobject-name":"Task","body":{"Subject":"parallel"}}`), c.options)
			callTool(c.d, manager().person(), c.server, "soqlQuery", json.RawMessage(`{"q":"SELECT Id, Owner.Name FROM Task"}`), c.options)
			c.d.All("Task")
		})
	}
	calls.Wait()
	if n := len(c.soql("SELECT Id FROM Task WHERE Subject = 'parallel'")); n != 20 {
		t.Errorf("%d tasks, want 20", n)
	}
}
