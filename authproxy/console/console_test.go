package console

import (
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/authproxy/ui"
)

// site is the pages on a real server and a real database, with a clock.
type site struct {
	outside   *outside.Store
	console   *Console
	used      map[[2]string]int64 // of budgets, by org and subject
	t         *testing.T
	db        *db.DB
	url       string
	now       time.Time
	sessions  *ui.Sessions
	grants    *grant.Store
	approvals *approval.Store
	audit     *audit.Log
	links     *link.Store
}

// revoker ends connections the way these tests need it.
type revoker struct{ grants *grant.Store }

func (d revoker) Disconnect(ctx context.Context, org, subject, id string) (*grant.Grant, error) {
	g, err := d.grants.Grant(ctx, id)
	if err != nil {
		return nil, err
	}
	if g.Org != org || g.Subject != subject {
		return nil, grant.ErrNotFound
	}
	return d.grants.RevokeGrant(ctx, id, "user")
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteWith(t, "https://mcp.example.com", client.Config{}, client.Client{ID: "chatgpt", Name: "ChatGPT", RedirectURIs: []string{"https://chatgpt.com/cb"}})
}

// newSiteWith takes from config which clients may come by themselves.
func newSiteWith(t *testing.T, publicURL string, config client.Config, clients ...client.Client) *site {
	t.Helper()
	dir := t.TempDir()
	if err := seal.CreateKeyFile(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	ring := must[*seal.KeyRing](t)(seal.LoadKeyRing(filepath.Join(dir, "keys")))
	d := must[*db.DB](t)(db.Open(t.Context(), db.Config{URL: dbtest.SQLite(t, dir)}))
	t.Cleanup(func() { d.Close() })
	if err := d.Claim(t.Context(), ring); err != nil {
		t.Fatal(err)
	}
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		router.ServeHTTP(w, r.WithContext(audit.WithOrigin(r.Context(), audit.Origin{RequestID: "req_test"})))
	}))
	t.Cleanup(server.Close)
	s := &site{t: t, db: d, url: server.URL, now: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.now }
	s.sessions = ui.NewSessions(ui.Config{DB: d, Now: now})
	config.DB, config.PublicURL, config.Clients, config.Now = d, publicURL, clients, now
	known := must[*client.Store](t)(client.New(config))
	s.grants = must[*grant.Store](t)(grant.New(grant.Config{
		DB: d, Ring: ring, Clients: known, Now: now,
		Lifetimes: grant.Lifetimes{Code: time.Minute, AccessToken: 15 * time.Minute, RefreshIdle: 720 * time.Hour,
			RefreshAbsolute: 2160 * time.Hour, RefreshGrace: time.Minute, Consent: 10 * time.Minute},
	}))
	s.approvals = must[*approval.Store](t)(approval.New(approval.Config{DB: d, Ring: ring, Lifetime: 15 * time.Minute, Now: now}))
	s.audit = must[*audit.Log](t)(audit.New(audit.Config{Dir: t.TempDir(), DB: d, Ring: ring, Now: now}))
	s.links = link.New(link.Config{DB: d, Ring: ring, Salesforce: must[*salesforce.Client](t)(salesforce.New(salesforce.Config{})), Now: now})
	const hosted = "https://api.salesforce.com/platform/mcp/v1/platform/sobject-all"
	control := must[*access.Control](t)(access.New(access.Config{
		DB: d, Grants: s.grants, PublicURL: publicURL, Now: now,
		Orgs: []access.Org{{Name: "acme", LoginURL: "https://acme.my.salesforce.com"}, {Name: "other", LoginURL: "https://other.my.salesforce.com"}},
		Servers: []access.Server{
			{Name: "sales", Title: "Sales, confirmed writes", Description: "Accounts & contacts", Org: "acme", URL: hosted, Policy: &policy.Policy{}, Groups: []string{access.Everyone}},
			{Name: "plain", Org: "acme", URL: hosted, Policy: &policy.Policy{}, Groups: []string{"few"}},
			{Name: "elsewhere", Org: "other", URL: hosted, Policy: &policy.Policy{}, Groups: []string{access.Everyone}},
		},
		Groups: []access.Group{{Name: "few", Members: []string{"005B"}}},
	}))
	s.outside = outside.New(d, now)
	decisions := &authproxy.Decisions{Approvals: s.approvals, Grants: s.grants, Audit: s.audit, Undos: s, Now: now}
	c := must[*Console](t)(New(Config{
		Access:  control,
		Clients: known, Sessions: s.sessions, Guard: must[*ui.Guard](t)(ui.NewGuard(server.URL)), Marks: ui.Marks{Ring: ring, Now: now, Least: -1}, Grants: s.grants, Approvals: s.approvals,
		Decisions: decisions, Inbox: decisions, Proposals: decisions, Together: decisions, FollowUps: decisions, LostQuery: s.lostQuery, Disconnect: revoker{s.grants}, Logins: s.links, Budgets: s.budgetsOf, Outside: s.outside, Now: now, Log: slog.New(slog.DiscardHandler),
	}))
	s.console = c
	c.Mount(router)
	return s
}

