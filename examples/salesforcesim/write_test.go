package salesforcesim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// create runs createSobjectRecord and returns the new id or the errorCode.
func (c toolClient) create(object, body string) string {
	c.t.Helper()
	r := c.call("createSobjectRecord", `{"sobject-name":"`+object+`","body":`+body+`}`)
	if r.IsError {
		return r.code(c.t)
	}
	got := r.decode(c.t)
	id, _ := got["id"].(string)
	if diff := cmp.Diff(map[string]any{"id": id, "success": true, "errors": []any{}}, got); diff != "" {
		c.t.Errorf("create (-want +got):\n%s", diff)
	}
	return id
}

func (c toolClient) update(object, id, body string) string {
	c.t.Helper()
	return c.call("updateSobjectRecord", `{"sobject-name":"`+object+`","id":"`+id+`","body":`+body+`}`).code(c.t)
}

func (c toolClient) remove(object, id string) string {
	c.t.Helper()
	return c.call("deleteSobjectRecord", `{"sobject-name":"`+object+`","id":"`+id+`"}`).code(c.t)
}

func TestCreate(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	id := c.create("contact", `{"attributes":{"type":"Contact"},"firstname":"Ada","LASTNAME":"Byron","AccountId":"`+northwindID[:15]+`","Title":""}`)
	if !strings.HasPrefix(id, "003") {
		t.Fatalf("id %q", id)
	}
	rows := c.d.All("Contact")
	got := rows[len(rows)-1]
	want := map[string]any{
		"Id": id, "FirstName": "Ada", "LastName": "Byron", "Name": "Ada Byron", "AccountId": northwindID, "OwnerId": RepID, "IsDeleted": false,
		"CreatedById": RepID, "CreatedDate": "2026-03-10T15:00:00.000+0000", "LastModifiedById": RepID,
		"LastModifiedDate": "2026-03-10T15:00:00.000+0000", "SystemModstamp": "2026-03-10T15:00:00.000+0000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if id := c.create("Task", `"{\"Subject\":\"body as text\"}"`); !strings.HasPrefix(id, "00T") {
		t.Errorf("a body inside of a string: %q", id)
	}
	if got := c.column("SELECT CaseNumber FROM Case WHERE Id = '"+c.create("Case", `{"Subject":"x"}`)+"'", "CaseNumber"); got != "00001004" {
		t.Errorf("case number %q", got)
	}
}

func TestCreateRefused(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	readOnly := c
	readOnly.u = &User{ID: records.RecordID("005", 9), Username: "ro@acme.example", ReadOnly: true}
	noEmail := c
	noEmail.u = &User{ID: records.RecordID("005", 8), Username: "ne@acme.example", HiddenFields: []string{"Contact.Email"}}
	for _, tt := range []struct {
		c                  toolClient
		object, body, want string
	}{
		{c, "Account", `{}`, "REQUIRED_FIELD_MISSING"},
		{c, "Account", `{"Name":""}`, "REQUIRED_FIELD_MISSING"},
		{c, "Opportunity", `{"Name":"x"}`, "REQUIRED_FIELD_MISSING"},
		{c, "Opportunity", `{"Name":"x","StageName":"Closed Won","CloseDate":"2026-05-01"}`, "FIELD_CUSTOM_VALIDATION_EXCEPTION"},
		{c, "Lead", `{"LastName":"Twin","Company":"Fjord","Email":"Noah.Lindqvist@fjordferries.example"}`, "DUPLICATES_DETECTED"},
		{c, "Account", `{"Name":"x","Nmae":"y"}`, "INVALID_FIELD"},
		{c, "Account", `{"Name":"x","Id":"` + northwindID + `"}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{c, "Account", `{"Name":"x","CreatedDate":"2026-01-01T00:00:00Z"}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{c, "Account", `{"Name":5}`, "JSON_PARSER_ERROR"},
		{c, "Account", `{"Name":"x","NumberOfEmployees":1.5}`, "JSON_PARSER_ERROR"},
		{c, "Account", `{"Name":"x","AnnualRevenue":"lots"}`, "JSON_PARSER_ERROR"},
		{c, "Opportunity", `{"Name":"x","StageName":"Prospecting","CloseDate":"tomorrow"}`, "JSON_PARSER_ERROR"},
		{c, "Account", `{"Name":"` + strings.Repeat("ö", 256) + `"}`, "STRING_TOO_LONG"},
		{c, "Contact", `{"LastName":"x","Email":"nowhere"}`, "INVALID_EMAIL_ADDRESS"},
		{c, "Contact", `{"LastName":"x","AccountId":"nonsense"}`, "MALFORMED_ID"},
		{c, "Contact", `{"LastName":"x","AccountId":"` + records.RecordID("003", 1) + `"}`, "INVALID_CROSS_REFERENCE_KEY"},
		{c, "Contact", `{"LastName":"x","AccountId":"` + records.RecordID("001", 999) + `"}`, "INVALID_CROSS_REFERENCE_KEY"},
		{c, "Secret__c", `{"Name":"x"}`, "NOT_FOUND"},
		{c, "Wombat", `{"Name":"x"}`, "NOT_FOUND"},
		{c, "User", `{"Name":"x"}`, "INSUFFICIENT_ACCESS_OR_READONLY"},
		{readOnly, "Account", `{"Name":"x"}`, "INSUFFICIENT_ACCESS_OR_READONLY"},
		{noEmail, "Contact", `{"LastName":"x","Email":"a@b.example"}`, "INVALID_FIELD"},
	} {
		before := len(c.d.All(tt.object))
		if got := tt.c.create(tt.object, tt.body); got != tt.want {
			t.Errorf("%s %.90s: %q, want %q", tt.object, tt.body, got, tt.want)
		}
		if after := len(c.d.All(tt.object)); after != before {
			t.Errorf("%s %.90s: refused, but there are %d records instead of %d", tt.object, tt.body, after, before)
		}
	}
	r := c.call("createSobjectRecord", `{"sobject-name":"Opportunity","body":{"Name":"x"}}`)
	if want := `[{"message":"Required fields are missing: [StageName, CloseDate]","errorCode":"REQUIRED_FIELD_MISSING","fields":["StageName","CloseDate"]}]`; r.text() != want {
		t.Errorf("required fields: %s", r.text())
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	c := callAs(t, manager())
	opportunity := records.RecordID("006", 1)
	if r := c.call("updateSobjectRecord", `{"sobject-name":"Opportunity","id":"`+opportunity+`","body":{"StageName":"Closed Won"}}`); r.text() != `{"success":true}` {
		t.Fatalf("update: %s", r.text())
	}
	got := c.soql("SELECT Name, Amount, Probability, IsWon, IsClosed, LastModifiedBy.Name, OwnerId FROM Opportunity WHERE Id = '" + opportunity + "'")[0].(map[string]any)
	delete(got, "attributes")
	delete(got["LastModifiedBy"].(map[string]any), "attributes")
	want := map[string]any{"Name": "Northwind renewal", "Amount": 185000.0, "Probability": 100.0, "IsWon": true, "IsClosed": true,
		"LastModifiedBy": map[string]any{"Name": "Morgan Adeyemi"}, "OwnerId": RepID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	for _, tt := range []struct{ object, id, body, want string }{
		{"Opportunity", opportunity, `{"Amount":null}`, "FIELD_CUSTOM_VALIDATION_EXCEPTION"},
		{"Opportunity", opportunity, `{"Name":null}`, "REQUIRED_FIELD_MISSING"},
		{"Opportunity", opportunity, `{"IsWon":false}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{"Opportunity", records.RecordID("006", 99), `{"Name":"x"}`, "NOT_FOUND"},
		{"Opportunity", northwindID, `{"Name":"x"}`, "NOT_FOUND"},
		{"Opportunity", "'", `{"Name":"x"}`, "MALFORMED_ID"},
		{"Lead", records.RecordID("00Q", 1), `{"Email":"amara@brightside.example"}`, "DUPLICATES_DETECTED"},
		{"Lead", records.RecordID("00Q", 1), `{"Email":"NOAH.lindqvist@fjordferries.example"}`, ""},
		{"Case", records.RecordID("500", 1), `{"Status":"Closed"}`, ""},
	} {
		if got := c.update(tt.object, tt.id, tt.body); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.object, tt.body, got, tt.want)
		}
	}
	if got := c.soql("SELECT Id FROM Case WHERE IsClosed = true AND ClosedDate = TODAY"); len(got) != 2 {
		t.Errorf("%d closed cases, want 2", len(got))
	}
}

