package mcpforward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/budget"
	oauth "sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/upstream"
)

const (
	redirectURI      = "https://client.example/callback"
	approvalLifetime = 15 * time.Minute
)

// world is a proxy in front of a simulated Salesforce, over real HTTP, with the real
// stores on a real database.
type world struct {
	t         testing.TB
	sim       *salesforcesim.Running
	db        *db.DB
	grants    *grant.Store
	links     *link.Store
	approvals *approval.Store
	people    roster
	audit     *audit.Log
	handler   *Handler
	server    *httptest.Server
	logs      *safeBuffer

	access access.Config // what the handler's access.Control was made of

	mu     sync.Mutex
	ahead  time.Duration // of the approvals' clock
	aged   time.Duration // of the grants' clock
	signed map[string]bool
}

// setup is what a test can change before the handler is made.
type setup struct {
	Config    // but for Access
	PublicURL string
	Servers   []access.Server
	Groups    []access.Group
}

// safeBuffer collects what is logged.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// policies of the world's servers.
func confirmWrites() *policy.Policy {
	return &policy.Policy{Name: "confirm-writes", Rules: []policy.Rule{
		{Effect: policy.Allow, Tools: []string{"prompt:accountReviewBriefing"}},
		{Effect: policy.Confirm, Tools: []string{"prompt:*"}},
		{Effect: policy.Deny, Objects: []string{"User", "Profile"}},
		{Effect: policy.Allow, Classes: []policy.Class{policy.Read}},
		{Effect: policy.Confirm, Classes: []policy.Class{policy.Create, policy.Update}},
	}}
}

func readOnly() *policy.Policy {
	return &policy.Policy{Name: "read-only", Rules: []policy.Rule{{Effect: policy.Allow, Classes: []policy.Class{policy.Read}}}}
}

func allowAll() *policy.Policy {
	return &policy.Policy{Name: "allow-all", Rules: []policy.Rule{
		{Effect: policy.Allow, Tools: []string{"*"}}, {Effect: policy.Allow, Tools: []string{"prompt:*"}}, {Effect: policy.Allow, Tools: []string{"resource:*"}},
	}}
}

