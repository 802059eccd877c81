package authproxy

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc/clientdoctest"
	"sfmcp-proxy/authproxy/grant"
)

func TestMetadataOfDocuments(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	m := p.send(t, "GET", "/.well-known/oauth-authorization-server", "").json(t)
	want := map[string]any{
		"client_id_metadata_document_supported":                 true,
		"token_endpoint_auth_methods_supported":                 []any{"none", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported":      []any{"RS256", "ES256"},
		"revocation_endpoint_auth_methods_supported":            []any{"none", "private_key_jwt"},
		"revocation_endpoint_auth_signing_alg_values_supported": []any{"RS256", "ES256"},
		"registration_endpoint":                                 nil,
	}
	for name, value := range want {
		if diff := cmp.Diff(value, m[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestDocumentClientPages(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	page := p.openConsent(t, p.browser(), "client_id", p.id)
	text := html.UnescapeString(page.Body)
	host := strings.TrimPrefix(p.site.URL(clientdoctest.Address, ""), "https://")
	for _, want := range []string{"published by <code>" + host + "</code>", p.id, "client.example", "ChatGPT"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := p.openConsent(t, p.browser()); strings.Contains(page.Body, "published by") || strings.Contains(page.Body, "nverified") {
		t.Error("a user-defined client counts as unverified")
	}
}

// A page of our own answers, no redirect, and nobody is asked.
func TestAS38AuthorizeWithBlockedDocument(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	for _, id := range []string{
		"https://127.0.0.1/c", "https://[::1]/c", "https://10.0.0.1/c", "https://169.254.169.254/latest", "https://localhost./c", "https://2130706433/c", "https://0x7f.1/c",
		"https://u@" + clientdoctest.Address + "/client.json", "https://" + clientdoctest.Address + ":22/c", "http://" + clientdoctest.Address + "/client.json", "https://client.example/c",
		p.id + "?x", p.id + "#x", strings.Replace(p.id, "/client", "/./client", 1), "https://" + strings.Repeat("a", 5000), "https://\xff\n\u202e/c",
	} {
		r := p.send(t, "GET", p.authorizePath("client_id", id), "")
		if r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%.60s: %d %s", id, r.status, r.header.Get("Location"))
		}
	}
	p.wantAudited(t, "authorization.open", "denied", "cimd_blocked")
	if n := p.site.Hits("/client.json"); n != 0 {
		t.Errorf("%d fetches", n)
	}
	if n := p.count(t, `SELECT COUNT(*) FROM registered_clients`) + p.count(t, `SELECT COUNT(*) FROM authorization_requests`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestAS39AuthorizeWithBadDocument(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	for path, tt := range map[string]struct{ body, reason string }{
		"/other.json":     {`{"client_id":"` + p.id + `","client_name":"C","redirect_uris":["` + testRedirect + `"]}`, "cimd_invalid"},
		"/redirects.json": {`{"client_id":"URL","client_name":"C","redirect_uris":["javascript:alert(1)","http://client.example/cb","https://u@client.example/"]}`, "cimd_invalid"},
		"/missing.json":   {"", "cimd_unavailable"},
	} {
		id := p.site.URL(clientdoctest.Address, path)
		if tt.body != "" {
			p.site.Publish(path, strings.Replace(tt.body, "URL", id, 1))
		}
		if r := p.send(t, "GET", p.authorizePath("client_id", id), ""); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
		p.wantAudited(t, "authorization.open", "denied", tt.reason)
	}
	if n := p.count(t, `SELECT COUNT(*) FROM registered_clients`); n != 0 {
		t.Errorf("%d documents are stored", n)
	}
}

// Redirect URIs that no one may have are left out of a document that has others.
func TestAS15DocumentRedirects(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	bad := []string{"javascript:alert(1)", "data:text/html,x", "http://client.example/cb", "cursor://x/cb", p.PublicURL + "/account", "https://client.example/cb?code=1"}
	p.document(bothMethods, bad...)
	p.openConsent(t, p.browser(), "client_id", p.id)
	for _, uri := range bad {
		if r := p.send(t, "GET", p.authorizePath("client_id", p.id, "redirect_uri", uri), ""); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d", uri, r.status)
		}
	}
}

func TestAS43ChangedDocument(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	const other = "https://client.example/other"
	b := p.browser()
	p.logIn(t, b, "client_id", p.id)
	p.document(bothMethods, other)
	if r := p.send(t, "GET", p.authorizePath("client_id", p.id, "redirect_uri", other), ""); r.status != http.StatusBadRequest {
		t.Errorf("within the cache's time: %d", r.status)
	}
	p.clock.Add(time.Hour)
	before := p.upstream("/services/oauth2/authorize")
	p.openConsent(t, b, "client_id", p.id, "redirect_uri", other)
	p.openConsent(t, b, "client_id", p.id)
	if p.upstream("/services/oauth2/authorize") != before {
		t.Error("the browser was sent on without a question")
	}
	// However long the document wants to be kept, it is read again after a day.
	p.site.Publish("/client.json", `{"client_id":"`+p.id+`","client_name":"ChatGPT","redirect_uris":["`+testRedirect+`"]}`, "Cache-Control", "max-age=31536000")
	p.clock.Add(time.Hour)
	p.openConsent(t, b, "client_id", p.id)
	n := p.site.Hits("/client.json")
	p.clock.Add(23 * time.Hour)
	p.openConsent(t, b, "client_id", p.id)
	if got := p.site.Hits("/client.json"); got != n {
		t.Errorf("fetched %d times within a day", got-n)
	}
	p.clock.Add(time.Hour)
	p.openConsent(t, b, "client_id", p.id)
	if got := p.site.Hits("/client.json"); got != n+1 {
		t.Errorf("fetched %d times after a day", got-n)
	}
}

// What has been granted goes on while the document's host is down; nothing new begins.
func TestDocumentHostDown(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	have := p.tokens(t, p.redeem(p.newCode(t)))
	code := p.newCode(t)
	p.site.Stop()
	p.clock.Add(30 * time.Second)
	p.tokens(t, p.redeem(code)) // the code's 60 s are not over
	for range 3 {
		p.clock.Add(24 * time.Hour)
		p.sweep(t)
		have = p.tokens(t, refreshForm(have.refresh, "client_id", p.id))
		p.opens(t, have.access, true)
	}
	if r := p.send(t, "GET", p.authorizePath("client_id", p.id), ""); r.status != http.StatusBadRequest {
		t.Errorf("an authorization on an old document: %d", r.status)
	}
	p.wantAudited(t, "authorization.open", "denied", "cimd_unavailable")
	if r := p.post(t, "/oauth/revoke", url.Values{"client_id": {p.id}, "token": {have.refresh}}); r.status != http.StatusOK {
		t.Errorf("revocation: %d %s", r.status, r.body)
	}
	p.opens(t, have.access, false)
}

// without is another process on the same database, where clients cannot come by
// themselves.
func (f *fixture) without(t *testing.T, configured ...client.Client) (*client.Store, *grant.Store) {
	t.Helper()
	clients, err := client.New(client.Config{DB: f.db, Clients: configured, PublicURL: f.PublicURL, Now: f.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(grant.Config{DB: f.db, Ring: f.ring, Clients: clients, Lifetimes: f.Grants.Lifetimes(), Now: f.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return clients, grants
}

// Taking a host from the list ends what its clients have.
func TestHostNoLongerAllowed(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	have := p.tokens(t, p.redeem(p.newCode(t)))
	clients, s := p.without(t)
	if _, err := clients.LastKnown(t.Context(), p.id); !errors.Is(err, client.ErrUnknown) {
		t.Errorf("the client: %v", err)
	}
	if _, err := s.Authenticate(t.Context(), have.access, "sales"); !errors.Is(err, grant.ErrInvalidToken) {
		t.Errorf("its token: %v", err)
	}
	if _, err := s.Rotate(t.Context(), grant.Rotation{RefreshToken: have.refresh, ClientID: p.id}); !errors.Is(err, grant.ErrInvalidGrant) {
		t.Errorf("its refresh token: %v", err)
	}
}

func TestRevokeDocumentClient(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	have := p.tokens(t, p.redeem(p.newCode(t)))
	if clients, err := p.Clients.All(t.Context()); err != nil || len(clients) != 3 || p.Clients.Name(t.Context(), p.id) != "ChatGPT" {
		t.Errorf("%v, %v", clients, err)
	}
	ended, err := p.Cutoff.RevokeClient(t.Context(), p.id, Act{By: actor.Operator("admin", ""), Why: "x"})
	if err != nil || len(ended) != 1 {
		t.Fatalf("%v, %v", ended, err)
	}
	p.opens(t, have.access, false)
	p.wantError(t, p.post(t, "/oauth/token", refreshForm(have.refresh, "client_id", p.id)), http.StatusUnauthorized, invalidClient)
	if clients, err := p.Clients.All(t.Context()); err != nil || len(clients) != 2 {
		t.Errorf("%v, %v", clients, err)
	}
	p.tokens(t, p.redeem(p.newCode(t))) // it may come again while its host is allowed
}

func TestUnusedDocumentsAreForgotten(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	p.openConsent(t, p.browser(), "client_id", p.id)
	for _, want := range []int{1, 0} {
		p.sweep(t)
		if n := p.count(t, `SELECT COUNT(*) FROM registered_clients`); n != want {
			t.Errorf("%d documents, want %d", n, want)
		}
		p.clock.Add(24 * time.Hour)
	}
	if c, err := p.Clients.Current(t.Context(), p.id); err != nil || c.Kind != client.Document {
		t.Errorf("%+v, %v", c, err)
	}
}

// D15: what a network makes us fetch counts for it: two at a time.
func TestD15FetchesCountForWhoeverAsks(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	var now, most atomic.Int64
	release := make(chan struct{})
	var all sync.WaitGroup
	for i := range 6 {
		path := fmt.Sprintf("/slow%d.json", i)
		p.site.Handle(path, func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release
			now.Add(-1)
		})
		all.Go(func() {
			p.send(t, "GET", p.authorizePath("client_id", p.site.URL(clientdoctest.Address, path)), "")
		})
	}
	for now.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	all.Wait()
	if most.Load() != 2 {
		t.Errorf("%d fetches at a time", most.Load())
	}
}