func TestRelatedWrites(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	contact := records.RecordID("003", 3)
	args := func(path string) string {
		return `{"sobject-name":"Contact","id":"` + contact + `","relationship-path":"` + path + `","body":{"Rating":"Hot"}}`
	}
	if r := c.call("updateRelatedRecord", args("Account")); r.IsError {
		t.Fatalf("update: %s", r.text())
	}
	if got := c.column("SELECT Rating FROM Account WHERE Id = '"+cascadeID+"'", "Rating"); got != "Hot" {
		t.Errorf("rating %q", got)
	}
	for _, tool := range []string{"updateRelatedRecord", "deleteRelatedRecord"} {
		if got := c.call(tool, args("Account/Opportunities")).code(t); got != "METHOD_NOT_ALLOWED" {
			t.Errorf("%s of many: %q", tool, got)
		}
		if got := c.call(tool, args("Owner")).code(t); got == "" {
			t.Errorf("%s of a user passed", tool)
		}
	}
	if r := c.call("deleteRelatedRecord", `{"sobject-name":"Contact","id":"`+records.RecordID("003", 6)+`","relationship-path":"Account"}`); r.IsError {
		t.Fatalf("delete: %s", r.text())
	}
	if got := c.soql("SELECT Id FROM Account WHERE Name = 'Meridian Retail Group'"); len(got) != 0 {
		t.Error("the account is still there")
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	if got := c.remove("Account", cascadeID); got != "DELETE_FAILED" { // it has cases
		t.Fatalf("account with cases: %q", got)
	}
	if got := c.remove("Case", records.RecordID("500", 2)); got != "" {
		t.Fatalf("case: %q", got)
	}
	if got := c.remove("Account", northwindID); got != "" {
		t.Fatalf("account: %q", got)
	}
	for object, want := range map[string]int{"Account": 4, "Contact": 4, "Opportunity": 4, "Task": 2, "Case": 2} {
		if got := len(c.d.All(object)); got != want {
			t.Errorf("%d records of %s, want %d", got, object, want)
		}
	}
	if got := c.soql("SELECT ParentId, Parent.Name FROM Account WHERE Name = 'Northwind Cold Storage'")[0].(map[string]any); got["ParentId"] != nil {
		t.Errorf("the reference to the deleted parent stays: %v", got)
	}
	if got := c.remove("Account", northwindID); got != "ENTITY_IS_DELETED" {
		t.Errorf("again: %q", got)
	}
	if got := c.update("Account", northwindID, `{"Name":"x"}`); got != "ENTITY_IS_DELETED" {
		t.Errorf("update: %q", got)
	}
	if got := c.create("Contact", `{"LastName":"x","AccountId":"`+northwindID+`"}`); got != "ENTITY_IS_DELETED" {
		t.Errorf("reference: %q", got)
	}
	if got := c.remove("Secret__c", records.RecordID("a00", 1)); got != "NOT_FOUND" {
		t.Errorf("hidden: %q", got)
	}
	readOnly := c
	readOnly.u = &User{ID: records.RecordID("005", 9), ReadOnly: true}
	if got := readOnly.remove("Account", heliosID); got != "INSUFFICIENT_ACCESS_OR_READONLY" {
		t.Errorf("read only: %q", got)
	}
}

func TestRecycleBin(t *testing.T) {
	t.Parallel()
	now := testNow
	c := callAs(t, rep())
	c.d = storeAt(func() time.Time { return now })
	undelete := func(id string) string {
		return c.call("undeleteSobjectRecord", `{"sobject-name":"Lead","id":"`+id+`"}`).code(t)
	}
	lead := records.RecordID("00Q", 1)
	if got := undelete(lead); got != "UNDELETE_FAILED" {
		t.Errorf("a record that is not deleted: %q", got)
	}
	c.remove("Lead", lead)
	now = now.Add(records.BinTime)
	if got := undelete(lead); got != "" {
		t.Errorf("after 15 days: %q", got)
	}
	if n := len(c.d.All("Lead")); n != 2 {
		t.Errorf("%d leads, want 2", n)
	}
	c.remove("Lead", lead)
	now = now.Add(records.BinTime + time.Second)
	if got := undelete(lead); got != "UNDELETE_FAILED" {
		t.Errorf("after more than 15 days: %q", got)
	}
}
