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

// A database over a network that is not verified is noted, and no other.
func TestUnverifiedDatabaseIsNoted(t *testing.T) {
	t.Parallel()
	for database, want := range map[string]bool{
		"postgres://proxy@db.example.com/proxy": true, "postgres://proxy@db.example.com/proxy?sslmode=verify-full": false, "postgres://proxy@localhost/proxy": false,
	} {
		t.Run(database, func(t *testing.T) {
			c := &Config{Database: database}
			n := &notes{c: c}
			n.database()
			if noted := len(n.list) == 1 && strings.Contains(n.list[0], "db.example.com without verified TLS"); noted != want {
				t.Errorf("notes %q", n.list)
			}
		})
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

// A network that trusted proxies are in says nothing of their clients.
func TestConditionsAboutNetworksOfProxiesAreNoted(t *testing.T) {
	t.Parallel()
	for condition, noted := range map[string]bool{
		`source.in_network("10.0.0.0/8")`:                                    true,
		`class == "read" || source.in_network( '10.1.0.0/16' )`:              true,
		`source.in_network("192.0.2.0/24")`:                                  false,
		`!source.in_network("192.0.2.0/24") && source.in_network("::1/128")`: false,
	} {
		c, err := load(t, with("      - {effect: allow, classes: [read]}", "      - effect: allow\n        classes: [read]\n        when: >\n          "+condition)+"trusted_proxies: [10.1.2.0/24]\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(c.PolicyNotes(), func(note string) bool { return strings.Contains(note, "overlaps 10.1.2.0/24 of trusted_proxies") }); got != noted {
			t.Errorf("%s: %q", condition, c.PolicyNotes())
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	c := &Config{TrustedProxies: []string{"10.1.2.0/24", "::1/128"}}
	for source, want := range map[string]string{"192.0.2.7": "192.0.2.7", "10.1.2.3": "", "::ffff:10.1.2.3": "", "::1": "", "10.1.3.3": "10.1.3.3", "": "", "a name": "a name"} {
		if got := c.ClientAddress(source); got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}
