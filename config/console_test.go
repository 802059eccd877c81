package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/company"
)

// A provider and a role, with as little in each as there may be.
const (
	acmeOIDC = "{issuer: 'https://id.acme.example', client_id: proxy}"
	acmeRole = "{role: approver, subjects: [00u1]}"
)

// console is a configuration of people: members of oidc, one role, more keys.
func console(oidc, roles, more string) string {
	return good + "console: {oidc: " + oidc + ", roles: [" + roles + "]" + more + "}\n"
}

func TestWrongConsoleKeys(t *testing.T) {
	t.Parallel()
	oidc := func(members string) string {
		return console("{issuer: 'https://id.acme.example', client_id: proxy, "+members+"}", acmeRole, "")
	}
	issuer := func(issuer string) string {
		return console("{issuer: '"+issuer+"', client_id: proxy}", acmeRole, "")
	}
	role := func(members string) string { return console(acmeOIDC, acmeRole+", {"+members+"}", "") }
	other := func(members, roles string) string { return console(acmeOIDC, roles, ", providers: ["+members+"]") }
	const ofAcme = "{role: approver, issuer: 'https://id.acme.example', subjects: [00u1]}"
	const ofOther = "{role: approver, issuer: 'https://id.other.example', subjects: [00u1]}"
	for _, c := range []struct{ name, text, key, says string }{
		{"no issuer", console("{client_id: proxy}", acmeRole, ""), "console.oidc.issuer", "https URL"},
		{"issuer without scheme", issuer("id.acme.example"), "console.oidc.issuer", "https URL"},
		{"issuer without host", issuer("https:///x"), "console.oidc.issuer", "https URL"},
		{"issuer with query", issuer("https://id.acme.example/?tenant=1"), "console.oidc.issuer", "without query"},
		{"issuer with an empty query", issuer("https://id.acme.example/?"), "console.oidc.issuer", "without query"},
		{"issuer with fragment", issuer("https://id.acme.example/#a"), "console.oidc.issuer", "without query"},
		{"issuer with user", issuer("https://me:canary@id.acme.example"), "console.oidc.issuer", "a user in the URL"},
		{"issuer with a space", issuer("https://id.acme.example/a b"), "console.oidc.issuer", "https URL"},
		{"issuer by http", issuer("http://id.acme.example"), "console.oidc.issuer", "loopback"},
		{"issuer by another scheme", issuer("ftp://127.0.0.1"), "console.oidc.issuer", "loopback"},
		{"no client", console("{issuer: 'https://id.acme.example'}", acmeRole, ""), "console.oidc.client_id", "client_id"},
		{"client of two lines", console(`{issuer: 'https://id.acme.example', client_id: "a\nb"}`, acmeRole, ""), "console.oidc.client_id", "one line"},
		{"name of two lines", oidc(`name: "a\nb"`), "console.oidc.name", "one line"},
		{"long name", oidc("name: " + strings.Repeat("a", 61)), "console.oidc.name", "60"},
		{"name that turns the line", oidc(`name: "a\u202eb"`), "console.oidc.name", "one line"},
		{"openid by itself", oidc("scopes: [openid]"), "console.oidc.scopes[0]", "beside openid"},
		{"two scopes in one", oidc("scopes: [profile, 'email groups']"), "console.oidc.scopes[1]", "beside openid"},
		{"no scope", oidc("scopes: ['']"), "console.oidc.scopes[0]", "not empty"},
		{"two ways of signing in", oidc("acr: 'mfa phr'"), "console.oidc.acr", "one value"},
		{"groups_claim with a space", oidc("groups_claim: ' groups'"), "console.oidc.groups_claim", "name of the claim"},
		{"secret twice", oidc("client_secret: canary, client_secret_file: /nowhere"), "console.oidc.client_secret", ""},
		{"secret in a file that is not there", oidc("client_secret_file: /nowhere/at/all"), "console.oidc.client_secret_file", ""},
		{"role of the requester", role("role: requester, subjects: [a]"), "console.roles[1].role", "not requester"},
		{"role as rules write it", role("role: 'role:security', subjects: [a]"), "console.roles[1].role", "without role:"},
		{"no name of a role", role("subjects: [a]"), "console.roles[1].role", "a name of letters"},
		{"long name of a role", role("role: " + strings.Repeat("a", 65) + ", subjects: [a]"), "console.roles[1].role", "a name of letters"},
		{"role that nobody has", role("role: security"), "console.roles[1]", "subjects, groups or emails"},
		{"empty subject", role("role: security, subjects: [a, '']"), "console.roles[1].subjects[1]", "not empty"},
		{"subject with a space behind it", role("role: security, subjects: ['a ']"), "console.roles[1].subjects[0]", "space"},
		{"subject of two lines", role(`role: security, subjects: ["a\nb"]`), "console.roles[1].subjects[0]", "one line"},
		{"long subject", role("role: security, subjects: [" + strings.Repeat("a", 256) + "]"), "console.roles[1].subjects[0]", "one line"},
		{"name for an e-mail address", role("role: security, emails: [sasha]"), "console.roles[1].emails[0]", "address"},
		{"groups without their claim", role("role: security, groups: [a]"), "console.roles[1].groups", "groups_claim is not set"},
		{"unknown issuer", role("role: security, issuer: 'https://id.acme.example/', subjects: [a]"), "console.roles[1].issuer", "console.oidc or console.providers"},
		{"nobody has a role", console(acmeOIDC, "", ""), "console.oidc", "nobody has a role"},
		{"nobody of one of two has a role", other("{issuer: 'https://id.other.example', client_id: proxy}", ofAcme), "console.providers[0]", "nobody has a role"},
		{"role of nobody knows which", other("{issuer: 'https://id.other.example', client_id: proxy}", ofAcme+", "+ofOther+", {role: security, subjects: [a]}"), "console.roles[2].issuer", "nobody's at another"},
		{"one provider twice", other("{issuer: 'https://id.acme.example', client_id: other}", ofAcme), "console.providers[0].issuer", "a second time"},
		{"claims for a second", console(acmeOIDC, acmeRole, ", roles_max_age: 59s"), "console.roles_max_age", "1m to 24h"},
		{"claims for days", console(acmeOIDC, acmeRole, ", roles_max_age: 25h"), "console.roles_max_age", "1m to 24h"},
		{"never idle", console(acmeOIDC, acmeRole, ", session_idle: 0s"), "console.session_idle", "1m to 24h"},
		{"unknown key", console("{issuer: 'https://id.acme.example', client_id: proxy, token_url: x}", acmeRole, ""), "console.oidc.token_url", ""},
	} {
		_, err := load(t, c.text)
		problems, _ := errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Key != c.key || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want one problem of %s that says %q", c.name, err, c.key, c.says)
		}
	}
}

