package policy

import (
	"testing"
)

// FW-22: records are also seen through other objects: histories, views, lists, person
// accounts. A denial of the records holds there, too.
func TestFW22DeniedRecordsSeenElsewhere(t *testing.T) {
	t.Parallel()
	byObject := given(deny(objects("Contact", "Secret__c", "User", "Task", "Note", "ContentDocument")), allow())
	byField := given(deny(fields("Contact.Email", "Contact.SSN__c", "Account.Website", "Secret__c.Code__c", "Task.Subject")), allow())
	onAccount := given(deny(fields("Account.SSN__pc", "Account.PersonEmail")), allow())
	for _, c := range []struct {
		policy *Policy
		call   Call
		want   string
	}{
		{byObject, soqlCall("SELECT OldValue, NewValue FROM ContactHistory"), "deny"},
		{byObject, soqlCall("SELECT NewValue FROM secret__history"), "deny"},
		{byObject, soqlCall("SELECT NewValue FROM ns__Secret__History"), "deny"},
		{byObject, soqlCall("SELECT Id FROM Secret__Share"), "deny"},
		{byObject, soqlCall("SELECT Body FROM Secret__Feed"), "deny"},
		{byObject, soqlCall("SELECT Name, Email FROM RecentlyViewed WHERE Type = 'User'"), "deny"},
		{byObject, soqlCall("SELECT NewValue FROM FieldHistoryArchive WHERE FieldHistoryType = 'Contact'"), "deny"},
		{byObject, soqlCall("SELECT Id, (SELECT Subject FROM ActivityHistories) FROM Account"), "deny"},
		{byObject, soqlCall("SELECT Id, (SELECT Subject FROM OpenActivities) FROM Account"), "deny"},
		{byObject, soqlCall("SELECT Id, (SELECT Title FROM NotesAndAttachments) FROM Account"), "deny"},
		{byObject, soqlCall("SELECT Id, (SELECT Title FROM CombinedAttachments) FROM Account"), "deny"},
		{byObject, call("listRecentSobjectRecords", `{"sobject-name":"RecentlyViewed"}`), "deny"},
		{byObject, soqlCall("SELECT OldValue, NewValue FROM AccountHistory"), "allow"},
		{byField, soqlCall("SELECT OldValue, NewValue FROM ContactHistory"), "deny"},
		{byField, soqlCall("SELECT NewValue FROM Secret__History"), "deny"},
		{byField, soqlCall("SELECT SSN__pc FROM Account"), "deny"},
		{byField, soqlCall("SELECT Id FROM Account WHERE PersonEmail LIKE 'a%'"), "deny"},
		{byField, soqlCall("SELECT Name, Email FROM RecentlyViewed"), "deny"},
		{byField, soqlCall("SELECT Id, (SELECT Subject FROM OpenActivities) FROM Account"), "deny"},
		{byField, soqlCall("SELECT Id, (SELECT ActivityDate FROM OpenActivities) FROM Account"), "allow"},
		{byField, soslCall("FIND {acme} IN NAME FIELDS RETURNING Account(Id)"), "deny"},
		{byField, soslCall("FIND {acme} IN NAME FIELDS RETURNING Lead(Id)"), "allow"},
		{byField, soqlCall("SELECT Id FROM Secret__Share"), "allow"},
		{byField, soqlCall("SELECT PersonMobilePhone FROM Account"), "allow"},
		{onAccount, soqlCall("SELECT SSN__c FROM Contact"), "deny"},
		{onAccount, soqlCall("SELECT Email FROM Contact"), "deny"},
		{onAccount, soqlCall("SELECT Phone FROM Contact"), "allow"},
		{given(deny(objects("OpportunityFieldHistory")), allow()), soqlCall("SELECT Id, (SELECT NewValue FROM Histories) FROM Opportunity"), "deny"},
		{given(allow(objects("Contact"))), soqlCall("SELECT NewValue FROM ContactHistory"), "deny"},
		{given(allow(objects("ContactHistory"))), soqlCall("SELECT NewValue FROM ContactHistory"), "allow"},
	} {
		if d := c.policy.Decide(rep, c.call); verdict(d) != c.want {
			t.Errorf("%s %s: %s (%s)", c.call.Tool, c.call.Arguments, verdict(d), d.Reason)
		}
	}
}

// What leaves traces is not a read, and a string that ends earlier for another parser
// is not read at all.
func TestFW22TracesAreNoReads(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read)))
	for _, c := range []struct {
		call Call
		want string
	}{
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/ui-api/records/001xx000003DGb1AAG?updateMru=true"}`), "deny"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/ui-api/records/001xx000003DGb1AAG","queryParams":{"updateMru":true}}`), "deny"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/parameterizedSearch?q=a&updateTracking=true"}`), "deny"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/support/knowledgeArticles/kA0xx0000000001"}`), "deny"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/ui-api/records/001xx000003DGb1AAG?updateMru=false"}`), "allow"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/ui-api/records/001xx000003DGb1AAG"}`), "allow"},
		{soqlCall(`SELECT Id FROM Account WHERE Name = 'x\u0027 FOR VIEW '`), "deny"},
		{soqlCall(`SELECT Id FROM Account WHERE Name = 'x\u005c' FOR VIEW`), "deny"},
		{soqlCall(`SELECT Id FROM Account WHERE Name = 'x\u00'`), "deny"},
		{soqlCall(`SELECT Id FROM Account WHERE Name = 'Caf\u00e9'`), "allow"},
		{soqlCall("SELECT Id, (SELECT Id FROM Contacts FOR REFERENCE) FROM Account"), "deny"},
		{soqlCall("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact FOR VIEW)"), "deny"},
		{call("soqlQuery", `{"query":"SELECT Id FROM Account for\tupdate"}`), "deny"},
		{call("find", `{"search":"FIND {x} RETURNING Account UPDATE VIEWSTAT"}`), "deny"},
	} {
		if d := p.Decide(rep, c.call); verdict(d) != c.want {
			t.Errorf("%s %s: %s (%s)", c.call.Tool, c.call.Arguments, verdict(d), d.Reason)
		}
	}
}
