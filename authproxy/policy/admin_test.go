package policy

import (
	"slices"
	"strings"
	"testing"
)

// carryAdmin are calls that administer the org, or may do so, though their tool, route and class
// of writing do not say it.
func carryAdmin() []Call {
	const id, composite = `"sobject-name":"Account","id":"001xx000003DGb1AAG"`, `{"method":"POST","referenceId":"a","url":"/services/data/v67.0/sobjects/PermissionSetAssignment","body":{}}`
	return []Call{
		// A relation of the org's own may lead to a user.
		call("updateRelatedRecord", `{`+id+`,"relationship-path":"Approver__r","body":{"IsActive":false}}`), call("deleteRelatedRecord", `{`+id+`,"relationship-path":"Contacts/Approver__r"}`),
		dispatch("PATCH", "/sobjects/Account/001xx000003DGb1AAG/Approver__r", `"body":{"IsActive":false}`), dispatch("DELETE", "/sobjects/User/005xx000001Sv6AAAS/password", ""),
		// Requests that carry others, or name their object in the body or by an id.
		dispatch("POST", "/composite", `"body":{"compositeRequest":[`+composite+`]}`), dispatch("POST", "/composite/graph", `"body":{"graphs":[{"compositeRequest":[`+composite+`]}]}`),
		dispatch("POST", "/composite", `"body":{"compositeRequest":[{"METHOD":"PATCH","Url":"/services/data/v67.0/SObjects/user/005xx000001Sv6AAAS","body":{}}]}`),
		dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"POST","url":"/services/data/v67.0/sobjects/@{a.name}","body":{}}]}`),
		dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"POST","url":"/services/data/v67.0/sobjects/%55ser","body":{}}]}`),
		dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"POST","url":"/services/data/v67.0/tooling/composite","body":{}}]}`),
		dispatch("POST", "/composite/batch", `"body":{"batchRequests":[{"method":"PATCH","url":"v67.0/sobjects/User/005xx000001Sv6AAAS","richInput":{"IsActive":true}}]}`),
		dispatch("POST", "/composite/tree/User", `"body":{"records":[]}`), dispatch("DELETE", "/composite/sobjects?ids=0PSxx0000000001AAA", ""),
		dispatch("DELETE", "/composite/sobjects", `"queryParams":{"ids":"001xx000003DGb1AAG,@{a.id}"}`), dispatch("DELETE", "/composite/sobjects?IDs=0PSxx0000000001AAA", ""), dispatch("POST", "/jobs/ingest", `"body":{"object":"User","operation":"update"}`),
		dispatch("PATCH", "/ui-api/records/005xx000001Sv6AAAS", `"body":{"fields":{}}`), dispatch("DELETE", "/ui-api/records/0Paxx0000000001AAA", ""),
		dispatch("POST", "/ui-api/records", `"body":{"apiName":"User","fields":{}}`), dispatch("POST", "/graphql", `"body":{"query":"mutation{uiapi{UserUpdate(input:{Id:\"x\"}){Record{Id}}}}"}`),
		dispatch("POST", "/composite", `"body":{"a":`+strings.Repeat(`{"a":`, 20)+`1`+strings.Repeat(`}`, 20)+`}`),
		dispatch("POST", "/composite", `"body":{"a":[`+strings.Repeat(`1,`, 6000)+`1]}`),
		// Ids in the query of a request that is carried, wherever they stand in it.
		carriedDeletion("ids=0PSxx0000000001AAA&allOrNone=false"), carriedDeletion("allOrNone=false&IDs=0PSxx0000000001AAA"), carriedDeletion("ids=001xx000003DGb1AAG&ids=0PSxx0000000001AAA"),
		carriedDeletion("%69ds=0PSxx0000000001AAA"), carriedDeletion("ids=001xx000003DGb1AAG%2C0PSxx0000000001AAA"), carriedDeletion("ids=%zz"), carriedDeletion("a=1;ids=0PSxx0000000001AAA"),
		// Routes of credentials and permissions, and other spellings.
		dispatch("POST", "/connect/named-credentials/credential", `"body":{"a":1}`), dispatch("POST", "/actions/standard/activateSessionPermSet", `"body":{"inputs":[]}`),
		dispatch("DELETE", "/Tooling/sobjects/ApexClass/01pxx0000000001AAA", ""), dispatch("GET", "/Tooling/executeAnonymous?anonymousBody=x", ""),
		dispatch("POST", "/SObjects/User", `"body":{"a":1}`), call("dispatch", `{"method":"DELETE","url":"/services/Data/v67.0/tooling/sobjects/ApexClass/01pxx0000000001AAA"}`),
		call("dispatch", `{"method":"POST","url":"/services/Soap/m/67.0","body":{"a":1}}`), call("dispatch", `{"method":"POST","url":"/services/oauth2/revoke","body":{"a":1}}`),
		call("dispatch", `{"method":"POST","url":"/services/scim/v2/Users","body":{"userName":"a@b.example"}}`), call("dispatch", `{"method":"PATCH","url":"/services/scim/v2/Groups/0PSxx0000000001AAA","body":{"a":1}}`),
		// Objects of which there are many of a kind.
		call("createSobjectRecord", `{"sobject-name":"ExtlClntAppOauthConsumer","body":{"a":1}}`), call("createSobjectRecord", `{"sobject-name":"NamedCredentialParameter","body":{"a":1}}`),
	}
}

// carriedDeletion is a deletion within a composite request that is not read further, with a query.
func carriedDeletion(query string) Call {
	return dispatch("POST", "/composite", `"body":{"deeper":{"a":1},"compositeRequest":[{"method":"DELETE","url":"/services/data/v67.0/composite/sobjects?`+query+`"}]}`)
}

// carryBoth are calls that carry requests of which one administers the org.
func carryBoth() []Call {
	return []Call{
		dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"DELETE","url":"/services/data/v67.0/composite/sobjects?ids=001xx000003DGb1AAG,0PSxx0000000001AAA"}]}`),
		dispatch("POST", "/composite/sobjects", `"body":{"records":[{"attributes":{"type":"Account"},"Name":"x"},{"attributes":{"type":"PermissionSetAssignment"}}]}`),
	}
}

