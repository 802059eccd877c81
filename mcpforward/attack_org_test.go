package mcpforward

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/upstream"
)

const (
	sandbox   = "sandbox"
	sandboxID = "00Dxx0000002gPGEAY"
)

// twoOrgs is a world with a second Salesforce, a sandbox in which the same people have
// the same user ids, in front of the server "sandbox".
func twoOrgs(t *testing.T) (w *world, second *salesforcesim.Running) {
	t.Helper()
	var links *link.Store
	w = newWorld(t, func(c *setup) {
		var err error
		second, err = salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{c.PublicURL + "/oauth/callback"}, Log: slog.New(slog.DiscardHandler),
			Orgs: []salesforcesim.Org{{Name: sandbox, ID: sandboxID}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { second.Close() })
		first := c.Links.(*link.Store)
		login := strings.Split(c.Servers[0].URL, "/platform/")[0]
		client, err := salesforce.New(salesforce.Config{RedirectURI: c.PublicURL + "/oauth/callback", Log: c.Log, Orgs: []salesforce.Org{
			{Name: "acme", LoginURL: login, OrgID: salesforcesim.OrgID, ClientID: salesforcesim.PublicClientID, InsecureHTTP: true},
			{Name: sandbox, LoginURL: second.LoginURL(sandbox), OrgID: sandboxID, ClientID: salesforcesim.PublicClientID, InsecureHTTP: true},
		}})
		if err != nil {
			t.Fatal(err)
		}
		links = link.New(link.Config{DB: c.DB, Ring: first.Ring, Salesforce: client, Log: c.Log})
		c.Links = links
		c.Servers = append(c.Servers, access.Server{Name: sandbox, Title: "Sandbox", Org: sandbox, Timeout: time.Minute, Policy: confirmWrites(),
			URL: second.ServerURL(sandbox, "platform/sobject-all"), Groups: []string{"*"}})
	})
	w.links = links
	return w, second
}

// CL-09: one person with a login in two orgs. Each server gets the login of its own org,
// or sends the person to sign in; no token of one org is ever seen by the other.
func TestCL09OrgCrossing(t *testing.T) {
	t.Parallel()
	w, second := twoOrgs(t)
	production := rep(w)
	testing := &client{world: w, url: w.server.URL + "/mcp/" + sandbox}
	testing.grant, testing.token = w.token(salesforcesim.RepID, "chatgpt", sandbox)
	for _, statement := range []string{ // the world's own grants are all of acme
		`INSERT INTO users (org, subject, first_seen_at, last_seen_at) SELECT $1, subject, 0, 0 FROM users WHERE org = 'acme'`,
		`UPDATE grants SET org = $1 WHERE server = $1`,
	} {
		if _, err := w.db.Writes.Exec(statement, sandbox); err != nil {
			t.Fatal(err)
		}
	}
	dbtest.Sign(t, w.db, db.Users, db.Grants)
	testing.initialize()

	// Without a login there, the one elsewhere does not help.
	if a := testing.tool("getUserInfo", `{}`); a.status != http.StatusUnauthorized || len(second.Requests(salesforcesim.RequestFilter{})) != 0 {
		t.Errorf("no login in the sandbox: %d, %d requests there", a.status, len(second.Requests(salesforcesim.RequestFilter{})))
	}
	access, refresh, err := second.IssueTokens(salesforcesim.RepUsername, salesforcesim.PublicClientID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.links.Replace(t.Context(), sandbox, &salesforce.Token{AccessToken: access, RefreshToken: refresh,
		ExpiresAt: time.Now().Add(time.Hour), OrgID: sandboxID, Subject: salesforcesim.RepID}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for name, c := range map[string]*client{"production": production, sandbox: testing} {
			if a := c.tool("getUserInfo", `{}`); a.failed() {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	}
	crossed := *testing
	crossed.token = production.token
	if a := crossed.call("tools/list", `{}`); a.status != http.StatusUnauthorized {
		t.Errorf("production's token at the sandbox: %d", a.status)
	}
	crossed = *production
	crossed.token = testing.token
	if a := crossed.call("tools/list", `{}`); a.status != http.StatusUnauthorized {
		t.Errorf("the sandbox's token in production: %d", a.status)
	}

	mine, err := w.links.Token(t.Context(), "acme", salesforcesim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	for org, seen := range map[string]struct {
		sim  *salesforcesim.Running
		want string
	}{"acme": {w.sim, mine}, sandbox: {second, access}} {
		calls := seen.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"})
		if len(calls) == 0 {
			t.Errorf("%s was not called", org)
		}
		for _, r := range calls {
			if r.RawAuthorization != "Bearer "+seen.want {
				t.Errorf("%s saw a token that is not its own at %s", org, r.Path)
			}
		}
	}

	// One login ends, the other goes on.
	if err := w.links.Revoke(t.Context(), sandbox, salesforcesim.RepID, "test"); err != nil {
		t.Fatal(err)
	}
	if left, err := w.links.RevokePending(t.Context()); err != nil || left != 0 {
		t.Errorf("%d revocations left, %v", left, err)
	}
	if a := testing.tool("getUserInfo", `{}`); a.status != http.StatusUnauthorized {
		t.Errorf("after the sandbox login ended: %d", a.status)
	}
	if a := production.tool("getUserInfo", `{}`); a.failed() {
		t.Errorf("production afterwards: %d %s", a.status, a.body)
	}
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{Path: "/services/oauth2/revoke"}) {
		t.Errorf("production was asked to revoke: %v", r.Path)
	}
}

// CL-07 at the gateway: a certificate that does not fit ends the call before the token
// is sent, and nothing is tried in the clear.
func TestCL07GatewayCertificate(t *testing.T) {
	t.Parallel()
	hits := make(chan struct{}, 100)
	gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits <- struct{}{} }))
	gateway.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	gateway.StartTLS()
	t.Cleanup(gateway.Close)
	known := x509.NewCertPool()
	known.AddCert(gateway.Certificate())
	old := httptest.NewUnstartedServer(gateway.Config.Handler)
	old.Config.ErrorLog = gateway.Config.ErrorLog
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	for what, tt := range map[string]struct {
		url   string
		roots *x509.CertPool
	}{
		"unknown authority": {gateway.URL, nil},
		"another name":      {strings.Replace(gateway.URL, "127.0.0.1", "localhost", 1), known},
		"TLS 1.1":           {old.URL, known},
	} {
		w := newWorld(t, func(c *setup) {
			pool := upstream.New(upstream.Config{HTTP: salesforce.NewHTTPClient(tt.roots, nil), Log: c.Log, Version: "test"})
			t.Cleanup(pool.Close)
			c.Pool = pool
			c.Servers[0].URL = tt.url + "/platform/mcp/v1/platform/sobject-all"
		})
		c := rep(w)
		a := c.tool("getUserInfo", `{}`)
		if !a.failed() || strings.Contains(a.body, "x509") || strings.Contains(a.body, "certificate") || strings.Contains(a.body, gateway.URL) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		entries := w.entries("tool.call")
		if len(entries) < 2 || entries[len(entries)-1].Outcome == "ok" {
			t.Errorf("%s: recorded %v", what, fmt.Sprint(outcomes(entries)))
		}
		if len(hits) > 0 {
			t.Errorf("%s: the gateway saw a request", what)
		}
	}
}