// budgetsOf is what users have used of the site's one budget.
func (s *site) budgetsOf(_ context.Context, org, subject string) ([]budget.Count, error) {
	counter := budget.NewCounter(budget.PolicyScope("p"), policy.Budget{Who: policy.EachUser, What: policy.Deletes, Window: policy.Day, Limit: 5, Objects: []string{"Account"}})
	taken := s.used[[2]string{org, subject}]
	if taken == 0 {
		return nil, nil
	}
	return []budget.Count{{Counter: counter, Org: org, Party: subject, Taken: taken, Renews: s.now.Add(14 * time.Hour)}}, nil
}

// person is a signed-in browser.
type person struct {
	*site
	subject string
	cookie  *http.Cookie
	csrf    string
}

func (s *site) signIn(org, subject string) *person {
	s.t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	if err := s.sessions.Start(w, r, org, subject); err != nil {
		s.t.Fatal(err)
	}
	p := &person{site: s, subject: subject, cookie: w.Result().Cookies()[0]}
	p.csrf = ui.FormToken(p.cookie.Value)
	return p
}

// answer is a response, read.
type answer struct {
	status         int
	location, body string
	header         http.Header
}

func (s *site) send(method, path, body string, header http.Header) answer {
	s.t.Helper()
	r := must[*http.Request](s.t)(http.NewRequest(method, s.url+path, strings.NewReader(body)))
	for name, values := range header {
		r.Header[name] = values
	}
	resp := must[*http.Response](s.t)(http.DefaultTransport.RoundTrip(r))
	defer resp.Body.Close()
	text := must[[]byte](s.t)(io.ReadAll(resp.Body))
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(text), resp.Header}
}

func (p *person) header() http.Header {
	return http.Header{"Cookie": {p.cookie.Name + "=" + p.cookie.Value}}
}

func (p *person) get(path string) answer { p.t.Helper(); return p.send("GET", path, "", p.header()) }

// post sends a form with the session's token, and the mark of a page that shows nothing of a record.
func (p *person) post(path string, form url.Values) answer {
	p.t.Helper()
	form.Set("csrf_token", p.csrf)
	if id, ok := strings.CutPrefix(path, "/approvals/"); ok && !form.Has("shown") {
		form.Set("shown", p.console.Marks.Mark(ui.Shown{Browser: p.csrf, Page: id, At: p.now}))
	}
	return p.postRaw(path, form.Encode(), nil)
}

func (p *person) postRaw(path, body string, more http.Header) answer {
	p.t.Helper()
	h := p.header()
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("Sec-Fetch-User", "?1") // as browsers do when a person clicks
	for name, values := range more {
		h[name] = values
	}
	return p.send("POST", path, body, h)
}

func binding(org, subject, arguments string) approval.Binding {
	return approval.Binding{
		Org: org, Subject: subject, ClientID: "chatgpt", Server: "sales", Tool: "createSobjectRecord", DefinitionHash: "def",
		PolicyVersion: "pol", GrantID: "grt_1", Arguments: []byte(arguments), Confirmation: policy.Confirmation{Approvers: policy.Requester},
	}
}

