package authproxy

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/clientdoc/clientdoctest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

// startOpen is an authorization server that accepts every kind of client: configured ones,
// documents, and whoever registers.
func startOpen(t *testing.T) *published {
	t.Helper()
	p := &published{site: clientdoctest.Start(t)}
	p.fixture = start(t, change{clients: func(f *fixture, c *client.Config) {
		c.Dynamic = true
		c.Documents = clientdoc.New(clientdoc.Config{AllowHosts: []string{clientdoctest.Address}, Roots: p.site.Roots, Now: f.clock.Now,
			AllowAddresses: []netip.Prefix{netip.MustParsePrefix(clientdoctest.AddressNetwork)}})
	}})
	p.id = p.site.URL(clientdoctest.Address, "/client.json")
	p.document(bothMethods)
	p.site.Publish("/jwks.json", jwks())
	return p
}

// asks are the ways in which somebody can make us refuse, or answer, as often as they like:
// each is prepared once, then asked again and again.
var asks = map[string]func(*testing.T, *published) (ask func() reply, want int){
	"redirect URI of somebody else": func(t *testing.T, p *published) (func() reply, int) {
		return func() reply { return p.send(t, "GET", p.authorizePath("redirect_uri", "https://evil.example/"), "") }, 400
	},
	"unknown client": func(t *testing.T, p *published) (func() reply, int) {
		return func() reply { return p.send(t, "GET", p.authorizePath("client_id", "nobody"), "") }, 400
	},
	"document of a host that is not listed": func(t *testing.T, p *published) (func() reply, int) {
		return func() reply { return p.send(t, "GET", p.authorizePath("client_id", "https://evil.example/c"), "") }, 400
	},
	"document that is not there": func(t *testing.T, p *published) (func() reply, int) {
		id := p.site.URL(clientdoctest.Address, "/none.json")
		return func() reply { return p.send(t, "GET", p.authorizePath("client_id", id), "") }, 400
	},
	"callback with a state of nobody": func(t *testing.T, p *published) (func() reply, int) {
		q := url.Values{"state": {strings.Repeat("A", 43)}, "code": {"x"}}
		return func() reply { return p.send(t, "GET", "/oauth/callback?"+q.Encode(), "") }, 400
	},
	"callback in another browser": func(t *testing.T, p *published) (func() reply, int) {
		_, callback := p.atCallback(t)
		return func() reply { return p.callbackWith(t, p.browser(), callback.Query()) }, 403
	},
	"consent to nothing": func(t *testing.T, p *published) (func() reply, int) {
		form := url.Values{"request": {strings.Repeat("A", 43)}, "decision": {"allow"}}
		return func() reply { return p.post(t, "/oauth/consent", form) }, 403
	},
	"code of nobody": func(t *testing.T, p *published) (func() reply, int) {
		return func() reply { return p.post(t, "/oauth/token", p.codeForm(seal.Secret("sfc_"))) }, 400
	},
	"refresh token of nobody": func(t *testing.T, p *published) (func() reply, int) {
		return func() reply { return p.post(t, "/oauth/token", refreshForm(seal.Secret("sfr_"))) }, 400
	},
	"refresh for another resource": func(t *testing.T, p *published) (func() reply, int) {
		have := p.tokens(t, p.codeForm(p.code(t)))
		form := refreshForm(have.refresh, "resource", p.Access.Resource("all"))
		return func() reply { return p.post(t, "/oauth/token", form) }, 400
	},
	"refresh for another scope": func(t *testing.T, p *published) (func() reply, int) {
		have := p.tokens(t, p.codeForm(p.code(t)))
		form := refreshForm(have.refresh, "scope", "mcp offline_access")
		return func() reply { return p.post(t, "/oauth/token", form) }, 400
	},
	"code for another resource": func(t *testing.T, p *published) (func() reply, int) {
		form := p.codeForm(p.code(t), "resource", p.Access.Resource("all"))
		return func() reply { return p.post(t, "/oauth/token", form) }, 400
	},
	"refresh whose login is lost": func(t *testing.T, p *published) (func() reply, int) {
		have := p.tokens(t, p.codeForm(p.code(t)))
		p.loseLogin(t)
		return func() reply { return p.post(t, "/oauth/token", refreshForm(have.refresh)) }, 400
	},
	"client that does not sign": func(t *testing.T, p *published) (func() reply, int) {
		p.tokens(t, withAssertion(p.redeem(p.newCode(t)), p.asserted(t, nil)))
		return func() reply { return p.post(t, "/oauth/token", refreshForm(seal.Secret("sfr_"), "client_id", p.id)) }, 401
	},
	"assertion by another key": func(t *testing.T, p *published) (func() reply, int) {
		p.newCode(t)
		return func() reply {
			forged := sign(t, jwt.SigningMethodRS256, signingKeys().other, map[string]any{"kid": "r"}, p.claims(nil))
			return p.post(t, "/oauth/token", withAssertion(refreshForm(seal.Secret("sfr_"), "client_id", p.id), forged))
		}, 401
	},
	"revocation of nothing": func(t *testing.T, p *published) (func() reply, int) {
		return func() reply {
			return p.post(t, "/oauth/revoke", url.Values{"token": {seal.Secret("sfr_")}, "client_id": {"chatgpt"}})
		}, 200
	},
	"sign-in without an org": func(t *testing.T, p *published) (func() reply, int) {
		return func() reply { return p.post(t, "/signin", url.Values{"org": {"nowhere"}}) }, 403
	},
}

// AU-14, AV-03: whoever is refused again and again leaves a bounded trace: entries of the
// audit log that say how many were left out, and no row of any other table.
func TestAU14AV03RefusalsLeaveLittle(t *testing.T) {
	t.Parallel()
	tries := rounds.Sized(t, 60, 120)
	for name, prepare := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startOpen(t)
			ask, want := prepare(t, p)
			entries, rows := len(p.audited(t, "")), p.rows(t)
			for range tries {
				if r := ask(); r.status != want {
					t.Fatalf("%d %s, want %d", r.status, r.body, want)
				}
			}
			all := p.audited(t, "")
			if n := len(all) - entries; n > 50 {
				t.Errorf("%d entries for %d tries", n, tries)
			}
			for table, n := range p.rows(t) {
				if n > rows[table]+1 && !strings.HasPrefix(table, "audit") {
					t.Errorf("%d rows of %s for %d tries", n-rows[table], table, tries)
				}
			}
			if len(all) == entries {
				return // nothing of it is recorded
			}
			p.clock.Add(time.Minute)
			ask()
			if now := p.audited(t, ""); len(now) <= len(all) || !strings.Contains(now[len(now)-1].Reason, "not recorded") {
				t.Error("what was left out is not counted")
			}
		})
	}
}

// AU-14: registrations are recorded as refusals are.
func TestAU14RegistrationsAreBounded(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	for range 120 {
		if r := f.registration(t, plainRegistration); r.status != http.StatusCreated {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if n := len(f.audited(t, "")); n > 50 {
		t.Errorf("%d entries for 120 registrations", n)
	}
}

// rows counts the rows of every table.
func (f *fixture) rows(t *testing.T) map[string]int {
	t.Helper()
	tables, err := f.db.Reads.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	counts := map[string]int{}
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			t.Fatal(err)
		}
		counts[name] = -1
	}
	if err := tables.Err(); err != nil {
		t.Fatal(err)
	}
	for name := range counts {
		counts[name] = f.count(t, `SELECT COUNT(*) FROM "`+name+`"`)
	}
	return counts
}
