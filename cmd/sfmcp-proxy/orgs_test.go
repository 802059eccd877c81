package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/examples/salesforcesim"
)

// simulatedOrg is one of three orgs that one proxy stands before: the org itself, a
// sandbox whose app has a secret, and a scratch org. Users have the same ids in all.
type simulatedOrg struct {
	salesforcesim.Org
	server  string // ours, and the path of the gateway's that it leads to
	gateway string
	app     string // consumer key
	secret  string
}

func (o simulatedOrg) username() string {
	if o.Name == "acme" {
		return rep
	}
	return rep + "." + o.Name // as Salesforce copies users
}

var simulatedOrgs = []simulatedOrg{
	{salesforcesim.Org{Name: "acme", ID: salesforcesim.OrgID}, "production", "/platform/mcp/v1/platform/", salesforcesim.PublicClientID, ""},
	{salesforcesim.Org{Name: "acme-sandbox", ID: "00Dxx0000002gPFEAY", Kind: "sandbox"}, "sandbox", "/platform/mcp/v1/sandbox/platform/",
		salesforcesim.ConfidentialClientID + ".acme-sandbox", salesforcesim.ConfidentialSecret},
	{salesforcesim.Org{Name: "acme-scratch", ID: "00Dxx0000001gPGEAY", Kind: "scratch"}, "scratch", "/platform/mcp/v1/d/acme-scratch/scratch/platform/",
		salesforcesim.PublicClientID + ".acme-scratch", ""},
}

