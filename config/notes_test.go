package config

import (
	"slices"
	"strings"
	"testing"
)

func TestU7MisspeltNamesAreNoted(t *testing.T) {
	t.Parallel()
	rule := func(text string) string {
		return with("      - {effect: allow, classes: [read]}", "      - "+text+"\n      - {effect: allow, classes: [read]}")
	}
	for text, says := range map[string]string{
		rule("{effect: deny, objects: [Userr]}"):                            `policy read-only, rule 1 (deny): objects: "Userr", which is no object that is known here, did you mean "User"?`,
		rule("{effect: deny, tools: [soqlquery]}"):                          `did you mean "soqlQuery"?`,
		rule("{effect: deny, fields: [Contact.Emial]}"):                     `did you mean "Email"?`,
		rule("{effect: deny, users: [rep@acme.exmaple]}"):                   "rule 1 (deny) is about the user rep@acme.exmaple, who is in no group: did you mean rep@acme.example?",
		rule("{effect: deny, users: [005xx000001sv6A]}"):                    "did you mean 005xx000001Sv6AAAS?",
		with("[read]}", "[read]}\n      - {effect: deny, objects: [User]}"): "rule 2 (deny): a denial after rule 1 (allow classes read)",
		strings.Replace(good, "groups:\n  - name: pilot", "groups:\n  - {name: pilots, members: [rep@acme.example]}\n  - name: pilot", 1):                              "group pilots is used by no server and no rule",
		strings.Replace(good, "policies:\n", "policies:\n  - {name: read-onyl, mode: enforce, rules: [{effect: deny}]}\n", 1):                                          "policy read-onyl is used by no server",
		strings.Replace(good, "  orgs:\n", "  orgs:\n    - {name: other, login_url: \"https://other.my.salesforce.com\", org_id: 00Dxx0000001gPF, client_id: y}\n", 1): "salesforce org other has no server",
	} {
		c, err := load(t, text+"trusted_proxies: [10.0.0.0/8]\n")
		if err != nil {
			t.Errorf("%q: %v", says, err)
			continue
		}
		notes := c.Notes()
		if says == "" && len(notes) == 0 {
			continue
		}
		if len(notes) != 1 || !strings.Contains(notes[0], says) {
			t.Errorf("%q: %q", says, notes)
		}
	}
	// Whoever is named is somebody: another spelling of a member, or nobody that resembles one.
	for _, who := range []string{"REP@acme.example", "005xx000001Sv6A", "005xx000001Sv6AAAS", "guest@other.example", "005xx000001Sv6BAAS"} {
		c, err := load(t, rule("{effect: deny, users: ["+who+"]}"))
		if err == nil && slices.ContainsFunc(c.Notes(), func(note string) bool { return strings.Contains(note, "did you mean") }) {
			t.Errorf("%s: %v", who, c.Notes())
		}
	}
}

// What is refused is refused with the name that was meant.
func TestU7MistypedNamesAreAskedAbout(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		with("    org: acme", "    org: amce"):                         `did you mean "acme"?`,
		with("    policy: read-only", "    policy: read-onyl"):         `did you mean "read-only"?`,
		with("groups: [pilot]", "groups: [pilots]"):                    `did you mean "pilot"?`,
		with("classes: [read]", "classes: [read], groups: [pliot]"):    `did you mean "pilot"?`,
		with("classes: [read]", "classes: [read], clients: [chatgtp]"): `did you mean "chatgpt"?`,
		with("    policy: read-only", "    polcy: read-only"):          `did you mean "policy"?`,
		with("", "trusted_proxys: [10.0.0.0/8]"):                       `did you mean "trusted_proxies"?`,
		with("oauth/abc123]", "oauth/abc123]\n    server: sale"):       `did you mean "sales"?`,
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if _, err := load(t, good, "SFMCP_PRODUCTON=true"); err == nil || !strings.Contains(err.Error(), `did you mean "SFMCP_PRODUCTION"?`) {
		t.Error(err)
	}
}