// Rules with step_up know one way of signing in.
func TestProvidersAgreeOnStepUp(t *testing.T) {
	t.Parallel()
	const roles = "{role: approver, issuer: 'https://id.acme.example', subjects: [00u1]}, {role: approver, issuer: 'https://id.other.example', subjects: [00u1]}"
	for _, c := range []struct{ first, second, acr, key string }{
		{"mfa", "mfa", "mfa", ""}, {"mfa", "", "mfa", ""}, {"", "mfa", "mfa", ""}, {"", "", "", ""},
		{"mfa", "other", "", "console.providers[0].acr"},
	} {
		conf, err := load(t, console("{issuer: 'https://id.acme.example', client_id: proxy, acr: '"+c.first+"'}", roles,
			", providers: [{issuer: 'https://id.other.example', client_id: proxy, acr: '"+c.second+"'}]"))
		problems, _ := errors.AsType[Problems](err)
		if c.key != "" {
			if len(problems) != 1 || problems[0].Key != c.key {
				t.Errorf("%q beside %q: %v", c.first, c.second, err)
			}
		} else if err != nil || conf.StepUpACR() != c.acr {
			t.Errorf("%q beside %q: %v", c.first, c.second, err)
		}
	}
}

// In production a provider is asked over https alone, by a client that proves who it is.
func TestProvidersInProduction(t *testing.T) {
	t.Parallel()
	of := func(text string) (keys []string) {
		_, err := load(t, strings.Replace(text, "public_url:", "production: true\npublic_url:", 1))
		problems, _ := errors.AsType[Problems](err)
		for _, p := range problems {
			if strings.HasPrefix(p.Key, "console.") {
				keys = append(keys, p.Key)
			}
		}
		return keys
	}
	if got := of(console("{issuer: 'https://id.acme.example', client_id: proxy}", acmeRole, "")); !slices.Equal(got, []string{"console.oidc.client_secret_file"}) {
		t.Errorf("without a secret: %v", got)
	}
	if got := of(console("{issuer: 'http://127.0.0.1:1', client_id: proxy, client_secret_file: "+private(t, 0o600)+"}", acmeRole, "")); !slices.Equal(got, []string{"console.oidc.issuer"}) {
		t.Errorf("by http: %v", got)
	}
	if _, err := load(t, console("{issuer: 'http://127.0.0.1:1', client_id: proxy}", acmeRole, "")); err != nil {
		t.Errorf("on this machine, outside production: %v", err)
	}
}

