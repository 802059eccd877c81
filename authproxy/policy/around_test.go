package policy

import (
	"slices"
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

// FW-22: where a person is an account, what is denied or hidden of contacts is so of accounts, and
// the reverse, whole records included. Where the org is known to have no person accounts, an account
// shows no contact; where the user was not told, it may.
func TestFW22PersonAccounts(t *testing.T) {
	t.Parallel()
	const id = "001xx000003DGb1AAG"
	wholeAccounts := []Call{
		soqlCall("SELECT FIELDS(ALL) FROM Account LIMIT 200"), soqlCall("SELECT FIELDS(STANDARD) FROM Account LIMIT 200"), soqlCall("SELECT FIELDS(CUSTOM) FROM Account LIMIT 200"),
		call("listRecentSobjectRecords", `{"sobject-name":"Account"}`), call("getRelatedRecords", `{"sobject-name":"Contact","id":"003xx000004TmiQAAS","relationship-path":"Account"}`),
		dispatch("GET", "/sobjects/Account/"+id, ""), soslCall("FIND {x} RETURNING Account(Id)"), soslCall("FIND {x} IN EMAIL FIELDS RETURNING Account(Id)"),
		soqlCall("SELECT NewValue FROM AccountHistory"),
	}
	wholeContacts := []Call{soqlCall("SELECT FIELDS(ALL) FROM Contact LIMIT 200"), call("listRecentSobjectRecords", `{"sobject-name":"Contact"}`), soqlCall("SELECT OldValue FROM ContactHistory")}
	in := func(s *reach.Schema, calls ...Call) (told []Call) {
		for _, c := range calls {
			c.Schema = s
			told = append(told, c)
		}
		return told
	}
	for _, tt := range []struct {
		field string
		whole []Call
	}{
		{"Contact.Email", wholeAccounts}, {"Contact.SSN__c", slices.Concat(wholeAccounts[:1], wholeAccounts[2:])}, {"Contact.LastName", wholeAccounts},
		{"Account.PersonEmail", wholeContacts}, {"Account.SSN__pc", wholeContacts}, {"Account.FirstName", wholeContacts}, {"Account.Person*", wholeContacts}, {"Account.*__pc", wholeContacts},
	} {
		p := given(deny(fields(tt.field)), allow(class(Read)))
		decided(t, p, "deny", tt.whole...)
		decided(t, p, "deny", in(withPersons, tt.whole...)...)
		decided(t, p, "allow", in(withoutPersons, tt.whole...)...)
	}
	decided(t, given(deny(fields("Account.Website")), allow(class(Read))), "allow", wholeContacts...)
	email := given(deny(fields("Contact.Email")), allow(class(Read)), confirm(class(Delete)))
	decided(t, email, "allow", soqlCall("SELECT Id, Name, Phone, Personnel__c FROM Account"), soslCall("FIND {x} IN NAME FIELDS RETURNING Account(Id)"), soqlCall("SELECT PersonMobilePhone FROM Account"), soqlCall("SELECT Field, CreatedDate FROM AccountHistory"))
	decided(t, email, "confirm", call("deleteSobjectRecord", `{"sobject-name":"Account","id":"`+id+`"}`))
	// The parts of a name are called the same there, and the name of a company is none.
	names := given(deny(fields("Contact.LastName")), allow(class(Read)))
	decided(t, names, "deny", soqlCall("SELECT LastName FROM Account"), soqlCall("SELECT Id FROM Account WHERE LastName = 'x'"))
	decided(t, names, "allow", soqlCall("SELECT Id, Name FROM Account"), soqlCall("SELECT FirstName FROM Account"))
	decided(t, given(deny(fields("Account.FirstName")), allow(class(Read))), "deny", soqlCall("SELECT FirstName FROM Contact"))
	decided(t, given(deny(fields("Account.Name")), allow(class(Read))), "allow", soqlCall("SELECT LastName FROM Contact"))
	// A denial of the object.
	contacts := given(deny(objects("Contact")), allow(class(Read, Update)))
	decided(t, contacts, "deny", soqlCall("SELECT PersonEmail, PersonMobilePhone FROM Account"), soqlCall("SELECT FirstName FROM Account"), soqlCall("SELECT SSN__pc FROM Account"), soqlCall("SELECT Account.PersonEmail FROM Case"), wholeAccounts[0], wholeAccounts[3])
	decided(t, contacts, "allow", soqlCall("SELECT Id, Name, PersonContactId, Personnel__c FROM Account"), call("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Name":"x"}}`))
	decided(t, contacts, "allow", in(withoutPersons, wholeAccounts[0], wholeAccounts[3])...)
	decided(t, given(deny(objects("Account")), allow(class(Read))), "allow", soqlCall("SELECT Email, LastName FROM Contact"), wholeContacts[0])
}

// A caller is told of what is denied in any case, not of an account that may be a person.
func TestPersonAccountsAreNotBlamedForOthers(t *testing.T) {
	t.Parallel()
	d := given(deny(fields("Contact.SSN__c")), allow(class(Read))).Decide(rep, soslCall("FIND {acme} RETURNING Account(Id), Contact(Id)"))
	if d.Effect != Deny || !strings.Contains(d.Text, "Contact in what the search looks into") {
		t.Errorf("%s: %q", d.Effect, d.Text)
	}
}

// FW-22: the same of what is hidden: of answers field by field, of what finds it out as a whole.
func TestFW22HiddenFieldsOfPersonAccounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		hidden, query, object, field string
	}{
		{"Contact.LastName", "SELECT LastName FROM Account", "Account", "LastName"}, {"Contact.Email", "SELECT PersonEmail FROM Account", "Account", "PersonEmail"},
		{"Account.FirstName", "SELECT FirstName FROM Contact", "Contact", "FirstName"}, {"Account.SSN__pc", "SELECT SSN__c FROM Contact", "Contact", "SSN__c"},
		{"Contact.Email", "SELECT FIELDS(ALL) FROM Account LIMIT 5", "Account", "PersonEmail"},
	} {
		d := given(allow(class(Read), masked(tt.hidden))).Decide(rep, soqlCall(tt.query))
		if d.Effect != Allow || d.Obligations.Hiding == nil || d.Obligations.Hiding.Of(reach.Ref{Object: tt.object, Name: tt.field}) == 0 {
			t.Errorf("%s, %s: %s, %s, %+v", tt.hidden, tt.query, d.Effect, d.Reason, d.Obligations)
		}
	}
	for _, tt := range []struct{ hidden, search string }{
		{"Contact.Email", "FIND {x} IN EMAIL FIELDS RETURNING Account(Id)"}, {"Contact.Email", "FIND {x} RETURNING Account(Id)"}, {"Account.PersonEmail", "FIND {x} RETURNING Contact(Id)"}, {"Account.PersonTitle", "FIND {x} RETURNING Contact(Id)"},
	} {
		p, c := given(allow(class(Read), masked(tt.hidden))), soslCall(tt.search)
		decided(t, p, "deny", c)
		c.Schema = withPersons
		decided(t, p, "deny", c)
		c.Schema = withoutPersons
		decided(t, p, "allow", c)
	}
	p := given(allow(class(Read), masked("Contact.LastName")))
	decided(t, p, "deny", soqlCall("SELECT Id FROM Account WHERE LastName = 'x'"), soqlCall("SELECT Id FROM Account ORDER BY lastname"))
	decided(t, p, "allow", soqlCall("SELECT Id FROM Account WHERE Name = 'x'"))
}

// FW-22: what one user was told of Account opens nothing for another, and who was told that there are
// persons is believed for all. A formula of Contact is one of Account, too.
func TestFW22PersonAccountsAreLearned(t *testing.T) {
	t.Parallel()
	p := given(deny(fields("Contact.SSN__c")), allow(class(Read)))
	whole := soqlCall("SELECT FIELDS(ALL) FROM Account LIMIT 200")
	one := func(text string) map[string]*reach.Description {
		read := reach.ReadDescriptions([]byte(text), []string{"Account", "Contact"})
		return map[string]*reach.Description{strings.ToLower(read[0].Object): read[0]}
	}
	company := one(`{"name":"Account","fields":[{"name":"OwnerId","relationshipName":"Owner","referenceTo":["User"]}]}`)
	persons := one(`{"name":"Account","fields":[{"name":"IsPersonAccount"}]}`)
	missed := map[string]*reach.Description{"account": reach.NotDescribed("Account")}
	for _, tt := range []struct {
		name     string
		own, all map[string]*reach.Description
		want     string
	}{
		{"nobody was told", nil, nil, "deny"}, {"another was told of none", nil, company, "deny"}, {"told of none", company, company, "allow"},
		{"told of none where another was told of some", company, persons, "deny"}, {"told of some", persons, persons, "deny"}, {"Salesforce does not say", missed, company, "deny"},
	} {
		c := whole
		c.Schema = reach.NewSchema(tt.own, tt.all)
		d := p.Decide(rep, c)
		if verdict(d) != tt.want {
			t.Errorf("%s: %s, %s", tt.name, d.Effect, d.Reason)
		}
		if asks := len(d.Reach.Undescribed) > 0; asks != (tt.own == nil) {
			t.Errorf("%s: would ask for %v", tt.name, d.Reach.Undescribed)
		}
	}
	if d := given(deny(objects("Account")), allow(class(Read))).Decide(rep, whole); len(d.Reach.Undescribed) > 0 {
		t.Errorf("what is denied anyway asks for %v", d.Reach.Undescribed)
	}
	tail := soqlCall("SELECT Tail__pc FROM Account")
	d := p.Decide(rep, tail)
	if got := strings.Join(d.Reach.Unlearned(), " "); d.Effect != Allow || got != "Account Contact" {
		t.Errorf("before anybody knows of the formula: %s, asks for %s", d.Effect, got)
	}
	formula := one(`{"name":"Contact","fields":[{"name":"Tail__c","calculatedFormula":"RIGHT(SSN__c, 4)"}]}`)
	tail.Schema = reach.NewSchema(formula, formula)
	decided(t, p, "deny", tail)
	hidden := given(allow(class(Read), masked("Contact.SSN__c"))).Decide(rep, tail)
	if hidden.Obligations.Hiding.Of(reach.Ref{Object: "Account", Name: "Tail__pc"}) == 0 {
		t.Error("the formula is shown")
	}
}
