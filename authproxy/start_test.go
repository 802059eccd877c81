package authproxy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/authproxy/ui"
	sim "sfmcp-proxy/examples/salesforcesim"
)

const (
	testRedirect = "https://client.example/cb"
	testVerifier = "verifier-0123456789-0123456789-0123456789-0123"
	hostileName  = `<script>alert(1)</script>{{.}}`
)

// clock is a time that a test moves; proxy and Salesforce share it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is an authorization server that listens, in front of a simulated Salesforce.
type fixture struct {
	*Server
	PublicURL string
	who       access.Config // what Access was made of

	sim      *sim.Running
	beta     *sim.Running // another org's Salesforce, if wanted
	db       *db.DB
	ring     *seal.KeyRing
	clock    *clock
	http     *http.Client
	forgot   []string
	profiled bool
	network  *dbtest.Network // between the stores and their database, if wanted
}

// change alters the default set-up before it starts.
type change struct {
	beta    bool
	access  func(*access.Config)
	clients func(*fixture, *client.Config)
	tls     bool
	network bool // on PostgreSQL; the audit log reaches it directly
	inDoubt time.Duration
}

// Profile answers for the product's own MCP call: who a user is, out of the simulator.
func (f *fixture) Profile(_ context.Context, org, subject string) (name, username string, err error) {
	salesforce := f.sim
	if org == "beta" {
		salesforce = f.beta
	}
	for _, u := range salesforce.Users(org) {
		if u.ID == subject && f.profiled {
			return u.Name, u.Username, nil
		}
	}
	return "", "", fmt.Errorf("no profile")
}

func start(t *testing.T, ch change) *fixture {
	t.Helper()
	f := &fixture{clock: &clock{now: time.Now().Truncate(time.Second)}, profiled: true}
	listener := httptest.NewUnstartedServer(nil)
	t.Cleanup(listener.Close)
	publicURL := "http://" + listener.Listener.Addr().String()
	if ch.tls {
		publicURL = "https://" + listener.Listener.Addr().String()
	}
	f.sim = f.startSim(t, publicURL)
	if ch.beta {
		f.beta = f.startSim(t, publicURL, sim.Org{Name: "beta", ID: betaID})
	}
	f.PublicURL = publicURL
	c := f.parts(t, ch, publicURL)
	var err error
	if f.Server, err = New(c); err != nil {
		t.Fatal(err)
	}
	m := mux.NewRouter().SkipClean(true).UseEncodedPath()
	f.Register(m)
	m.PathPrefix("/account").HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "account") })
	listener.Config.Handler = ui.Headers(ch.tls, m)
	if ch.tls {
		listener.StartTLS()
	} else {
		listener.Start()
	}
	f.http = listener.Client()
	f.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return f
}

// reconfigure changes who may use what, as a new configuration would.
func (f *fixture) reconfigure(t *testing.T, change func(*access.Config)) {
	t.Helper()
	change(&f.who)
	var err error
	if f.Access, err = access.New(f.who); err != nil {
		t.Fatal(err)
	}
}

