package policy

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sfmcp-proxy/authproxy/policy/reach"
)

// What For makes beforehand decides as what is made for each decision does.
func TestForChangesNoDecision(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"Account", "ACCOUNT", "ns__Secret__c", "Secret__c", "Sec*", "ns__Sec*__c", "?ccount", "Contact", "*", "other__Account"} {
		p := &Policy{Name: "p", Rules: []Rule{
			{Effect: Deny, Objects: []string{pattern}}, {Effect: Deny, Objects: []string{"User"}, Fields: []string{"User.Email"}}, {Effect: Allow, Classes: []Class{Read}}}}
		ready := p.For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-reads")
		plain := &Policy{Name: p.Name, Rules: p.Rules, catalogue: ready.catalogue}
		for _, object := range []string{"Account", "account", "Secret__c", "ns__Secret__c", "x__Secret__c", "ContactHistory", "Secret__Share", "User", "RecentlyViewed"} {
			call := Call{Tool: "soqlQuery", Arguments: jsontext.Value(fmt.Sprintf(`{"q":"SELECT Id, Email, Owner.Email FROM %s LIMIT 1"}`, object))}
			if diff := cmp.Diff(plain.Decide(Principal{Org: "acme"}, call), ready.Decide(Principal{Org: "acme"}, call), cmpopts.IgnoreUnexported(reach.Value{})); diff != "" {
				t.Errorf("rule for %s, query of %s:\n%s", pattern, object, diff)
			}
		}
	}
}