// newWorld starts everything; change, if not nil, edits what the handler is made of.
func newWorld(t testing.TB, change func(*setup)) *world {
	t.Helper()
	w := &world{t: t, logs: &safeBuffer{}, signed: map[string]bool{}}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.server = httptest.NewUnstartedServer(nil)
	public := "http://" + w.server.Listener.Addr().String()
	w.sim, err = salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{public + "/oauth/callback"}, Log: slog.New(slog.DiscardHandler)})
	check(err)
	t.Cleanup(func() { w.sim.Close() })

	dir := t.TempDir()
	check(seal.CreateKeyFile(filepath.Join(dir, "keys")))
	ring, err := seal.LoadKeyRing(filepath.Join(dir, "keys"))
	check(err)
	w.db, err = db.Open(t.Context(), db.Config{URL: dbtest.SQLite(t, dir)})
	check(err)
	t.Cleanup(func() { w.db.Close() })
	check(w.db.Claim(t.Context(), ring))

	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	sf, err := salesforce.New(salesforce.Config{
		Orgs: []salesforce.Org{{Name: "acme", LoginURL: w.sim.LoginURL("acme"), OrgID: salesforcesim.OrgID,
			ClientID: salesforcesim.PublicClientID, InsecureHTTP: true}},
		RedirectURI: public + "/oauth/callback", Log: log,
	})
	check(err)
	w.links = link.New(link.Config{DB: w.db, Ring: ring, Salesforce: sf, Log: log})
	clients, err := oauth.New(oauth.Config{DB: w.db, PublicURL: public, Clients: []oauth.Client{
		{ID: "chatgpt", Name: "ChatGPT", RedirectURIs: []string{redirectURI}}, {ID: "claude", Name: "Claude", RedirectURIs: []string{redirectURI}}}})
	check(err)
	w.grants, err = grant.New(grant.Config{DB: w.db, Ring: ring, Clients: clients, Now: w.grantsNow,
		Lifetimes: grant.Lifetimes{Code: time.Minute, AccessToken: 15 * time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: 2 * time.Hour, Consent: 10 * time.Minute}})
	check(err)
	w.approvals, err = approval.New(approval.Config{DB: w.db, Ring: ring, Lifetime: approvalLifetime, Now: w.now, People: &w.people})
	check(err)
	w.audit, err = audit.New(audit.Config{Dir: t.TempDir(), DB: w.db, Ring: ring})
	check(err)
	budgets, err := budget.New(budget.Config{DB: w.db})
	check(err)
	definitions, err := definition.New(definition.Config{DB: w.db})
	check(err)
	pool := upstream.New(upstream.Config{HTTP: salesforce.NewHTTPClient(nil, nil), Log: log, Version: "test"})
	t.Cleanup(pool.Close)

	server := func(name, hosted string, p *policy.Policy, groups ...string) access.Server {
		return access.Server{Name: name, Title: "Title of " + name, Org: "acme", URL: w.sim.ServerURL("acme", hosted), Timeout: time.Minute, Policy: p, Groups: groups}
	}
	c := setup{
		Config: Config{Budgets: budgets, Outside: outside.New(w.db, nil), DB: w.db, Links: w.links, Approvals: w.approvals, Audit: w.audit, Definitions: definitions, Pool: pool,
			Limits: Limits{CallsPerMinute: 100_000, ConcurrentCalls: 64}, Version: "test", Log: log},
		PublicURL: public,
		Groups:    []access.Group{{Name: "pilot", Members: []string{salesforcesim.RepID}}},
		Servers: []access.Server{
			server("sales", "platform/sobject-all", confirmWrites(), "*"),
			server("reads", "platform/sobject-reads", readOnly(), "pilot"),
			server("custom", "custom/AcmeOps", allowAll(), "*"),
			server("nobody", "platform/sobject-reads", readOnly()),
		},
	}
	if change != nil {
		change(&c)
	}
	w.access = access.Config{DB: w.db, Grants: w.grants, PublicURL: public, Servers: c.Servers,
		Orgs: []access.Org{{Name: "acme"}, {Name: sandbox}}, Groups: c.Groups}
	c.Access, err = access.New(w.access)
	check(err)
	w.handler, err = New(c.Config)
	check(err)
	w.server.Config.Handler = w.handler
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

// regroup makes group the only one there is, with those members.
func (w *world) regroup(group string, members ...string) {
	w.t.Helper()
	w.reconfigure(func(c *access.Config) { c.Groups = []access.Group{{Name: group, Members: members}} })
}

// reconfigure changes who may use what, as a new configuration would.
func (w *world) reconfigure(change func(*access.Config)) {
	w.t.Helper()
	change(&w.access)
	control, err := access.New(w.access)
	if err != nil {
		w.t.Fatal(err)
	}
	w.handler.admit = control.Admit
}

// now is the approvals' clock.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// grantsNow is the clock of grants and tokens.
func (w *world) grantsNow() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.aged)
}

func (w *world) age(d time.Duration) { w.mu.Lock(); w.aged += d; w.mu.Unlock() }

func (w *world) wait(d time.Duration) { w.mu.Lock(); w.ahead += d; w.mu.Unlock() }

func (w *world) switches(change func(*salesforcesim.Switches)) {
	w.t.Helper()
	if err := w.sim.ChangeSwitches(change); err != nil {
		w.t.Fatal(err)
	}
}

// signIn makes a user's Salesforce login, as the callback would.
func (w *world) signIn(username, password string) {
	w.t.Helper()
	ctx := w.t.Context()
	sf := w.links.Salesforce.(*salesforce.Client)
	verifier := salesforce.NewVerifier()
	address, err := sf.AuthorizeURL("acme", "state", verifier)
	if err != nil {
		w.t.Fatal(err)
	}
	back, err := salesforcesim.LogIn(ctx, nil, address, username, password)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := sf.Exchange(ctx, "acme", u.Query().Get("code"), verifier)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.links.Replace(ctx, "acme", token); err != nil {
		w.t.Fatal(err)
	}
}

