package policy

import (
	"strings"
	"testing"
)

// What would find a hidden field out is denied, whatever rule lets it pass and in shadow mode
// too, and what asks for the field passes.
func TestHiddenFieldsAreNotFoundOut(t *testing.T) {
	t.Parallel()
	hiding := allow(func(r *Rule) { r.Mask = []string{"Contact.SSN__c"} })
	for _, p := range []*Policy{given(hiding), given(allow(class(Read)), hiding), {Mode: Shadow, Rules: []Rule{hiding}}} {
		for query, passes := range map[string]bool{
			"SELECT Id, SSN__c FROM Contact":                        true,
			"SELECT Id FROM Account WHERE Name = 'x'":               true,
			"SELECT Id FROM Contact WHERE SSN__c = '1'":             false,
			"SELECT Id FROM Contact ORDER BY SSN__c":                false,
			"SELECT COUNT_DISTINCT(SSN__c) FROM Contact":            false,
			"SELECT Id FROM Case WHERE Contact.SSN__c LIKE '1%'":    false,
			"SELECT Title, COUNT(Id) FROM Contact GROUP BY Title":   true,
			"SELECT SSN__c, COUNT(Id) FROM Contact GROUP BY SSN__c": false,
		} {
			d := p.Decide(rep, soqlCall(query))
			if (d.Effect == Allow) != passes || !passes && (!strings.Contains(d.Text, "hides SSN__c") || !strings.Contains(d.Reason, "find out a hidden field") || d.Shadow) {
				t.Errorf("%s: %s, %s, %q", query, d.Effect, d.Reason, d.Text)
			}
		}
	}
	d := given(hiding).Decide(rep, call("dispatch_readonly", `{"method":"GET","url":"/services/data/v67.0/query/01g000000000001-2000"}`))
	if d.Effect != Deny || d.Text != textNoFields {
		t.Errorf("a request that nobody knows: %+v", d)
	}
}