// sweep deletes what can no longer have an effect, as the program does each minute.
func (f *fixture) sweep(t *testing.T) {
	t.Helper()
	if err := errors.Join(f.Grants.Sweep(t.Context()), f.Clients.Sweep(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) startSim(t *testing.T, publicURL string, orgs ...sim.Org) *sim.Running {
	t.Helper()
	s, err := sim.Listen(sim.Config{Callbacks: []string{publicURL + "/oauth/callback"}, Now: f.clock.Now, Orgs: orgs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// parts makes the real parts of a server.
func (f *fixture) parts(t *testing.T, ch change, publicURL string) Config {
	t.Helper()
	dir := t.TempDir()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	fatal(seal.CreateKeyFile(filepath.Join(dir, "keys")))
	ring, err := seal.LoadKeyRing(filepath.Join(dir, "keys"))
	fatal(err)
	f.ring = ring
	open := func(url string) *db.DB {
		d, err := db.Open(t.Context(), db.Config{URL: url, InDoubt: ch.inDoubt})
		fatal(err)
		t.Cleanup(func() { d.Close() })
		fatal(d.Claim(t.Context(), ring))
		return d
	}
	var records *audit.Log
	if ch.network {
		url := dbtest.Postgres(t)
		f.network = dbtest.Between(t, url)
		records, err = audit.New(audit.Config{Dir: t.TempDir(), DB: open(url), Ring: ring, Now: f.clock.Now})
		f.db = open(f.network.URL(url))
	} else {
		f.db = open(dbtest.SQLite(t, dir))
		records, err = audit.New(audit.Config{Dir: t.TempDir(), DB: f.db, Ring: ring, Now: f.clock.Now})
	}
	fatal(err)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	clientConfig := client.Config{DB: f.db, PublicURL: publicURL, Now: f.clock.Now, Clients: []client.Client{
		{ID: "chatgpt", Name: "ChatGPT", RedirectURIs: []string{testRedirect, "https://client.example/other", "https://client.example/q?a=1"}},
		{ID: "inspector", Name: hostileName, RedirectURIs: []string{"http://127.0.0.1/callback", testRedirect}},
	}}
	if ch.clients != nil {
		ch.clients(f, &clientConfig)
	}
	clients, err := client.New(clientConfig)
	fatal(err)
	grants, err := grant.New(grant.Config{DB: f.db, Ring: ring, Clients: clients, Now: f.clock.Now,
		Lifetimes: grant.Lifetimes{Code: time.Minute, AccessToken: 15 * time.Minute, RefreshIdle: 720 * time.Hour,
			RefreshAbsolute: 2160 * time.Hour, RefreshGrace: 2 * time.Minute, Consent: 10 * time.Minute}})
	fatal(err)
	org := salesforce.Org{Name: "acme", LoginURL: f.sim.LoginURL("acme"), OrgID: sim.OrgID, ClientID: sim.PublicClientID, InsecureHTTP: true}
	orgs := []salesforce.Org{org}
	if f.beta != nil {
		org.Name, org.LoginURL, org.OrgID = "beta", f.beta.LoginURL("beta"), betaID
		orgs = append(orgs, org)
	}
	upstream, err := salesforce.New(salesforce.Config{Orgs: orgs, RedirectURI: publicURL + "/oauth/callback", Now: f.clock.Now, Log: log})
	fatal(err)
	approvals, err := approval.New(approval.Config{DB: f.db, Ring: ring, Lifetime: 15 * time.Minute, Now: f.clock.Now})
	fatal(err)
	links := link.New(link.Config{DB: f.db, Ring: ring, Salesforce: upstream, Now: f.clock.Now, Log: log})
	signIn, err := company.New(company.Config{Ring: ring, HTTP: salesforce.NewHTTPClient(nil, nil), RedirectURI: publicURL + "/oauth/company/callback", Now: f.clock.Now,
		Roles: []company.Role{{Role: people.Security, Issuer: idp, Subjects: []string{"sam"}}}})
	fatal(err)
	cookies := ui.Cookies{Secure: ch.tls}
	sessions := ui.NewSessions(ui.Config{DB: f.db, Cookies: cookies, Now: f.clock.Now})
	who := access.Config{DB: f.db, Grants: grants, PublicURL: publicURL, Now: f.clock.Now, Servers: servers(),
		Groups: []access.Group{{Name: "sellers", Members: []string{sim.RepID, sim.ManagerID}}, {Name: "managers", Members: []string{sim.ManagerUsername}}}}
	for _, o := range orgs {
		who.Orgs = append(who.Orgs, access.Org{Name: o.Name, LoginURL: o.LoginURL, Scopes: salesforce.DefaultScopes()})
	}
	if ch.access != nil {
		ch.access(&who)
	}
	f.who = who
	control, err := access.New(who)
	fatal(err)
	return Config{
		Access: control, Clients: clients, Grants: grants, Links: links, Salesforce: upstream, Sessions: sessions, Cookies: cookies, Audit: records,
		Profiles: f, Log: log, Now: f.clock.Now, Marks: ui.Marks{Ring: ring, Now: f.clock.Now, Least: -1},
		Cutoff: &Cutoff{Access: control, Clients: clients, Grants: grants, Links: links, Approvals: approvals, Sessions: sessions, Audit: records,
			Tokens: apitoken.New(apitoken.Config{DB: f.db, Roles: []string{people.Security}, Now: f.clock.Now}),
			People: people.New(people.Config{DB: f.db, SignIn: signIn, Blocked: grants.Blocked, Now: f.clock.Now,
				Users: func(ctx context.Context, who string) ([]grant.User, error) {
					return grants.FindUsersIn(ctx, []string{"acme", "beta"}, who)
				}}),
			Forget: func(org, subject string) { f.forgot = append(f.forgot, org+" "+subject) }},
	}
}

// servers are those of the fixture, all of the org acme.
func servers() []access.Server {
	const hosted = "https://api.salesforce.com/platform/mcp/v1/platform/sobject-all"
	rules := &policy.Policy{Name: "sales", Rules: []policy.Rule{
		{Effect: policy.Allow, Classes: []policy.Class{policy.Read}}, {Effect: policy.Confirm, Classes: []policy.Class{policy.Create}},
	}}
	return []access.Server{
		{Name: "sales", Title: "Sales, read only", Description: "Accounts & contacts", Org: "acme", URL: hosted, Policy: rules, Groups: []string{"sellers"}},
		{Name: "all", Org: "acme", URL: hosted, Policy: rules, Groups: []string{"managers"}},
		{Name: "nobody", Org: "acme", URL: hosted, Policy: rules},
	}
}

// idp is the company's identity provider, of which nothing but its name is needed.
const idp = "https://idp.acme.example"

const betaID = "00Dxx0000002gPGEAY"

// reply is an answer that was read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.body, err)
	}
	return m
}

func (r reply) location(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// send makes one request; path may be absolute. Headers come in pairs.
func (f *fixture) send(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	if strings.HasPrefix(path, "/") {
		path = f.PublicURL + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := f.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

const formType = "application/x-www-form-urlencoded"

func (f *fixture) post(t *testing.T, path string, form url.Values, headers ...string) reply {
	t.Helper()
	return f.send(t, "POST", path, form.Encode(), append([]string{"Content-Type", formType}, headers...)...)
}

// with sets pairs in q; an empty value takes the parameter away.
func with(q url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizePath is a right authorization request, changed by pairs.
func (f *fixture) authorizePath(pairs ...string) string {
	return "/oauth/authorize?" + with(url.Values{
		"response_type": {"code"}, "client_id": {"chatgpt"}, "redirect_uri": {testRedirect}, "state": {"s-1"}, "scope": {"mcp"},
		"code_challenge": {challengeOf(testVerifier)}, "code_challenge_method": {"S256"}, "resource": {f.Access.Resource("sales")},
	}, pairs...).Encode()
}

// browser is a person's browser that stops at the client, and at Salesforce if wanted.
func (f *fixture) browser(stops ...string) *sim.Browser {
	return sim.NewBrowser(&http.Client{Transport: f.http.Transport}, append(stops, "https://client.example/", "http://127.0.0.1:49152/")...)
}

// logIn walks a whole authorization as the sales rep and returns what the client gets.
func (f *fixture) logIn(t *testing.T, b *sim.Browser, pairs ...string) url.Values {
	t.Helper()
	return f.logInAs(t, b, sim.RepUsername, sim.RepPassword, pairs...)
}

func (f *fixture) logInAs(t *testing.T, b *sim.Browser, username, password string, pairs ...string) url.Values {
	t.Helper()
	location, err := b.LogIn(t.Context(), f.PublicURL+f.authorizePath(pairs...), username, password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func (f *fixture) code(t *testing.T, pairs ...string) string {
	t.Helper()
	q := f.logIn(t, f.browser(), pairs...)
	if q.Get("code") == "" {
		t.Fatalf("no code: %v", q)
	}
	return q.Get("code")
}

// codeForm is a right redemption, changed by pairs; refreshForm a right refresh.
func (f *fixture) codeForm(code string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"chatgpt"}, "code": {code}, "redirect_uri": {testRedirect},
		"code_verifier": {testVerifier}, "resource": {f.Access.Resource("sales")},
	}, pairs...)
}

func refreshForm(token string, pairs ...string) url.Values {
	return with(url.Values{"grant_type": {"refresh_token"}, "client_id": {"chatgpt"}, "refresh_token": {token}}, pairs...)
}

type tokens struct{ access, refresh, scope string }

func (f *fixture) tokens(t *testing.T, form url.Values) tokens {
	t.Helper()
	r := f.post(t, "/oauth/token", form)
	if r.status != http.StatusOK {
		t.Fatalf("token endpoint: %d %s", r.status, r.body)
	}
	m := r.json(t)
	return tokens{m["access_token"].(string), m["refresh_token"].(string), m["scope"].(string)}
}

// wantToken checks a refusal at the token endpoint.
func (f *fixture) wantError(t *testing.T, r reply, status int, codes ...string) {
	t.Helper()
	code, _ := r.json(t)["error"].(string)
	if r.status != status || !strings.Contains(" "+strings.Join(codes, " ")+" ", " "+code+" ") {
		t.Errorf("got %d %s, want %d and one of %v", r.status, r.body, status, codes)
	}
	if r.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
	if strings.Contains(r.body, `_token":`) {
		t.Errorf("a refusal with a token: %s", r.body)
	}
}

func (f *fixture) opens(t *testing.T, access string, want bool) {
	t.Helper()
	_, err := f.Grants.Authenticate(t.Context(), access, "sales")
	if (err == nil) != want {
		t.Errorf("access token: %v, want it to open: %t", err, want)
	}
}

// sim says how many requests reached a path of Salesforce.
func (f *fixture) upstream(path string) int {
	return len(f.sim.Requests(sim.RequestFilter{Path: path}))
}

// refuseEntries makes the audit log refuse the entries of one action; "": all of them.
func (f *fixture) refuseEntries(of audit.Action) {
	f.Audit.Refuse(func(e audit.Entry) error {
		if of == "" || e.Action == of {
			return errors.New("disk full")
		}
		return nil
	})
}

// audited returns the entries of one action.
func (f *fixture) audited(t *testing.T, action audit.Action) []audit.Entry {
	t.Helper()
	var found []audit.Entry
	err := f.Audit.List(t.Context(), audit.Filter{Action: string(action)}, func(e audit.Entry) error {
		found = append(found, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (f *fixture) wantAudited(t *testing.T, action audit.Action, outcome audit.Outcome, reason string) {
	t.Helper()
	for _, e := range f.audited(t, action) {
		if e.Outcome == outcome && strings.Contains(e.Reason, reason) {
			return
		}
	}
	t.Errorf("no audit entry %s, %s, %q among %+v", action, outcome, reason, f.audited(t, action))
}

func (f *fixture) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := f.db.Reads.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