// token makes a grant of a user for a server and returns it with its access token.
func (w *world) token(subject, client, server string) (grantID, access string) {
	w.t.Helper()
	ctx := w.t.Context()
	if !w.signed[subject] {
		w.signed[subject] = true
		switch subject {
		case salesforcesim.RepID:
			w.signIn(salesforcesim.RepUsername, salesforcesim.RepPassword)
		case salesforcesim.ManagerID:
			w.signIn(salesforcesim.ManagerUsername, salesforcesim.ManagerPassword)
		}
	}
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	id, err := w.grants.Requests.Open(ctx, grant.AuthorizationRequest{Kind: grant.Authorize, Org: "acme", Server: server,
		Resource: w.handler.Access.Resource(server), ClientID: client, RedirectURI: redirectURI, Scope: "mcp",
		CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:])}, "browser")
	if err != nil {
		w.t.Fatal(err)
	}
	sent, err := w.grants.Requests.Send(ctx, id, "browser")
	if err != nil {
		w.t.Fatal(err)
	}
	r, _, err := w.grants.Requests.Finish(ctx, sent.State, sent.Login)
	if err != nil {
		w.t.Fatal(err)
	}
	_, code, err := w.grants.CreateGrant(ctx, r, subject)
	if err != nil {
		w.t.Fatal(err)
	}
	tokens, err := w.grants.Redeem(ctx, grant.Redemption{Code: code, ClientID: client, RedirectURI: redirectURI, Verifier: verifier})
	if err != nil {
		w.t.Fatal(err)
	}
	return tokens.Grant.ID, tokens.AccessToken
}

const createAccount = `{"sobject-name":"Account","body":{"Name":"Nimbus","NumberOfEmployees":7}}`

// forwarded lists the tools that reached Salesforce.
func (w *world) forwarded() []string {
	var tools []string
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{RPC: "tools/call"}) {
		tools = append(tools, r.Tool)
	}
	return tools
}

// reached counts the requests at Salesforce's gateway that act for a client.
func (w *world) reached() int {
	n := 0
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"}) {
		if r.RPC != "initialize" && r.RPC != "notifications/initialized" {
			n++
		}
	}
	return n
}

// entries returns the audit log, or what of it has the action.
func (w *world) entries(action string) []audit.Entry {
	w.t.Helper()
	var all []audit.Entry
	if err := w.audit.List(context.Background(), audit.Filter{Action: action}, func(e audit.Entry) error { all = append(all, e); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return all
}

func outcomes(entries []audit.Entry) []audit.Outcome {
	var all []audit.Outcome
	for _, e := range entries {
		all = append(all, e.Outcome)
	}
	return all
}

func (w *world) accounts(name string) int {
	n := 0
	for _, r := range w.sim.Records("acme", "Account") {
		if r["Name"] == name {
			n++
		}
	}
	return n
}

// approve decides the one pending request.
func (w *world) decide(approve bool) *approval.Request {
	w.t.Helper()
	pending, err := w.approvals.List(w.t.Context(), approval.Filter{State: approval.Pending})
	if err != nil || len(pending) != 1 {
		w.t.Fatalf("%d pending requests, %v", len(pending), err)
	}
	r := &pending[0]
	if approve {
		r, err = w.approvals.Approve(w.t.Context(), r.ID, agreement(r))
	} else {
		r, err = w.approvals.Deny(w.t.Context(), r.ID, actor.User("person"), "")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// agreement is the decision of somebody who may agree to a request.
func agreement(r *approval.Request) approval.Decision {
	by, factor := actor.Operator("root", fmt.Sprint("person ", len(r.Decisions)+1)), r.Missing()[0].Role
	return approval.Decision{By: by, Human: approval.OperatorHuman(by), Factor: factor, Role: factor}
}

// wantDenied checks that an answer is a refusal and that nothing was forwarded.
func (w *world) wantDenied(what string, a *answer) {
	w.t.Helper()
	if a.status == http.StatusOK && !a.failed() {
		w.t.Errorf("%s: allowed: %s", what, a.body)
	}
	if got := w.forwarded(); len(got) > 0 {
		w.t.Errorf("%s: reached Salesforce: %v", what, got)
	}
}

func names(items []map[string]any, key string) []string {
	var all []string
	for _, item := range items {
		all = append(all, fmt.Sprint(item[key]))
	}
	slices.Sort(all)
	return all
}