// What carries other requests is no administration where those are none.
func TestCarriedWritesStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call Call
		want Class
	}{
		{dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"POST","referenceId":"a","url":"/services/data/v67.0/sobjects/Account","body":{"Name":"The User Group","Type":"Other"}},{"method":"PATCH","url":"/services/data/v67.0/sobjects/Contact/@{a.id}","body":{"LastName":"x"}}]}`), Unknown},
		{dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"GET","url":"/services/data/v67.0/sobjects/User/005xx000001Sv6AAAS"}]}`), Read},
		{dispatch("POST", "/composite/sobjects", `"body":{"records":[{"attributes":{"type":"Contact"},"LastName":"x"}]}`), Create},
		{dispatch("DELETE", "/composite/sobjects?ids=001xx000003DGb1AAG,a01xx0000000001AAA", ""), Delete},
		{dispatch("DELETE", "/ui-api/records/001xx000003DGb1AAG", ""), Delete}, {dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"insert"}`), Unknown},
		{dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"POST","url":"/services/apexrest/y?foo=bar&allOrNone=true","body":{}}]}`), Unknown},
		{carriedDeletion("ids=001xx000003DGb1AAG,a01xx0000000001AAA&allOrNone=false"), Unknown},
		{dispatch("POST", "/graphql", `"body":{"query":"query{uiapi{query{User{edges{node{Id}}}}}}"}`), Unknown}, {dispatch("DELETE", "/sobjects/Account/Ext__c/permission", ""), Delete},
		{call("updateRelatedRecord", `{"sobject-name":"User","id":"005xx000001Sv6AAAS","relationship-path":"Contact","body":{"LastName":"x"}}`), Update},
		{call("createSobjectRecord", `{"sobject-name":"Oauth_Survey__c","body":{"a":1}}`), Create},
		{call("getRelatedRecords", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Approver__r"}`), Read},
	} {
		if got := ClassOf(c.call.Tool, c.call.Arguments); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.call.Tool, c.call.Arguments, got, c.want)
		}
	}
	d := given(confirm(class(Create, Update))).Decide(rep, carryAdmin()[0])
	if want := textAbout + "where Approver__r in the relationship path leads to is not known."; d.Text != want {
		t.Errorf("says %q, want %q", d.Text, want)
	}
}

