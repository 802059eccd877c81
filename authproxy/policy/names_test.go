package policy

import (
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Conditions find arguments by names in any case, however long the arguments are and whoever has
// read them before, and two names that differ in case alone are refused: else somebody writes one past
// the condition, for Apex to take.
func TestNamesOfArgumentsInAnyCase(t *testing.T) {
	t.Parallel()
	everything := allow(class(reach.Classes...))
	for _, when := range []string{`has(arguments.Amount) && arguments.Amount > 1000`, `"amount" in arguments && arguments["AMOUNT"] > 1000`} {
		denial := deny()
		denial.When = when
		p := given(denial, everything)
		if problems := p.Validate(); len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, name := range []string{"Amount", "amount", "AMOUNT", "amo\\u0055nt"} {
			for _, filler := range []string{"", strings.Repeat("x", 4<<10)} {
				args := fmt.Sprintf(`{"note":"%s","%s":5000}`, filler, name)
				if d := p.Decide(rep, call("transfer", args)); d.Effect != Deny || d.Rule != 0 {
					t.Errorf("%s, %q in %d bytes: %s, %s", when, name, len(args), d.Effect, d.Reason)
				}
			}
		}
		decided(t, p, "allow", call("transfer", `{"amount":10}`), call("transfer", `{"amounts":5000}`))
	}
	p := given(everything)
	for _, args := range []string{`{"amount":10,"Amount":5000}`, `{"s":1,"\u017f":2}`, `{"a":1,"A":2` + manyMembers(100) + `}`} {
		if d := p.Decide(rep, call("transfer", args)); d.Effect != Deny || d.Text != "Two arguments have names that differ in case alone; give one of them." {
			t.Errorf("%.40s: %s, %s", args, d.Effect, d.Text)
		}
	}
	decided(t, p, "allow", call("transfer", `{"a":1`+manyMembers(100)+`}`))
}

// manyMembers are further members of an object.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":1`, i)
	}
	return b.String()
}
