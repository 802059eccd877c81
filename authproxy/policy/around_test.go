package policy

import (
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Ways around what is hidden or denied that go by other fields than the denied one: by what a
// search looks into, by the record that a write refers to, by the person that an account is.

func masked(patterns ...string) change   { return func(r *Rule) { r.Mask = patterns } }
func dropping(patterns ...string) change { return func(r *Rule) { r.Drop = patterns } }

// FW-22: a search that names no objects looks into all fields of all, and is refused wherever
// anything is hidden, by whatever tool it comes.
func TestFW22SearchesWithoutObjects(t *testing.T) {
	t.Parallel()
	const upstream = "https://api.salesforce.com/platform/mcp/v1/custom/Ops"
	search := reach.Declaration{Tool: "executeSearch", SOSL: "search"}
	for _, hides := range []change{masked("Contact.SSN__c"), dropping("*.SSN__c")} {
		p := given(allow(class(Read), hides))
		for _, text := range []string{"FIND {123-45-6789}", "FIND {x} IN EMAIL FIELDS", "FIND {x} IN NAME FIELDS", "FIND {x} LIMIT 5", "FIND {x} WITH SNIPPET"} {
			declared := call("executeSearch", `{"search":`+quote(text)+`}`)
			for _, d := range []Decision{p.Decide(rep, soslCall(text)), p.For(upstream, search).Decide(rep, declared)} {
				if d.Effect != Deny || !strings.Contains(d.Text, "after RETURNING") || !strings.Contains(d.Reason, "find out a hidden field") {
					t.Errorf("%s: %s, %s, %q", text, d.Effect, d.Reason, d.Text)
				}
			}
		}
		decided(t, p, "deny", dispatch("GET", "/search?q=FIND+%7B123%7D", ""), soslCall("FIND {123} RETURNING Contact(Id)"))
		decided(t, p, "allow", soslCall("FIND {123} IN NAME FIELDS RETURNING Contact(Id, SSN__c)"))
	}
	decided(t, given(allow(class(Read), masked("Contact.SSN__c"))), "allow", soslCall("FIND {123} RETURNING Lead(Id)"))
	decided(t, given(allow(class(Read))), "allow", soslCall("FIND {123}"))
}

// FW-22: a search IN NAME FIELDS looks into what the SOSL Reference says, of products and objects
// that are not named there into all fields. What a search of another object holds copies of
// none of the hidden fields stays allowed.
func TestFW22FieldsThatSearchesLookInto(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ field, search, want string }{
		{"Case.Subject", "FIND {x} IN NAME FIELDS RETURNING Case(Id)", "deny"},
		{"Case.SuppliedCompany", "FIND {x} IN NAME FIELDS RETURNING Case(Id)", "deny"},
		{"Lead.LastNameLocal", "FIND {x} IN NAME FIELDS RETURNING Lead(Id)", "deny"},
		{"Account.NameLocal", "FIND {x} IN NAME FIELDS RETURNING Account(Id)", "deny"},
		{"Product2.Description", "FIND {x} IN NAME FIELDS RETURNING Product2(Id)", "deny"},
		{"Account.Name", "FIND {x} IN NAME FIELDS RETURNING Contact(Id)", "deny"},
		{"Account.Name", "FIND {x} RETURNING Contact(Id)", "deny"},
		{"Account.Name", "FIND {x} IN NAME FIELDS RETURNING Lead(Id)", "allow"},
		{"Account.Phone", "FIND {x} IN NAME FIELDS RETURNING Contact(Id)", "allow"},
		{"Case.Description", "FIND {x} IN NAME FIELDS RETURNING Case(Id)", "allow"},
		{"Contact.SSN__c", "FIND {printer} RETURNING Case(Id, Subject)", "allow"},
		{"Contact.SSN__c", "FIND {printer} RETURNING Contract(Id), CampaignMember(Id)", "allow"},
		{"Contact.Email", "FIND {printer} RETURNING Case(Id)", "deny"}, // ContactEmail
		{"Contact.MailingAddress", "FIND {x} RETURNING CampaignMember(Id)", "deny"},
	} {
		for _, p := range []*Policy{given(allow(class(Read), masked(tt.field))), given(deny(fields(tt.field)), allow(class(Read)))} {
			if d := p.Decide(rep, soslCall(tt.search)); verdict(d) != tt.want {
				t.Errorf("%s, %s: %s (%s, %s)", tt.field, tt.search, d.Effect, d.Reason, d.Text)
			}
		}
	}
	decided(t, given(deny(objects("Account")), allow(class(Read))), "deny", soslCall("FIND {acme} IN NAME FIELDS RETURNING Contact(Id)"), soslCall("FIND {acme} RETURNING Contact(Id)"))
	decided(t, given(deny(objects("Account")), allow(class(Read))), "allow", soslCall("FIND {acme} IN NAME FIELDS RETURNING Lead(Id)"), soqlCall("SELECT FIELDS(ALL) FROM Contact LIMIT 5"))
	d := given(allow(class(Read), masked("Product2.Description"))).Decide(rep, soslCall("FIND {x} IN NAME FIELDS RETURNING Account(Id), Product2(Id)"))
	if !strings.Contains(d.Text, "take Product2 out of RETURNING") {
		t.Errorf("the caller is told %q", d.Text)
	}
}