// ask submits a call of the person that waits for approvers.
func (p *person) ask(arguments string, approvers policy.Approvers) *approval.Request {
	p.t.Helper()
	b := binding("acme", p.subject, arguments)
	b.Confirmation.Approvers = approvers
	return must[*approval.Request](p.t)(p.approvals.Submit(p.t.Context(), b, "create"))
}

// askTool asks for a call of a tool, of that class, about which the person decides.
func (p *person) askTool(tool, class, arguments string) *approval.Request {
	p.t.Helper()
	b := binding("acme", p.subject, arguments)
	b.Tool, b.Confirmation.Approvers = tool, "requester"
	return must[*approval.Request](p.t)(p.approvals.Submit(p.t.Context(), b, class))
}

func (s *site) state(id string) approval.State {
	s.t.Helper()
	return must[*approval.Request](s.t)(s.approvals.Get(s.t.Context(), id)).State
}

func (s *site) decisions() (entries []audit.Entry) {
	s.t.Helper()
	err := s.audit.List(s.t.Context(), audit.Filter{Action: string(audit.ApprovalDecide)}, func(e audit.Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}

// connect gives the person a connection and returns its id and an access token.
func (p *person) connect() (id, token string) {
	p.t.Helper()
	id, code := p.consent()
	tokens := must[*grant.Tokens](p.t)(p.grants.Redeem(p.t.Context(), grant.Redemption{
		Code: code, ClientID: "chatgpt", RedirectURI: "https://chatgpt.com/cb", Verifier: clientVerifier, Resource: "https://mcp.example.com/mcp/sales",
	}))
	return id, tokens.AccessToken
}

var clientVerifier = strings.Repeat("v", 43)

// consent gives the client a code, which it has not redeemed, and returns the id of the
// connection that it is for.
func (p *person) consent() (id, code string) {
	p.t.Helper()
	ctx := p.t.Context()
	request := must[string](p.t)(p.grants.Requests.Open(ctx, grant.AuthorizationRequest{
		Kind: grant.Authorize, Org: "acme", Server: "sales", Resource: "https://mcp.example.com/mcp/sales", ClientID: "chatgpt",
		RedirectURI: "https://chatgpt.com/cb", Scope: "mcp", CodeChallenge: challenge(clientVerifier),
	}, "browser"))
	sent, err := p.grants.Requests.Send(ctx, request, "browser")
	if err != nil {
		p.t.Fatal(err)
	}
	done, _, err := p.grants.Requests.Finish(ctx, sent.State, sent.Login)
	if err != nil {
		p.t.Fatal(err)
	}
	id, code, err = p.grants.CreateGrant(ctx, done, p.subject)
	if err != nil {
		p.t.Fatal(err)
	}
	return id, code
}

// dump is everything in the database, to see whether anything changed.
func (s *site) dump() string {
	s.t.Helper()
	var b strings.Builder
	for _, table := range []string{"users", "grants", "codes", "access_tokens", "refresh_tokens", "approvals", "browser_sessions", "meta", "epochs", "stops", "links"} {
		rows, err := s.db.Reads.Query("SELECT * FROM " + table)
		if err != nil {
			s.t.Fatal(err)
		}
		columns := must[[]string](s.t)(rows.Columns())
		for rows.Next() {
			row := make([]any, len(columns))
			for i := range row {
				row[i] = new(any)
			}
			if err := rows.Scan(row...); err != nil {
				s.t.Fatal(err)
			}
			for _, v := range row {
				fmt.Fprintf(&b, "%v|", *v.(*any))
			}
			fmt.Fprintln(&b, table)
		}
		rows.Close()
	}
	return b.String()
}

var tags = regexp.MustCompile(`<[^>]*>`)

// text is what a person reads: the page without its markup.
func (a answer) text() string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(a.body, " "))), " ")
}

func (a answer) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.text())
	}
	for _, text := range texts {
		if !strings.Contains(a.text(), text) {
			t.Errorf("page lacks %q: %s", text, a.text())
		}
	}
}
