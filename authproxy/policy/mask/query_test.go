package mask

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy/reach"
)

// asks reads a call of a tool as the policy does.
func asks(t *testing.T, tool, arguments string) *reach.Value {
	t.Helper()
	var all reach.Catalogue
	v, refused := all.Read(tool, jsontext.Value(arguments))
	if refused != nil {
		t.Fatalf("%s: %v", arguments, refused)
	}
	return v
}

// What uses a hidden field otherwise than by answering it is refused, with words that say
// what to take out.
func TestRefusal(t *testing.T) {
	t.Parallel()
	h := contacts()
	for _, tt := range []struct{ query, want string }{
		{"SELECT Id, SSN__c, Email FROM Contact WHERE Title = 'x' ORDER BY Title", ""},
		{"SELECT Id FROM Contact WHERE SSN__c = '1'", "hides SSN__c of Contact. The call was not made: take it out of the WHERE clause"},
		{"SELECT Id FROM Contact WHERE ssn__C LIKE '1%'", "WHERE"},
		{"SELECT Id FROM Contact c WHERE c.SSN__c != null", "WHERE"},
		{"SELECT Id FROM Contact WHERE (Title = 'x' OR NOT (Email = 'a'))", "WHERE"},
		{"SELECT Id FROM Case WHERE Contact.Email = 'a'", "WHERE"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE SSN__c = '1')", "subqueries too"},
		{"SELECT Id FROM Lead WHERE Email IN (SELECT Email FROM Contact)", "WHERE"},
		{"SELECT Id, (SELECT Id FROM Contacts WHERE SSN__c = '1') FROM Account", "WHERE"},
		{"SELECT Id FROM Contact ORDER BY SSN__c", "ORDER BY"},
		{"SELECT Id FROM Case ORDER BY Contact.SSN__c DESC NULLS LAST", "ORDER BY"},
		{"SELECT COUNT(Id) FROM Contact GROUP BY SSN__c", "GROUP BY"},
		{"SELECT SSN__c s, COUNT(Id) FROM Contact GROUP BY SSN__c", "GROUP BY"},
		{"SELECT Title, COUNT(Id) FROM Contact GROUP BY Title HAVING MAX(SSN__c) > '1'", "HAVING"},
		{"SELECT MAX(SSN__c) m FROM Contact", "the function MAX"},
		{"SELECT COUNT(SSN__c) FROM Contact", "the function COUNT"},
		{"SELECT COUNT_DISTINCT(Email) FROM Contact", "the function COUNT_DISTINCT"},
		{"SELECT FORMAT(MAX(Seats__c)) m FROM Account", "the function MAX"},
		{"SELECT Id, CALENDAR_YEAR(Birthdate) FROM Contact", "the function CALENDAR_YEAR"},
		{"SELECT FORMAT(Seats__c) s, toLabel(SSN__c) FROM Account", ""},
		{"SELECT Id FROM Lead WHERE Name = 'John Doe'", "WHERE"}, // LastName is in it
		{"SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(1,2), 'km') < 20", "WHERE"},
		{"SELECT Id FROM ContactHistory WHERE NewValue = '1'", "WHERE"},
		{"SELECT Id FROM Account WHERE PersonEmail = 'a'", "WHERE"},
		{"SELECT Id FROM Task WHERE Unknown__r.SSN__c = '1'", "WHERE"},
		{"SELECT COUNT() FROM Contact", ""},
		{"SELECT FIELDS(ALL) FROM Contact LIMIT 5", ""},
		{"SELECT TYPEOF Who WHEN Lead THEN LastName ELSE Id END FROM Task", ""},
	} {
		v := asks(t, "soqlQuery", fmt.Sprintf(`{"q":%q}`, tt.query))
		if got := h.Refusal(v); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.query, got, tt.want)
		}
	}
	for _, tt := range []struct{ search, want string }{
		{"FIND {x} RETURNING Contact(Id)", "search IN NAME FIELDS"},
		{"FIND {x} IN NAME FIELDS RETURNING Contact(Id, SSN__c)", ""},
		{"FIND {x} IN NAME FIELDS RETURNING Contact(Id WHERE SSN__c = '1')", "WHERE"},
		{"FIND {x} IN NAME FIELDS RETURNING Lead(Id)", "take Lead out of RETURNING"}, // LastName is in it
		{"FIND {x} IN EMAIL FIELDS RETURNING Contact(Id)", "search IN NAME FIELDS"},
	} {
		v := asks(t, "find", fmt.Sprintf(`{"q":%q}`, tt.search))
		if got := h.Refusal(v); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.search, got, tt.want)
		}
	}
	owner := New([]string{"Case.AccountId"}, nil)
	for query, want := range map[string]string{
		"SELECT AccountId FROM Case":    "",
		"SELECT Account.Id FROM Case":   "follow a relationship",
		"SELECT Contact.Name FROM Case": "",
	} {
		if got := owner.Refusal(asks(t, "soqlQuery", fmt.Sprintf(`{"q":%q}`, query))); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := owner.Refusal(asks(t, "getRelatedRecords", `{"sobject-name":"Case","id":"500000000000001","relationship-path":"Account"}`)); !strings.Contains(got, "follow a relationship") {
		t.Errorf("a path through a hidden field: %q", got)
	}
	for _, call := range [][2]string{
		{"getRelatedRecords", `{"sobject-name":"Account","id":"001000000000001","relationship-path":"Contacts"}`},
		{"listRecentSobjectRecords", `{"sobject-name":"Contact"}`}, {"getObjectSchema", `{"objects":"Contact"}`}, {"getObjectSchema", `{}`},
		{"updateSobjectRecord", `{"sobject-name":"Contact","id":"003000000000001","body":{"SSN__c":"1"}}`},
		{"deleteSobjectRecord", `{"sobject-name":"Contact","id":"003000000000001"}`},
		{"dispatch", `{"method":"GET","url":"/services/data/v67.0/sobjects/Contact/003000000000001"}`},
	} {
		if got := h.Refusal(asks(t, call[0], call[1])); got != "" {
			t.Errorf("%v: %q", call, got)
		}
	}
	if got := h.Refusal(asks(t, "dispatch", `{"method":"GET","url":"/services/data/v67.0/query?q=SELECT+Id+FROM+Contact+WHERE+SSN__c='1'"}`)); !strings.Contains(got, "WHERE") {
		t.Errorf("a query in a URL: %q", got)
	}
}

func TestAsked(t *testing.T) {
	t.Parallel()
	h := contacts()
	for query, want := range map[string]Asked{
		"SELECT SSN__c FROM Contact":                                               {},
		"SELECT FORMAT(Seats__c) Mine, FORMAT(AnnualRevenue) r FROM Account":       {Aliases: map[string]Action{"mine": Masked}},
		"SELECT toLabel(Contact.Email) e FROM Case":                                {Aliases: map[string]Action{"e": Dropped}},
		"SELECT FORMAT(Seats__c) FROM Account":                                     {Unnamed: Masked},
		"SELECT Id, (SELECT toLabel(SSN__c) s FROM Contacts) FROM Account LIMIT 5": {Aliases: map[string]Action{"s": Masked}},
	} {
		got := h.Asked(asks(t, "soqlQuery", fmt.Sprintf(`{"q":%q}`, query)))
		if !maps.Equal(got.Aliases, want.Aliases) || got.Unnamed != want.Unnamed {
			t.Errorf("%s: %+v", query, got)
		}
	}
}
