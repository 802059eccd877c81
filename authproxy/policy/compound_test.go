package policy

import (
	"testing"

	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/authproxy/policy/reach"
)

// FW-22: what is denied, and what is hidden, of a compound field is so of each of its parts, and of a part of
// the compound: rules and hiding have one table of them.
func TestFW22RulesAndHidingKnowTheSameParts(t *testing.T) {
	t.Parallel()
	type pair struct{ compound, part string }
	pairs := []pair{}
	for _, part := range reach.NameParts {
		pairs = append(pairs, pair{"Name", part})
	}
	for _, part := range []string{"Street", "City", "State", "StateCode", "PostalCode", "Country", "CountryCode", "Latitude", "Longitude", "GeocodeAccuracy"} {
		pairs = append(pairs, pair{"MailingAddress", "Mailing" + part}, pair{"Home__c", "Home__" + part + "__s"}, pair{"acme__Home__c", "acme__Home__" + part + "__s"})
	}
	others := []string{"MailingNote", "Mailing", "Home", "Home__Note__s", "Other__City__s", "Homes__c", "OtherCity"}
	for _, p := range pairs {
		for denied, reached := range map[string]string{p.compound: p.part, p.part: p.compound} {
			rules := given(deny(fields("Contact."+denied)), allow(class(Read)))
			hidden := mask.New([]string{"Contact." + denied}, nil)
			for _, query := range []string{"SELECT " + reached + " FROM Contact LIMIT 5", "SELECT Id FROM Contact WHERE " + reached + " != NULL LIMIT 5"} {
				decided(t, rules, "deny", soqlCall(query))
			}
			if a := hidden.Reaches(mask.Field{Object: "Contact", Name: reached}); a != mask.Masked {
				t.Errorf("%s is hidden, %s chooses records: %v", denied, reached, a)
			}
			for _, other := range others {
				decided(t, rules, "allow", soqlCall("SELECT "+other+" FROM Contact LIMIT 5"))
				if a := hidden.Reaches(mask.Field{Object: "Contact", Name: other}); a != mask.Shown {
					t.Errorf("%s is hidden, and so is %s: %v", denied, other, a)
				}
			}
		}
	}
	if want := len(reach.NameParts) + 3*len(reach.AddressParts); len(pairs) != want {
		t.Errorf("%d of %d parts are tried", len(pairs), want)
	}
}