// What administers the org passes by no rule that does not name it.
func TestAdminIsNamedOrDenied(t *testing.T) {
	t.Parallel()
	admin := []Call{
		call("createSobjectRecord", `{"sobject-name":"User","body":{"Username":"a@b.example"}}`),
		call("updateSobjectRecord", `{"sobject-name":"PermissionSetAssignment","id":"0Paxx0000000001AAA","body":{"IsActive":true}}`),
		call("deleteSobjectRecord", `{"sobject-name":"AccountShare","id":"00rxx0000000001AAA"}`),
		call("updateRelatedRecord", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Owner","body":{"IsActive":false}}`),
		dispatch("POST", "/sobjects/PermissionSet", `"body":{"Label":"x"}`), dispatch("PATCH", "/sobjects/User/005xx000001Sv6AAAS", `"body":{"IsActive":false}`),
		dispatch("POST", "/sobjects/User/005xx000001Sv6AAAS/password", `"body":{"NewPassword":"x"}`), dispatch("DELETE", "/sobjects/User/Ext__c/7", ""),
		dispatch("POST", "/tooling/sobjects/ApexClass", `"body":{"Name":"x"}`), dispatch("DELETE", "/tooling/sobjects/ApexClass/01pxx0000000001AAA", ""),
		dispatch("GET", "/tooling/executeAnonymous?anonymousBody=x", ""), dispatch("POST", "/metadata/deployRequest", `"body":{"a":1}`),
		dispatch("POST", "/tooling/sobjects/ApexClass", `"body":{"Name":"x"},"headers":{"X-Odd":"1"}`),
		call("execute_metadata_action", `{"metadataType":"Flow","actionName":"deploy","parameters":{}}`),
	}
	named := given(allow(class(Admin)))
	decided(t, named, "allow", append(admin, carryAdmin()...)...)
	decided(t, named, "deny", carryBoth()...) // each request in a call is judged
	decided(t, given(allow(class(Create, Delete, Admin))), "allow", carryBoth()...)
	admin = slices.Concat(admin, carryAdmin(), carryBoth())
	for _, c := range admin {
		if got := ClassOf(c.Tool, c.Arguments); got != Admin {
			t.Errorf("%s %s is %s", c.Tool, c.Arguments, got)
		}
	}
	everything := given(allow())
	for _, c := range admin {
		if d := everything.Decide(rep, c); d.Effect != Deny {
			t.Errorf("%s passes by a rule for everything", c.Arguments)
		}
		if d := given(confirm(class(Create, Update, Delete, Unknown))).Decide(rep, c); d.Effect != Deny {
			t.Errorf("%s passes by a rule for writes", c.Arguments)
		}
	}
	decided(t, given(deny(objects("Nothing__c")), allow(class(Admin))), "allow", admin[0])
	decided(t, given(deny(tools("*")), allow(class(Admin))), "hidden", admin[0])
	decided(t, everything, "allow", call("createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"x"}}`), soqlCall("SELECT Id FROM User"), dispatch("GET", "/tooling/query?q=SELECT+Id+FROM+ApexClass", ""))
	if problems := given(allow(), deny(objects("User")), allow(class(Admin))).Validate(); problems != nil {
		t.Errorf("a denial of administration is said to be dead: %v", problems)
	}
	if problems := given(allow(), allow(class(Admin))).Validate(); problems != nil {
		t.Errorf("what the first rule leaves is said to be dead: %v", problems)
	}
}
