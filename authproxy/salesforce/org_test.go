package salesforce_test

import (
	"encoding/base64"
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/salesforce"
)

func decode(s string) string {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func validOrg() salesforce.Org {
	return salesforce.Org{Name: "acme", LoginURL: "https://acme.my.salesforce.com", OrgID: orgID, ClientID: clientID}
}

// names says whether one of the problems is of that key, and says something.
func names(problems []salesforce.Problem, key string) bool {
	return slices.ContainsFunc(problems, func(p salesforce.Problem) bool { return p.Key == key && p.Found != "" })
}

// CL-08: only exact, plain URLs are targets.
func TestCL08OrgURLs(t *testing.T) {
	t.Parallel()
	if problems := validOrg().Validate(); problems != nil {
		t.Fatal(problems)
	}
	for _, u := range []string{"", "acme.my.salesforce.com", "https://", "ftp://acme.example", "https://acme.example/", "https://acme.example/path/", "https://acme.example/a/../b", "https://acme.example//a", "https://acme.example/%61",
		"https://acme.example?x", "https://acme.example#x", "https://acme.example#", "https://acme.example@evil.example", "https://ACME.example",
		"https://acme.example.", "https://acme%2eexample", "https:acme.example", "http://acme.example", "http://127.0.0.1:8090", "https://acme.example\\.evil"} {
		o := validOrg()
		o.LoginURL = u
		if problems := o.Validate(); !names(problems, "login_url") {
			t.Errorf("login_url %q: %v", u, problems)
		}
	}
	for u, ok := range map[string]bool{"http://127.0.0.1:8090": true, "http://[::1]:8090": true, "http://localhost:1": true,
		"http://acme.example": false, "http://127.0.0.1.evil.example": false, "https://acme.example": true, "http://127.0.0.1:8090/orgs/sandbox": true} {
		o := validOrg()
		o.LoginURL, o.InsecureHTTP = u, true
		if problems := o.Validate(); (problems == nil) != ok {
			t.Errorf("login_url %q with insecure_http: %v", u, problems)
		}
	}
}

func TestOrgProblemsComeTogether(t *testing.T) {
	t.Parallel()
	o := salesforce.Org{Name: "Acme Org", LoginURL: "https://acme.example/", OrgID: userID, ClientID: "a b", ClientSecret: "x\n",
		Scopes: []string{"mcp_api", "api"}, Issuer: "https://acme.example/", JWKSURL: "http://acme.example/keys"}
	problems := o.Validate()
	for _, field := range []string{"name", "login_url", "org_id", "client_id", "client_secret", "scopes", "issuer", "jwks_url"} {
		if !names(problems, field) {
			t.Errorf("no problem of %s in:\n%v", field, problems)
		}
	}
	for _, scopes := range [][]string{{}, {"mcp_api"}, {"refresh_token"}, {"mcp_api", "refresh_token", "full"}, {"mcp_api", "refresh_token", "a b"}} {
		o := validOrg()
		if o.Scopes = scopes; o.Validate() == nil {
			t.Errorf("scopes %q are valid", scopes)
		}
	}
	if _, err := salesforce.New(salesforce.Config{Orgs: []salesforce.Org{validOrg(), validOrg()}}); err == nil {
		t.Error("an org was accepted twice")
	}
}

func TestNormalizeID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		orgID: orgID, orgID[:15]: orgID, userID: userID, userID[:15]: userID,
		"001A0000006Vm9u": "001A0000006Vm9uIAC", // the pair of Salesforce's own documentation
	} {
		if got, err := salesforce.NormalizeID(in); got != want || err != nil {
			t.Errorf("%s became %s, %v; expected %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "00D", orgID[:16], orgID + "A", "00Dxx0000001gPFEAZ", "00dxx0000001gPFEAY", "00Dxx0000001g/F", "00Dxx0000001gPé"} {
		if got, err := salesforce.NormalizeID(in); err == nil {
			t.Errorf("%q became %s", in, got)
		}
	}
}