// Company passes on each provider with its own people, named by its host where it has no name.
func TestCompanyOfConfiguration(t *testing.T) {
	t.Parallel()
	c, err := load(t, console("{issuer: 'https://id.acme.example/realm', client_id: proxy, client_secret: s, scopes: [groups], groups_claim: grp, acr: mfa}",
		"{role: approver, issuer: 'https://id.acme.example/realm', groups: [sales]}, {role: security, issuer: 'https://id.other.example', emails: [sasha@other.example]}",
		", providers: [{name: Other, issuer: 'https://id.other.example', client_id: two}]"))
	if err != nil {
		t.Fatal(err)
	}
	want := company.Config{
		RedirectURI: "https://mcp.example.com/oauth/company/callback",
		Providers: []company.Provider{
			{Name: "id.acme.example", Issuer: "https://id.acme.example/realm", ClientID: "proxy", ClientSecret: "s", Scopes: []string{"groups"}, GroupsClaim: "grp", ACR: "mfa"},
			{Name: "Other", Issuer: "https://id.other.example", ClientID: "two"}},
		Roles: []company.Role{
			{Role: "approver", Issuer: "https://id.acme.example/realm", Groups: []string{"sales"}},
			{Role: "security", Issuer: "https://id.other.example", Emails: []string{"sasha@other.example"}}},
	}
	if got := c.Company(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if c, err = load(t, console(acmeOIDC, acmeRole, "")); err != nil || c.Company().Roles[0].Issuer != "https://id.acme.example" {
		t.Errorf("a role of the only provider: %v", err)
	}
}

// Most providers' sub is no e-mail address: a role that names one by mistake is nobody's.
func TestNoteOfSubjectsThatLookLikeAddresses(t *testing.T) {
	t.Parallel()
	c, err := load(t, console(acmeOIDC, "{role: approver, subjects: [00u1, avery@acme.example]}, {role: auditor, emails: [avery@acme.example]}", ""))
	if err != nil {
		t.Fatal(err)
	}
	var about []string
	for _, note := range c.Notes() {
		if strings.Contains(note, "console.roles") {
			about = append(about, note)
		}
	}
	if len(about) != 1 || !strings.HasPrefix(about[0], "console.roles[0].subjects: avery@acme.example ") || !strings.Contains(about[0], "emails") {
		t.Errorf("notes: %q", about)
	}
}
