package records

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The text of the answer is compared byte for byte: order of members and the fraction
// of totalSize are facts.
func TestQueryAnswerText(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	account := fmt.Sprintf(`{"type":"Account","url":"/services/data/v64.0/sobjects/Account/%s"}`, northwindID)
	for _, tt := range []struct{ q, want string }{
		{"SELECT COUNT() FROM Account", `{"totalSize":5.0,"done":true,"records":[]}`},
		{"select name, numberofemployees, ANNUALREVENUE from account where id = '" + northwindID[:15] + "'",
			`{"totalSize":1.0,"done":true,"records":[{"attributes":` + account + `,"Name":"Northwind Logistics","NumberOfEmployees":620,"AnnualRevenue":84000000.0}]}`},
		{"SELECT Subject, Account.Name, Account.Owner.Name, Contact.Name FROM Case WHERE CaseNumber = '00001002'",
			`{"totalSize":1.0,"done":true,"records":[{"attributes":{"type":"Case","url":"/services/data/v64.0/sobjects/Case/` + RecordID("500", 2) + `"},` +
				`"Subject":"Invoice shows the old address","Account":{"attributes":` + account + `,"Name":"Northwind Logistics",` +
				`"Owner":{"attributes":{"type":"User","url":"/services/data/v64.0/sobjects/User/` + repID + `"},"Name":"Riley Reyes"}},"Contact":null}]}`},
		{"SELECT Name, (SELECT LastName FROM Contacts WHERE LastName LIKE 'W%') FROM Account WHERE Name LIKE 'Northwind%' ORDER BY Name DESC",
			`{"totalSize":2.0,"done":true,"records":[{"attributes":` + account + `,"Name":"Northwind Logistics","Contacts":{"totalSize":1.0,"done":true,"records":[` +
				`{"attributes":{"type":"Contact","url":"/services/data/v64.0/sobjects/Contact/` + RecordID("003", 1) + `"},"LastName":"Whitfield"}]}},` +
				`{"attributes":{"type":"Account","url":"/services/data/v64.0/sobjects/Account/` + RecordID("001", 5) + `"},"Name":"Northwind Cold Storage","Contacts":null}]}`},
		{"SELECT What.Name, What.Type, Who.Id FROM Task WHERE Subject LIKE 'Call%'",
			`{"totalSize":1.0,"done":true,"records":[{"attributes":{"type":"Task","url":"/services/data/v64.0/sobjects/Task/` + RecordID("00T", 1) + `"},` +
				`"What":{"attributes":{"type":"Case","url":"/services/data/v64.0/sobjects/Case/` + RecordID("500", 1) + `"},"Name":"00001001","Type":"Case"},"Who":null}]}`},
	} {
		text, refused := c.query(tt.q)
		if diff := cmp.Diff(tt.want, text); diff != "" || refused != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.q, refused, diff)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	for _, tt := range []struct{ q, code, says string }{
		{"SELECT Id, Name FROM Secret__c", "INVALID_TYPE",
			"\nSELECT Id, Name FROM Secret__c\n                     ^\nERROR at Row:1:Column:22\nsObject type 'Secret__c' is not supported. If you are attempting to use a custom object, be sure to append the '__c'"},
		{"SELECT Id\nFROM Wombat", "INVALID_TYPE", "\nFROM Wombat\n     ^\nERROR at Row:2:Column:6\nsObject type 'Wombat'"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT Account__c FROM Secret__c)", "INVALID_TYPE", "sObject type 'Secret__c'"},
		{"SELECT Id, (SELECT Id FROM Secrets__r) FROM Account", "INVALID_TYPE", "Didn't understand relationship 'Secrets__r'"},
		{"SELECT Id, (SELECT Id FROM Nothing) FROM Account", "INVALID_TYPE", "Didn't understand relationship 'Nothing'"},
		{"SELECT Nmae FROM Account", "INVALID_FIELD", "ERROR at Row:1:Column:8\nNo such column 'Nmae' on entity 'Account'."},
		{"SELECT Acount.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Acount'"},
		{"SELECT Account.Nmae FROM Contact", "INVALID_FIELD", "No such column 'Nmae' on entity 'Account'."},
		{"SELECT What.Phone FROM Task", "INVALID_FIELD", "on entity 'Name'"},
		{"SELECT Id FROM Account WHERE Nmae = 'x'", "INVALID_FIELD", "No such column"},
		{"SELECT Id FROM Account ORDER BY Nmae", "INVALID_FIELD", "No such column"},
		{"SELECT Name, Id, name FROM Account", "INVALID_FIELD", "duplicate field selected: Name"},
		{"SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "field 'Description' can not be filtered"},
		{"SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted"},
		{"SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD", "must be of type string and should be enclosed in quotes"},
		{"SELECT Id FROM Account WHERE AnnualRevenue > '5'", "INVALID_FIELD", "must be of type currency and should not be enclosed in quotes"},
		{"SELECT Id FROM Opportunity WHERE CloseDate > '2026-01-01'", "INVALID_FIELD", "must be of type date"},
		{"SELECT Id FROM Opportunity WHERE CloseDate > 2026-01-01T00:00:00Z", "INVALID_FIELD", "must be of type date"},
		{"SELECT Id FROM Case WHERE IsClosed = 'true'", "INVALID_FIELD", "must be of type boolean"},
		{"SELECT Id FROM Account WHERE Id = 'nonsense'", "INVALID_FIELD", "must be of type id"},
		{"SELECT Id FROM Account WHERE AnnualRevenue LIKE '5%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on currency field"},
		{"SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"},
		{"SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"},
		{"SELECT FIELDS(ALL) FROM Account LIMIT 201", "MALFORMED_QUERY", "LIMIT of at most 200"},
		{"SELECT Id FROM Account WHERE Type = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY", "unexpected token: 'OR'"},
		{"SELECT Id FORM Account", "MALFORMED_QUERY", "ERROR at Row:1:Column:11\nunexpected token: 'FORM'"},
		{"SELECT FROM Account", "MALFORMED_QUERY", "unexpected token: 'FROM'"},
		{"SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"},
		{"SELECT * FROM Account", "MALFORMED_QUERY", "unexpected token: '*'"},
		{"SELECT Id FROM Account;", "MALFORMED_QUERY", "unexpected token: ';'"},
		{"SELECT Id FROM Account WHERE Name = 'open", "MALFORMED_QUERY", "not closed"},
		{`SELECT Id FROM Account WHERE Name = 'a\q'`, "MALFORMED_QUERY", "Illegal character sequence"},
		{"SELECT Id FROM Account WHERE Name = :name", "MALFORMED_QUERY", "unexpected token: ':'"},
		{"SELECT Id FROM Account GROUP BY Name", "MALFORMED_QUERY", "Field must be grouped or aggregated: Id"},
		{"SELECT COUNTED(Id) FROM Account", "MALFORMED_QUERY", "unexpected token: '('"},
		{"SELECT Id FROM Account LIMIT -1", "MALFORMED_QUERY", "unexpected token: '-1'"},
		{"DELETE FROM Account", "MALFORMED_QUERY", "unexpected token: 'DELETE'"},
		{"SELECT Id FROM Account WHERE " + strings.Repeat("(", 5000) + "Name = 'a'" + strings.Repeat(")", 5000), "MALFORMED_QUERY", "unexpected token"},
		{"SELECT Id FROM Account WHERE " + strings.Repeat("NOT ", 5000) + "Name = 'a'", "MALFORMED_QUERY", "unexpected token"},
		{"SELECT Id FROM Account WHERE Name = '" + strings.Repeat("x", maxQuery) + "'", "MALFORMED_QUERY", "longer than"},
		{"", "MALFORMED_QUERY", "unexpected token: '<EOF>'"},
	} {
		text, refused := c.query(tt.q)
		if refused == nil || refused.Code != tt.code || !strings.Contains(refused.Message, tt.says) {
			t.Errorf("%.80s: %v %.100s; want %s: … %s", tt.q, refused, text, tt.code, tt.says)
		}
	}
}

func TestQueryMore(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	for i := range 2 * QueryBatch {
		c.create("Task", map[string]any{"Subject": fmt.Sprint("bulk ", i)})
	}
	page := c.answer("SELECT Id, Subject FROM Task WHERE Subject LIKE 'bulk %' ORDER BY CreatedDate, Id")
	if page["totalSize"] != 4000.0 || page["done"] != false || len(page["records"].([]any)) != QueryBatch {
		t.Fatalf("first page: totalSize %v, done %v, %d records", page["totalSize"], page["done"], len(page["records"].([]any)))
	}
	more, _ := page["nextRecordsUrl"].(string)
	locator, found := strings.CutPrefix(more, "/services/data/v64.0/query/")
	if !found || !strings.HasPrefix(locator, "01g") || !strings.HasSuffix(more, "-2000") {
		t.Fatalf("nextRecordsUrl %q", more)
	}
	if _, refused := (reader{t, c.d, manager()}).do(func(v *View) (Object, *Error) { return v.QueryMore(locator) }); refused == nil {
		t.Error("another user's locator is answered")
	}
	text, refused := c.do(func(v *View) (Object, *Error) { return v.QueryMore(locator) })
	var rest map[string]any
	if err := json.Unmarshal([]byte(text), &rest); err != nil {
		t.Fatal(err, refused)
	}
	records := rest["records"].([]any)
	if rest["done"] != true || len(records) != QueryBatch || records[0].(map[string]any)["Subject"] != "bulk 2000" {
		t.Errorf("second page: done %v, %d records, first %v", rest["done"], len(records), records[0])
	}
}

func TestFieldLevelSecurity(t *testing.T) {
	t.Parallel()
	u := rep()
	u.HiddenFields = []string{"Account.AnnualRevenue", "Case.CaseNumber"}
	c := readAs(t, u)
	for _, q := range []string{
		"SELECT AnnualRevenue FROM Account", "SELECT Account.AnnualRevenue FROM Contact",
		"SELECT Id FROM Account WHERE AnnualRevenue > 5", "SELECT Id FROM Account ORDER BY AnnualRevenue",
		"SELECT Id FROM Contact WHERE Account.AnnualRevenue > 5",
	} {
		if code := c.code(q); code != "INVALID_FIELD" {
			t.Errorf("%s: %q, want INVALID_FIELD", q, code)
		}
	}
	for name, ask := range map[string]func(*View) (Object, *Error){
		"FIELDS(ALL)": func(v *View) (Object, *Error) { return v.Query("SELECT FIELDS(ALL) FROM Account LIMIT 200") },
		"describe":    func(v *View) (Object, *Error) { return v.Describe("Account") },
		"related":     func(v *View) (Object, *Error) { return v.Related("Contact", RecordID("003", 1), "Account") },
	} {
		text, refused := c.do(ask)
		if refused != nil || strings.Contains(text, "AnnualRevenue") || !strings.Contains(text, "Industry") {
			t.Errorf("%s: hidden field shown, or nothing: %v %.200s", name, refused, text)
		}
	}
	text, refused := c.query("SELECT What.Name FROM Task WHERE Subject LIKE 'Call%'")
	if refused != nil || !strings.Contains(text, `"Name":null`) || strings.Contains(text, "00001001") {
		t.Errorf("hidden name shown through What: %v %s", refused, text)
	}
}
