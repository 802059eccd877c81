package main

import (
	"os"
	"strings"
	"testing"

	"sfmcp-proxy/cmd/sfmcp-proxy/doctor"
)

// U7: what rules name is compared with the org's tools and schema, as a user.
func TestU7DoctorComparesRulesWithTheOrg(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	good := d.configuration()
	const first, customs = "      - {effect: allow, classes: [read]}\n", "{effect: allow, tools: [getAccountSummary]}"
	found := func(rule, custom string) (out []doctor.Finding) {
		t.Helper()
		text := strings.Replace(good, first, rule+first, 1)
		if text = strings.Replace(text, customs, custom+customs, 1); text == good {
			t.Fatal("the configuration is not what this test changes")
		}
		if err := os.WriteFile(d.ConfigFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, status := d.findings()
		if status != exitDone {
			t.Errorf("status %d\n%s", status, showFindings(all))
		}
		for _, f := range all {
			if f.Check == "rules" {
				out = append(out, f)
			}
		}
		return out
	}
	deny := func(keys string) string { return "      - {effect: deny, " + keys + "}\n" }
	if got := found(deny("objects: [Userr]"), ""); len(got) != 1 || got[0].Status != doctor.Warn || !strings.Contains(got[0].Found, "not compared") {
		t.Errorf("before a sign-in:\n%s", showFindings(got))
	}
	d.connect("sobject-all", rep)
	for _, c := range []struct{ rule, custom, says string }{
		{deny("objects: [Userr]"), "", `objects[0]: "Userr": the org does not show it to rep@acme.example, did you mean "User"?`},
		{deny("objects: [Acme_Thing__c]"), "", `objects[0]: "Acme_Thing__c": the org does not show it to rep@acme.example`},
		{deny("fields: [Contact.Emial]"), "", `fields[0]: "Contact.Emial": the org does not show it to rep@acme.example, did you mean "Email"?`},
		{deny("fields: [Contcat.Email]"), "", `fields[0]: "Contcat.Email": the org does not show it to rep@acme.example, did you mean "Contact"?`},
		{"", "{effect: deny, tools: [getAcountSummary]}\n      - ", `tools[0]: "getAcountSummary": no server behind the policy lists it to rep@acme.example, did you mean "getAccountSummary"?`},
	} {
		got := found(c.rule, c.custom)
		if len(got) != 1 || got[0].Status != doctor.Warn || !strings.Contains(got[0].Found, c.says) || got[0].Fix == "" {
			t.Errorf("%s%s: want %s\n%s", c.rule, c.custom, c.says, showFindings(got))
		}
	}
	right := found(deny("objects: [contact, Acc*], fields: [Contact.Email, \"*.Name\"]"), "{effect: deny, tools: [getAccountSummary], users: [other@acme.example]}\n      - ")
	if len(right) != 1 || right[0].Status != doctor.Good || right[0].Fix != "" {
		t.Errorf("what is there:\n%s", showFindings(right))
	}
	if log := d.must("audit", "list", "--json", "--action", "doctor.query"); strings.Count(log, "getObjectSchema") == 0 {
		t.Errorf("the schema was asked for without a record:\n%s", log)
	}
}
