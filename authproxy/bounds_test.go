package authproxy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/clientdoc/clientdoctest"
)

// A server without one of its parts would leave that part's checks out: it does not start.
func TestNewWantsEveryPart(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for name, without := range map[string]func(*Config){
		"access": func(c *Config) { c.Access = nil }, "clients": func(c *Config) { c.Clients = nil }, "grants": func(c *Config) { c.Grants = nil },
		"links": func(c *Config) { c.Links = nil }, "salesforce": func(c *Config) { c.Salesforce = nil }, "sessions": func(c *Config) { c.Sessions = nil },
		"audit": func(c *Config) { c.Audit = nil }, "cutoff": func(c *Config) { c.Cutoff = nil },
	} {
		c := f.Config
		without(&c)
		if s, err := New(c); err == nil || s != nil {
			t.Errorf("without %s it starts", name)
		}
	}
	c := f.Config
	c.Log, c.Now = nil, nil
	if _, err := New(c); err != nil {
		t.Errorf("without what has a default: %v", err)
	}
}

// What anybody can send is read up to its bound, and refused from the next byte on.
func TestAS51RequestsAreBounded(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	query := func(n int) string {
		path := f.authorizePath()
		q := strings.SplitN(path, "?", 2)[1]
		return path + "&x=" + strings.Repeat("x", n-len(q)-len("&x="))
	}
	form := func(n int) string {
		text := refreshForm("sfr_" + strings.Repeat("A", 43)).Encode()
		return text + "&x=" + strings.Repeat("x", n-len(text)-len("&x="))
	}
	registration := func(n int) string {
		return plainRegistration + strings.Repeat(" ", n-len(plainRegistration))
	}
	parameters := func(n int) string { return f.authorizePath() + strings.Repeat("&y=1", n) }
	for name, tt := range map[string]struct {
		got  func() reply
		want int
	}{
		"a query of 16 KiB":          {func() reply { return f.send(t, "GET", query(16<<10), "") }, 200},
		"a query of one more":        {func() reply { return f.send(t, "GET", query(16<<10+1), "") }, 400},
		"a form of 64 KiB":           {func() reply { return f.send(t, "POST", "/oauth/token", form(64<<10), "Content-Type", formType) }, 400},
		"a form of one more":         {func() reply { return f.send(t, "POST", "/oauth/token", form(64<<10+1), "Content-Type", formType) }, 413},
		"a registration of 16 KiB":   {func() reply { return f.registration(t, registration(16<<10)) }, 201},
		"a registration of one more": {func() reply { return f.registration(t, registration(16<<10+1)) }, 400},
		"a hundred parameters more":  {func() reply { return f.send(t, "GET", parameters(100), "") }, 400},
		"a registration that is said to be text": {func() reply {
			return f.send(t, "POST", "/oauth/register", plainRegistration, "Content-Type", "text/plain")
		}, 415},
		"a registration that is said to be packed": {func() reply {
			return f.send(t, "POST", "/oauth/register", plainRegistration, "Content-Type", "application/json", "Content-Encoding", "gzip")
		}, 415},
		"a registration of no type": {func() reply { return f.send(t, "POST", "/oauth/register", plainRegistration) }, 415},
	} {
		r := tt.got()
		if r.status != tt.want {
			t.Errorf("%s: %d %.200s, want %d", name, r.status, r.body, tt.want)
		}
		if r.header.Get("Retry-After") != "" {
			t.Errorf("%s: told to come again", name)
		}
	}
}

// What a person agrees to is what the configuration still says at that moment: a server that
// has gone, or moved to another org, is not connected to.
func TestUI08ServerChangesWhileAsked(t *testing.T) {
	t.Parallel()
	for name, change1 := range map[string]func(*access.Config){
		"gone":        func(c *access.Config) { c.Servers = c.Servers[1:] },
		"another org": func(c *access.Config) { c.Servers[0].Org = "beta" },
	} {
		f := start(t, change{beta: true})
		b := f.browser()
		page := f.openConsent(t, b)
		f.reconfigure(t, change1)
		r := f.post(t, "/oauth/consent", answerTo(page, "allow"), "Cookie", cookieHeader(b, f.PublicURL))
		if r.status != http.StatusBadRequest || r.header.Get("Location") != "" || !strings.Contains(r.body, "has changed meanwhile") {
			t.Errorf("%s: %d %s", name, r.status, r.header.Get("Location"))
		}
	}
}

// AS-33: each client's keys are its own: what is fetched for one changes nothing for
// another, is believed for its time while its host is down, and not longer.
func TestAS33KeysOfTwoClients(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	k := signingKeys()
	second := p.site.URL(clientdoctest.Address, "/second.json")
	p.site.Publish("/second.json", `{"client_id":"`+second+`","client_name":"Second","redirect_uris":["`+testRedirect+`"],"jwks_uri":"`+
		p.site.URL(clientdoctest.Address, "/second-keys.json")+`",`+bothMethods+`}`)
	p.site.Publish("/second-keys.json", strings.Replace(jwks(), `"r"`, `"other"`, 1))
	first := p.tokens(t, withAssertion(p.redeem(p.newCode(t)), p.asserted(t, nil)))
	ofSecond := func(kid string) string {
		return sign(t, jwt.SigningMethodRS256, k.rsa, map[string]any{"kid": kid}, p.claims(jwt.MapClaims{"iss": second, "sub": second}))
	}
	have := p.tokens(t, withAssertion(p.codeForm(p.code(t, "client_id", second), "client_id", second), ofSecond("other")))
	first = p.tokens(t, withAssertion(refreshForm(first.refresh, "client_id", p.id), p.asserted(t, nil)))
	if n := p.site.Hits("/jwks.json"); n != 1 {
		t.Errorf("the first client's keys were fetched %d times", n)
	}
	if r := p.post(t, "/oauth/token", withAssertion(refreshForm(have.refresh, "client_id", second), ofSecond("r"))); r.status != http.StatusUnauthorized {
		t.Errorf("a key of the first client signs for the second: %d", r.status)
	}
	p.site.Stop()
	p.clock.Add(3 * time.Hour) // no longer fresh
	p.tokens(t, withAssertion(refreshForm(first.refresh, "client_id", p.id), p.asserted(t, nil)))
}

// AS-43: a document is good until the moment that its host said, and read again from that
// moment on.
func TestAS43DocumentIsFreshUntilItIsNot(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	open := func() int {
		t.Helper()
		if r := p.send(t, "GET", p.authorizePath("client_id", p.id), ""); r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return p.site.Hits("/client.json")
	}
	if n := open(); n != 1 {
		t.Fatalf("fetched %d times", n)
	}
	until := time.UnixMilli(int64(p.count(t, `SELECT fresh_until FROM registered_clients`)))
	p.clock.Add(until.Sub(p.clock.Now()) - time.Millisecond)
	if n := open(); n != 1 {
		t.Errorf("fetched %d times while it is fresh", n)
	}
	p.clock.Add(time.Millisecond)
	if n := open(); n != 2 {
		t.Errorf("fetched %d times when it is no longer fresh", n)
	}
}
