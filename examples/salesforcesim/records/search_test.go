package records

import (
	"encoding/json"
	"strings"
	"testing"
)

// search runs a SOSL statement and says what came back, as Type:Name.
func (c reader) search(q string) string {
	c.t.Helper()
	text, refused := c.do(func(v *View) (Object, *Error) { return v.Search(q) })
	if refused != nil {
		return refused.Code
	}
	var answer struct {
		SearchRecords []map[string]any `json:"searchRecords"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		c.t.Fatal(err)
	}
	var found []string
	for _, o := range answer.SearchRecords {
		name, _ := o["Name"].(string)
		found = append(found, o["attributes"].(map[string]any)["type"].(string)+":"+name)
	}
	return strings.Join(found, ", ")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	for _, tt := range []struct{ q, want string }{
		{"FIND {Helios} IN ALL FIELDS RETURNING Account(Id, Name), Opportunity(Name)", "Account:Helios Energy GmbH, Opportunity:Helios monitoring pilot"},
		{"find {hElIoS} returning account(name)", "Account:Helios Energy GmbH"},
		{"FIND {Helio} RETURNING Account(Name)", ""},
		{"FIND {Helio*} RETURNING Account(Name)", "Account:Helios Energy GmbH"},
		{"FIND {H?lios} RETURNING Account(Name)", "Account:Helios Energy GmbH"},
		{"FIND {Northwind Storage} RETURNING Account(Name)", "Account:Northwind Cold Storage"},
		{"FIND {Northwind AND Storage} RETURNING Account(Name)", "Account:Northwind Cold Storage"},
		{`FIND {"Northwind Storage"} RETURNING Account(Name)`, ""},
		{`FIND {"Northwind Cold"} RETURNING Account(Name)`, "Account:Northwind Cold Storage"},
		{"FIND {Meridian OR Cascade} RETURNING Account(Name ORDER BY Name DESC)", "Account:Meridian Retail Group, Account:Cascade Health Partners"},
		{"FIND {Northwind} RETURNING Account(Name WHERE BillingCity = 'Seattle')", "Account:Northwind Logistics"},
		{"FIND {Northwind} RETURNING Account(Name ORDER BY Name LIMIT 1)", "Account:Northwind Cold Storage"},
		{"FIND {Northwind} RETURNING Account(Name ORDER BY Name), Opportunity(Name) LIMIT 1", "Account:Northwind Cold Storage"},
		{"FIND {Seattle} IN NAME FIELDS RETURNING Account(Name)", ""},
		{"FIND {Seattle} IN ALL FIELDS RETURNING Account(Name)", "Account:Northwind Logistics"},
		{"FIND {northwind} IN EMAIL FIELDS RETURNING Contact(Name)", "Contact:Dana Whitfield, Contact:Luis O'Brien"},
		{`FIND {206 555\-0142 OR 0142} IN PHONE FIELDS RETURNING Account(Name)`, "Account:Northwind Logistics"},
		{"FIND {Kröger} RETURNING Contact(Name)", "Contact:Anneliese Kröger"},
		{"FIND {Fjord}", "Lead:"},
		{"FIND {Helios} RETURNING Account", "Account:"},
		{"FIND {price} RETURNING Secret__c(Name)", "INVALID_TYPE"},
		{"FIND {149,000}", ""}, // only in a hidden object
		{"FIND {Helios} RETURNING Account(Nmae)", "INVALID_FIELD"},
		{"FIND {a} RETURNING Account", "MALFORMED_SEARCH"},
		{"FIND {*} RETURNING Account", "MALFORMED_SEARCH"},
		{"FIND {} RETURNING Account", "MALFORMED_SEARCH"},
		{"FIND {Helios OR} RETURNING Account", "MALFORMED_SEARCH"},
		{"FIND {Helios RETURNING Account", "MALFORMED_SEARCH"},
		{"FIND {Helios} IN SOME FIELDS RETURNING Account", "MALFORMED_SEARCH"},
		{"FIND {Helios} RETURNING Account(COUNT())", "MALFORMED_SEARCH"},
		{"FIND {Helios} RETURNING Account) LIMIT 5", "MALFORMED_SEARCH"},
		{"SELECT Id FROM Account", "MALFORMED_SEARCH"},
	} {
		if got := c.search(tt.q); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.q, got, tt.want)
		}
	}
}

func TestSearchHiddenField(t *testing.T) {
	t.Parallel()
	u := rep()
	u.HiddenFields = []string{"Contact.Email"}
	if got := readAs(t, u).search("FIND {whitfield AND northwind} RETURNING Contact(Name)"); got != "" {
		t.Errorf("found by a hidden field: %q", got)
	}
	if got := readAs(t, manager()).search("FIND {149,000}"); got != "Secret__c:" {
		t.Errorf("the manager finds %q", got)
	}
}
