package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// U7: names that the org does not show are reported, each once and at its place, with what
// was meant; names that it shows, what nobody asked it for and what may come later are not.
func TestU7NamesThatTheOrgDoesNotShow(t *testing.T) {
	t.Parallel()
	shown := Shown{
		Tools: []string{"soqlQuery", "getAccountSummary"}, Objects: []string{"Account", "Contact"},
		Fields: map[string][]string{"contact": {"Email", "Phone"}},
	}
	for name, test := range map[string]struct {
		rule  Rule
		shown Shown
		want  []string
	}{
		"as they are":         {deny(tools("getAccountSummary"), objects("account"), fields("Contact.email")), shown, nil},
		"an object":           {deny(objects("Account", "Contatc")), shown, []string{`rules[0].objects[1]: "Contatc", did you mean "Contact"?`}},
		"a field":             {deny(fields("Contact.Emial")), shown, []string{`rules[0].fields[0]: "Contact.Emial", did you mean "Email"?`}},
		"a field's object":    {deny(fields("Contatc.Emial")), shown, []string{`rules[0].fields[0]: "Contatc.Emial", did you mean "Contact"?`}},
		"fields not asked":    {deny(fields("Account.Nmae")), shown, nil},
		"a tool":              {deny(tools("getAccountSumary")), shown, []string{`rules[0].tools[0]: "getAccountSumary", did you mean "getAccountSummary"?`}},
		"a tool to come":      {deny(tools("createSobjectRecord")), shown, nil},
		"a pattern to come":   {deny(objects("Zzz_*")), shown, nil},
		"nothing was shown":   {deny(tools("x"), objects("Y"), fields("Z.z")), Shown{}, nil},
		"nothing is there":    {deny(objects("Account")), Shown{Objects: []string{}}, []string{`rules[0].objects[0]: "Account"`}},
		"prompts, not listed": {deny(tools("prompt:x")), shown, nil},
	} {
		var got []string
		for _, p := range given(test.rule).Unshown(test.shown) {
			got = append(got, p.Path()+": "+p.Found+p.Want)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Rules have numbers from 1 for people, the first as well as the last; what no rule decides
// has none.
func TestWordsOfRules(t *testing.T) {
	t.Parallel()
	p := given(deny(objects("User")), allow())
	for rule, want := range map[int]string{-1: "no rule", 0: "rule 1 (deny objects User)", 1: "rule 2 (allow)"} {
		if got := p.Words(rule); got != want {
			t.Errorf("%d: %q, want %q", rule, got, want)
		}
	}
}