// startOrgs runs the proxy with one configuration for the three orgs, as 'serve' would.
func startOrgs(t *testing.T) (*demo, *salesforcesim.Running) {
	t.Helper()
	public, listen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	private, adminListen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	publicURL := "http://" + listen
	var orgs []salesforcesim.Org
	for _, o := range simulatedOrgs {
		orgs = append(orgs, o.Org)
	}
	sim, err := salesforcesim.Listen(salesforcesim.Config{Orgs: orgs, Callbacks: []string{publicURL + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	p, file := configured(t, configOf(t, sim, publicURL, listen, adminListen))
	d := &demo{t: t, dir: filepath.Dir(file), log: &lockedBuffer{}, Setup: setupOf(p.config, sim, file)}
	d.Users = nil
	for _, o := range simulatedOrgs {
		d.Users = append(d.Users, demonstration.User{Username: o.username(), Password: salesforcesim.RepPassword})
	}
	serveOn(t, p, map[string]net.Listener{listen: public, adminListen: private})
	return d, sim
}

func configOf(t *testing.T, sim *salesforcesim.Running, publicURL, listen, adminListen string) string {
	t.Helper()
	var orgs, servers strings.Builder
	for _, o := range simulatedOrgs {
		fmt.Fprintf(&orgs, "    - {name: %s, login_url: %q, org_id: %s, client_id: %q, insecure_http: true", o.Name, sim.LoginURL(o.Name), o.ID, o.app)
		if o.secret != "" {
			file := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(file, []byte(o.secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&orgs, ", client_secret_file: %q", file)
		}
		orgs.WriteString("}\n")
		fmt.Fprintf(&servers, "  - {name: %s, org: %s, upstream: %q, policy: read-only, groups: [\"*\"]}\n", o.server, o.Name, sim.BaseURL()+o.gateway+"sobject-reads")
	}
	return fmt.Sprintf(`
public_url: %s
listen: %s
admin_listen: %s
database: sqlite:proxy.db
keys_file: keys
salesforce:
  orgs:
%sservers:
%spolicies:
  - {name: read-only, mode: enforce, rules: [{effect: allow, classes: [read]}]}
clients:
  - {id: %s, name: Demo client, redirect_uris: ["http://127.0.0.1/callback"]}
`, publicURL, listen, adminListen, &orgs, &servers, demonstration.ClientID)
}

// orgOf says which org a request to Salesforce was for, by where it went.
func orgOf(r salesforcesim.Request) simulatedOrg {
	for _, o := range slices.Backward(simulatedOrgs) { // acme is the rest
		if strings.HasPrefix(r.Path, "/orgs/"+o.Name+"/") || strings.HasPrefix(r.Path, o.gateway) {
			return o
		}
	}
	return simulatedOrgs[0]
}

// secretsOf are what a request holds that belongs to one org alone.
func secretsOf(r salesforcesim.Request) (out []string) {
	for _, name := range []string{"code", "code_verifier", "refresh_token", "token", "client_id", "client_secret", "username"} {
		out = append(out, r.Form[name]...)
	}
	query, _ := url.ParseQuery(r.Query)
	for _, name := range []string{"client_id", "state", "code_challenge"} {
		out = append(out, query[name]...)
	}
	if _, token, ok := strings.Cut(r.RawAuthorization, " "); ok {
		out = append(out, token)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// wantOrgsApart lets the simulator's recorder prove that nothing of one org reached
// another: each secret is sought in every request, and each token names the org it went to.
func wantOrgsApart(t *testing.T, sim *salesforcesim.Running, orgs ...string) {
	t.Helper()
	requests := sim.Requests(salesforcesim.RequestFilter{})
	owner, seen := map[string]string{}, map[string]map[string]int{}
	for _, r := range requests {
		o := orgOf(r)
		for _, secret := range secretsOf(r) {
			if other := owner[secret]; other != "" && other != o.Name {
				t.Errorf("%s %s: holds a secret of org %s", o.Name, r.Path, other)
			}
			owner[secret] = o.Name
		}
		kind := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
		if seen[o.Name] == nil {
			seen[o.Name] = map[string]int{}
		}
		seen[o.Name][kind]++
		if _, token, ok := strings.Cut(r.RawAuthorization, "Bearer "); ok {
			if tenant := tenantOf(t, token); tenant != o.ID {
				t.Errorf("%s: %s got a token of org %s", r.Path, o.Name, tenant)
			}
		}
		if kind == "token" && (r.Form.Get("client_id") != o.app || r.Form.Get("client_secret") != o.secret) {
			t.Errorf("%s: client %q", r.Path, r.Form.Get("client_id"))
		}
	}
	for _, r := range requests {
		everything := fmt.Sprint(r.Path, r.Query, r.Form, r.Body, r.RawAuthorization)
		for secret, org := range owner {
			if org != orgOf(r).Name && containsWhole(everything, secret) {
				t.Errorf("%s: holds a secret of org %s", r.Path, org)
			}
		}
	}
	for _, org := range orgs {
		for kind, least := range map[string]int{"authorize": 1, "token": 2, "keys": 1, "sobject-reads": 3} {
			if seen[org][kind] < least {
				t.Errorf("%s: %d requests for %s, expected %d: the recorder proves nothing", org, seen[org][kind], kind, least)
			}
		}
	}
}

// containsWhole finds a secret that is not the beginning of a longer one: consumer keys
// and usernames of further orgs are those of the first with something behind.
func containsWhole(text, secret string) bool {
	for {
		_, rest, found := strings.Cut(text, secret)
		if !found || !strings.HasPrefix(rest, ".") {
			return found
		}
		text = rest
	}
}

// tenantOf is the org that a JWT of Salesforce's names.
func tenantOf(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	var header struct{ Tnk string }
	if err == nil {
		err = json.Unmarshal(raw, &header)
	}
	if err != nil {
		t.Errorf("no token: %v", err)
	}
	return header.Tnk[strings.LastIndexByte(header.Tnk, '/')+1:]
}

// CL-02: production, sandbox and scratch org behind one proxy, a user of the same id in
// all, one browser: connect, call, renew and end; nothing of one org reaches another.
func TestCL02OrgsSideBySide(t *testing.T) {
	t.Parallel()
	d, sim := startOrgs(t)
	b := d.browser()
	clients := map[string]*mcpClient{}
	for _, o := range simulatedOrgs {
		c := d.authorize(b, o.server, o.username())
		c.initialize()
		clients[o.Name] = c
	}
	call := func(org string) reply { return clients[org].call("getUserInfo", map[string]any{}) }
	for range 2 { // the second time with renewed tokens
		for _, o := range simulatedOrgs {
			if r := call(o.Name); r.Status != http.StatusOK || r.Result.IsError || !strings.Contains(r.text(), o.username()) {
				t.Errorf("%s: %d %s", o.Name, r.Status, r.body)
			}
		}
		d.expireLogins()
	}
	var users []string
	for line := range strings.Lines(d.must("user", "list", "--json")) {
		var u struct{ Org, Subject, Username, Salesforce string }
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			t.Fatal(err)
		}
		users = append(users, strings.Join([]string{u.Org, u.Subject, u.Username, u.Salesforce}, " "))
	}
	slices.Sort(users)
	var want []string
	for _, o := range simulatedOrgs {
		want = append(want, strings.Join([]string{o.Name, salesforcesim.RepID, o.username(), "active"}, " "))
	}
	if !slices.Equal(users, want) {
		t.Errorf("users %q, want %q", users, want)
	}

	// Their access ends in all of them by one name of theirs: the id is the same person, here and at Salesforce.
	out := d.must("user", "revoke", simulatedOrgs[0].username())
	for _, o := range simulatedOrgs {
		if r := call(o.Name); r.Status == http.StatusOK || !strings.Contains(out, "in org "+o.Name) {
			t.Errorf("%s, revoked: %d %s\n%s", o.Name, r.Status, r.body, out)
		}
	}
	eventually(t, plenty, "Salesforce was told", func() bool { return d.refreshTokens()["live"] == 0 })
	wantOrgsApart(t, sim, "acme", "acme-sandbox", "acme-scratch")
}

// The same with a person's Chromium, which is signed in to one org after the other.
func TestBrowserOrgsSideBySide(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d, sim := startOrgs(t)
	for _, o := range simulatedOrgs {
		c := d.connectIn(b, o.server, o.username())
		for range 2 {
			if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || !strings.Contains(r.text(), o.username()) {
				t.Errorf("%s: %d %s", o.Name, r.Status, r.body)
			}
			d.expireLogins()
		}
		v := b.open(d.PublicURL + "/account")
		b.shows(v, http.StatusOK, o.username(), o.Name, o.server, "Disconnect")
		if n := strings.Count(v.Text, "Disconnect"); n != 1 {
			t.Errorf("%s: %d connections are shown:\n%s", o.Name, n, v.Text)
		}
	}
	wantOrgsApart(t, sim, "acme", "acme-sandbox", "acme-scratch")
}

// MCP: a client says in both requests which server a token is for. Salesforce ignores it.
func TestLoginNamesItsResource(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	want := d.SalesforceURL + "/platform/mcp/v1" // what the three servers have in common
	for _, path := range []string{"/services/oauth2/authorize", "/services/oauth2/token"} {
		asked := d.recorded("path=" + path)
		if len(asked) == 0 {
			t.Fatalf("%s: nothing was asked", path)
		}
		text, err := json.Marshal(asked[0])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "resource="+url.QueryEscape(want)) && !strings.Contains(string(text), `"resource":["`+want+`"]`) {
			t.Errorf("%s: no resource %s in %s", path, want, text)
		}
	}
}

// CL-09: under the name of an org whose logins are stored another org is not served: it
// would be sent the first one's tokens. Cutting off goes on.
func TestCL09AnotherOrgUnderTheSameName(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	d.stop()
	text, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), "org_id: "+salesforcesim.OrgID, "org_id: 00Dxx0000002gPGEAY", 1)
	if err := os.WriteFile(d.ConfigFile, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, d.dir, "another org", "give the new one a name of its own")
	if out, status := d.command("doctor"); status != exitFailed || !strings.Contains(out, "name of its own") {
		t.Errorf("doctor: status %d\n%s", status, out)
	}
	if out := d.must("user", "revoke", rep); !strings.Contains(out, "1 connection ended") || !strings.Contains(out, "Salesforce is not told") {
		t.Errorf("user revoke:\n%s", out)
	}
	refuses(t, d.dir, "another org while a revocation waits", "name of its own")

	// Without them the name may stand for another org.
	p, _ := configured(t, twoOrgs)
	for _, id := range []string{"00Dxx0000002gPGEAY", salesforcesim.OrgID} {
		if err := p.current.Load().links.Bind(t.Context(), "one", id); err != nil {
			t.Error(err)
		}
	}
}