// FW-22: a write tells by which record it refers to whose a hidden value is. What it sets itself
// is no question.
func TestFW22WritesThatChooseByHiddenFields(t *testing.T) {
	t.Parallel()
	const upstream = "https://api.salesforce.com/platform/mcp/v1/custom/Ops"
	p := given(allow(class(Create, Update, Admin), masked("Contact.Email")))
	update := reach.Declaration{Tool: "updateRecord", Object: "sobject", ID: "id", Record: "values"}
	denied := []Call{
		call("createSobjectRecord", `{"sobject-name":"Case","body":{"Contact":{"Email":"a@b.example"}}}`),
		call("createSobjectRecord", `{"sobject-name":"Case","body":{"Subject":"x","CONTACT":{"email":"a@b.example"}}}`),
		call("updateSobjectRecord", `{"sobject-name":"Case","id":"500xx000000bz5rAAA","body":{"Contact":{"Email":"a@b.example"}}}`),
		call("updateSobjectRecord", `{"sobject-name":"Contact","id":"003xx000003DGb1AAG","body":{"Email":"x@y.example","ReportsTo":{"Email":"a@b.example"}}}`),
		call("createSobjectRecord", `{"sobject-name":"Task","body":{"Who":{"attributes":{"type":"Contact"},"Email":"a@b.example"}}}`),
		call("createSobjectRecord", `{"sobject-name":"Plan__c","body":{"Keeper__r":{"Email":"a@b.example"}}}`),
		dispatch("POST", "/sobjects/Case", `"body":{"Contact":{"Email":"a@b.example"}}`),
		dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"POST","referenceId":"a","url":"`+restBase+`/sobjects/Case","body":{"Contact":{"Email":"a@b.example"}}}]}`),
	}
	decided(t, p, "deny", denied...)
	if d := p.Decide(rep, denied[0]); !strings.Contains(d.Text, "hides Email of Contact") || !strings.Contains(d.Text, "by its id") {
		t.Errorf("the caller is told %q", d.Text)
	}
	decided(t, p.For(upstream, update), "deny", call("updateRecord", `{"sobject":"Case","id":"500xx000000bz5rAAA","values":{"Contact":{"Email":"a@b.example"}}}`))
	decided(t, p, "allow",
		call("createSobjectRecord", `{"sobject-name":"Contact","body":{"Email":"a@b.example","Account":{"Name":"x"}}}`),
		call("createSobjectRecord", `{"sobject-name":"Case","body":{"Contact":{"Key__c":"1"}}}`),
		call("createSobjectRecord", `{"sobject-name":"Task","body":{"Who":{"attributes":{"type":"Lead"},"Email":"a@b.example"}}}`))
}

// A record is written as queries answer it, with the url of that record and of no other.
func TestRecordsAreWrittenAsTheyAreAnswered(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Create, Update)))
	const one, other = "001xx000003DGb1AAG", "001xx000003DGb2AAG"
	record := func(attributes string) Call {
		return call("updateSobjectRecord", `{"sobject-name":"Account","id":"`+one+`","body":{"attributes":{`+attributes+`},"Name":"x"}}`)
	}
	collected := func(attributes string) Call {
		return dispatch("PATCH", "/composite/sobjects", `"body":{"records":[{"attributes":{`+attributes+`},"Id":"`+one+`","Name":"x"}]}`)
	}
	for _, made := range []func(string) Call{record, collected} {
		decided(t, p, "allow", made(`"type":"Account","url":"`+restBase+`/sobjects/Account/`+one+`"`), made(`"url":"`+restBase+`/sobjects/account/`+one[:15]+`","type":"account"`), made(`"type":"Account"`))
		decided(t, p, "deny", made(`"type":"Account","url":"`+restBase+`/sobjects/Account/`+other+`"`), made(`"type":"Account","url":"`+restBase+`/sobjects/User/005xx000001Sv6AAAS"`),
			made(`"type":"Account","url":"x"`), made(`"type":"Account","url":1`), made(`"url":"`+restBase+`/sobjects/Account/`+one+`"`), made(`"type":"Account","other":"x"`), made(`"type":"User"`))
	}
	if d := p.Decide(rep, record(`"type":"Account","url":"`+restBase+`/sobjects/Account/`+other+`"`)); !strings.Contains(d.Text, "another record") {
		t.Errorf("the caller is told %q", d.Text)
	}
}

// A declared tool that deletes or changes a record of a kind that nobody knows may administer.
func TestDeclaredWritesByIDsOfUnknownKinds(t *testing.T) {
	t.Parallel()
	const upstream = "https://api.salesforce.com/platform/mcp/v1/custom/Ops"
	declared := []reach.Declaration{{Tool: "deleteRecord", ID: "recordId"}, {Tool: "closeIt", Class: Update, ID: "recordId"}, {Tool: "caseOf", Class: Read, ID: "recordId"}}
	p := given(allow(class(Read, Update, Delete))).For(upstream, declared...)
	for id, want := range map[string]string{
		"0PGxx0000000001AAA": "deny", "01Ixx0000000001AAA": "deny", "005xx000001Sv6AAAS": "deny", "0PSxx000001Sv6AAAS": "deny",
		"a00xx0000000001AAA": "allow", "001xx000003DGb1AAG": "allow",
	} {
		arguments := `{"recordId":"` + id + `"}`
		decided(t, p, want, call("deleteRecord", arguments), call("closeIt", arguments))
		decided(t, p, "allow", call("caseOf", arguments))
	}
}
