package policy

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/authproxy/policy/reach"
)

// schemaOf is what an org said of its objects to a user.
func schemaOf(texts ...string) *reach.Schema {
	all := map[string]*reach.Description{}
	for _, text := range texts {
		for _, d := range reach.ReadDescriptions(jsontext.Value(text), []string{"Account", "Contact", "Plan__c"}) {
			all[strings.ToLower(d.Object)] = d
		}
	}
	return reach.NewSchema(all, all)
}

// What orgs without and with person accounts say of Account.
var (
	withoutPersons = schemaOf(`{"name":"Account","fields":[{"name":"Id"},{"name":"Name"},{"name":"Personnel__c"},{"name":"OwnerId","relationshipName":"Owner","referenceTo":["User"]}]}`)
	withPersons    = schemaOf(`{"name":"Account","fields":[{"name":"Id"},{"name":"Name"},{"name":"PersonEmail"}]}`)
)

// FW-22: a formula that shows a denied or hidden field is denied and hidden with it, once the
// org has said what stands in it; so is the compound of a denied part.
func TestFW22FormulasOfDeniedFields(t *testing.T) {
	t.Parallel()
	described := schemaOf(`{"name":"Account","fields":[{"name":"Copy__c","calculatedFormula":"RIGHT(Contact__r.SSN__c, 4) & Plan__r.Key__c"},
		{"name":"Contact__c","relationshipName":"Contact__r","referenceTo":["Contact"]},{"name":"Spot"},{"name":"SpotX","compoundFieldName":"Spot"}]}`)
	for _, tt := range []struct {
		deny  Rule
		query string
	}{
		{deny(fields("Contact.SSN__c")), "SELECT Copy__c FROM Account LIMIT 5"},
		{deny(fields("Contact.SSN__c")), "SELECT Id FROM Account WHERE copy__c = '1' LIMIT 5"},
		{deny(fields("Contact.SSN__c")), "SELECT FIELDS(ALL) FROM Account LIMIT 5"},
		{deny(objects("Contact")), "SELECT Copy__c FROM Account LIMIT 5"},
		{deny(fields("Secret__c.Key__c")), "SELECT Copy__c FROM Account LIMIT 5"}, // where Plan__r leads nobody said
		{deny(fields("Account.SpotX")), "SELECT Spot FROM Account LIMIT 5"},
	} {
		call := soqlCall(tt.query)
		call.Schema = withoutPersons
		p := given(tt.deny, allow(class(Read)))
		if d := p.Decide(rep, call); d.Effect != Allow {
			t.Errorf("%s is denied before anybody knows of the formula: %s", tt.query, d.Reason)
		}
		call.Schema = described
		d := p.Decide(rep, call)
		if d.Effect != Deny || !strings.HasPrefix(d.Text, textAbout) {
			t.Errorf("%s: %s, %s", tt.query, d.Effect, d.Text)
		}
	}
	hides := allow(class(Read))
	hides.Mask = []string{"Contact.SSN__c"}
	call := soqlCall("SELECT Copy__c FROM Account LIMIT 5")
	call.Schema = described
	d := given(hides).Decide(rep, call)
	if d.Effect != Allow || d.Obligations.Hiding.Of(mask.Field{Object: "Account", Name: "Copy__c"}) != mask.Masked {
		t.Errorf("a formula of a hidden field is shown: %s, %s", d.Effect, d.Text)
	}
	call = soqlCall("SELECT Id FROM Account ORDER BY Copy__c LIMIT 5")
	call.Schema = described
	if d := given(hides).Decide(rep, call); d.Effect != Deny {
		t.Error("records are sorted by a formula of a hidden field")
	}
}

// People are told in words of every class that a policy may let pass.
func TestEveryClassIsSaidInWords(t *testing.T) {
	t.Parallel()
	for _, c := range Classes() {
		if InWords(c) == "" {
			t.Errorf("no words for %s", c)
		}
	}
}
