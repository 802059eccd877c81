package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/seal"
)

const (
	publicURL = "https://proxy.example"
	alice     = "005xx000001Sv6AAAS" // in the group pilot by her id
	bob       = "005xx000001Sv6BAAS" // in it by his username
	carol     = "005xx000001Sv6CAAS" // in no group
	redirect  = "https://client.example/cb"
)

// fixture is a Control on real stores, with a clock.
type fixture struct {
	*Control
	db     *db.DB
	config Config
	url    string // of the database
	grants *grant.Store
	ring   *seal.KeyRing
	clock  *clock
}

// chatgpt is the only client there is.
type chatgpt struct{}

func (chatgpt) Knows(id string) bool { return id == "chatgpt" }

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	if err := seal.CreateKeyFile(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{url: dbtest.URL(t), ring: ring, clock: &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}}
	f.openStores(t)
	return f
}

// beside is another process on the same database.
func (f *fixture) beside(t *testing.T) *fixture {
	t.Helper()
	other := &fixture{url: f.url, ring: f.ring, clock: f.clock}
	other.openStores(t)
	return other
}

func (f *fixture) openStores(t *testing.T) {
	t.Helper()
	d := dbtest.OpenURL(t, f.url)
	var err error
	f.grants, err = grant.New(grant.Config{DB: d, Ring: f.ring, Clients: chatgpt{}, Now: f.clock.Now,
		Lifetimes: grant.Lifetimes{Code: time.Minute, AccessToken: 15 * time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: 2 * time.Hour,
			RefreshGrace: time.Minute, Consent: 10 * time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	f.db = d
	f.reset(t)
}

// reset takes every change of the configuration back.
func (f *fixture) reset(t *testing.T) {
	t.Helper()
	f.config = Config{DB: f.db, Grants: f.grants, PublicURL: publicURL, Now: f.clock.Now,
		Orgs: []Org{{Name: "acme", LoginURL: "https://acme.my.salesforce.com"}, {Name: "sandbox", LoginURL: "https://acme--dev.sandbox.my.salesforce.com", Issuer: "https://issuer.example"}},
		Servers: []Server{
			{Name: "sales", Org: "acme", Groups: []string{Everyone}},
			{Name: "pilot", Org: "acme", Groups: []string{"pilot"}},
			{Name: "nobody", Org: "acme"},
			{Name: "elsewhere", Org: "sandbox", Groups: []string{Everyone}},
		},
		Groups: []Group{{Name: "others", Members: []string{"x@acme.example"}}, {Name: "pilot", Members: []string{alice[:15], "Bob@ACME.example"}}},
	}
	for i := range f.config.Servers {
		f.config.Servers[i].URL = "https://api.salesforce.com/platform/mcp/v1/platform/sobject-all"
		f.config.Servers[i].Policy = &policy.Policy{Name: "none"}
	}
	f.reconfigure(t, func(*Config) {})
}

// reconfigure makes the Control anew, as a reload does.
func (f *fixture) reconfigure(t *testing.T, change func(*Config)) {
	t.Helper()
	change(&f.config)
	var err error
	if f.Control, err = New(f.config); err != nil {
		t.Fatal(err)
	}
}

// remember makes the stores remember what they read, and waits until they do.
func (f *fixture) remember(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { f.db.WatchAccess(ctx, db.AccessPoll, func() {}) })
	t.Cleanup(func() { cancel(); watching.Wait() })
	for remembers := false; !remembers; time.Sleep(time.Millisecond) {
		if _, err := f.StopMode(ctx); err != nil {
			t.Fatal(err)
		}
		_, err := f.stop.Get(func() (Stop, error) { return "", errors.New("asked") })
		remembers = err == nil
	}
}

// token makes a grant of a user of acme for a server, and its access token.
func (f *fixture) token(t *testing.T, subject, server string) (token, grantID string) {
	t.Helper()
	return f.scoped(t, subject, server, Scope)
}

func (f *fixture) scoped(t *testing.T, subject, server, scope string) (token, grantID string) {
	t.Helper()
	ctx, verifier := t.Context(), strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	id, err := f.grants.Requests.Open(ctx, grant.AuthorizationRequest{Kind: grant.Authorize, Org: "acme", Server: server, Resource: f.Resource(server),
		ClientID: "chatgpt", RedirectURI: redirect, Scope: scope, CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:])}, "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.grants.Requests.Send(ctx, id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := f.grants.Requests.Finish(ctx, sent.State, sent.Login)
	if err != nil {
		t.Fatal(err)
	}
	_, code, err := f.grants.CreateGrant(ctx, r, subject)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := f.grants.Redeem(ctx, grant.Redemption{Code: code, ClientID: "chatgpt", RedirectURI: redirect, Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	return tokens.AccessToken, tokens.Grant.ID
}

func (f *fixture) name(t *testing.T, subject, username string) {
	t.Helper()
	f.nameIn(t, "acme", subject, username)
}

func (f *fixture) nameIn(t *testing.T, org, subject, username string) {
	t.Helper()
	if err := f.grants.SeeUser(t.Context(), org, subject); err != nil {
		t.Fatal(err)
	}
	if err := f.grants.NameUser(t.Context(), org, subject, username, "Somebody"); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) epoch(t *testing.T) (n int64) {
	t.Helper()
	if err := f.db.Reads.QueryRow(`SELECT value FROM epochs WHERE name = 'access'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
