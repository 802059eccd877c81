package analysis

import (
	"fmt"
	"testing"

	"sfmcp-proxy/authproxy/policy"
)

// A policy with a rule for each of so many groups is not analysed unasked; the policies that
// people write are.
func TestSize(t *testing.T) {
	for groups, quick := range map[int]bool{5: true, 400: false} {
		var who People
		var rules []policy.Rule
		for g := range groups {
			name := fmt.Sprint("g", g)
			who.Groups = append(who.Groups, Group{name, []string{fmt.Sprintf("u%d@acme.example", g)}})
			rules = append(rules, deny(policy.Rule{Objects: []string{fmt.Sprintf("Custom%d__c", g)}, Groups: []string{name}}))
		}
		s := at(sobjectAll, append(rules, allow(policy.Rule{Classes: reads, MaxRows: 100}))...)
		s.Groups = []string{Everyone}
		if size := Size(s, who, s, who); size == 0 || size <= Quick != quick {
			t.Errorf("%d groups: %d cases", groups, size)
		}
	}
}
