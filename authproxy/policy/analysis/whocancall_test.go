package analysis

import (
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy"
)

// Who may call a tool is said of that tool, by name, pattern or class; of one that nothing names as
// of any other.
func TestWhoCanCall(t *testing.T) {
	t.Parallel()
	s := at(sobjectAll,
		deny(policy.Rule{Tools: []string{"find"}}), allow(policy.Rule{Classes: []policy.Class{policy.Read}}), confirm(policy.Rule{Tools: []string{"createSobject*"}}))
	for tool, want := range map[string]string{"soqlQuery": "allowed", "find": "", "createSobjectRecord": "held", "deleteSobjectRecord": "", "somethingElse": ""} {
		var got []string
		for _, p := range WhoCanCall(s, people, tool) {
			if !strings.Contains(p.What(), tool) {
				t.Errorf("%s: %s", tool, p.What())
			}
			got = append(got, p.Ways.String())
		}
		if all := strings.Join(got, "; "); (want == "") != (all == "") || !strings.Contains(all, want) {
			t.Errorf("%s: %q, want %q", tool, all, want)
		}
	}
}
