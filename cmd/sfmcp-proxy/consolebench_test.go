package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/review"
	"sfmcp-proxy/authproxy/ui"
)

// How much there is behind the pages that [BenchmarkConsole] opens.
const (
	benchPeople      = 10_000
	benchConnections = 100_000
	benchEntries     = 1_000_000
)

// benchClients are the programs that the connections are of.
const benchClients = `
clients:
  - {id: chatgpt, name: ChatGPT, redirect_uris: ["https://chatgpt.example/cb"]}
  - {id: claude, name: Claude, redirect_uris: ["https://claude.example/cb"]}
  - {id: cursor, name: Cursor, redirect_uris: ["https://cursor.example/cb"]}
`

// asSecurity shows each page to a member of the security team.
type asSecurity struct{ b testing.TB }

func (s asSecurity) ForRoles(_ []string, f console.MemberHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := &people.Person{Identity: company.Identity{Issuer: "https://login.example", Subject: "00u"}, Roles: []string{people.Security}}
		if err := f(w, r, &console.Member{Person: who, Viewer: ui.Viewer{Name: "S", CSRF: "x"}, Form: url.Values{}, Now: time.Now()}); err != nil {
			s.b.Errorf("%s: %v", r.URL, err)
		}
	})
}

func (s asSecurity) PartForRoles(_ []string, part console.Part) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := part(r.Context()); err != nil {
			s.b.Errorf("%s: %v", r.URL, err)
		}
	})
}

// BenchmarkConsole opens each page of the security team's with 10,000 people, 100,000 connections and
// a million entries behind them. None may take 300 ms, and memory stays as it is.
func BenchmarkConsole(b *testing.B) {
	process, _ := configured(b, twoOrgs+benchClients)
	p := process.current.Load()
	fillStores(b, p)
	fillLog(b, p)
	now := time.Now()
	if _, err := p.team.Reviews.Begin(b.Context(), authproxy.Act{By: actor.Proxy}, "spring", review.Scope{Since: now.Add(-24 * time.Hour), Until: now, Servers: []string{"sales"}}); err != nil {
		b.Fatal(err)
	}
	router := mux.NewRouter().UseEncodedPath()
	p.team.Mount(router, asSecurity{b})
	for _, path := range []string{"/console", "/console/people", "/console/people?name=user77", "/console/people/one/005xx0000000077AAA", "/console/connections",
		"/console/connections?person=user77", "/console/connections?client=chatgpt&server=one", "/console/clients", "/console/clients?id=chatgpt", "/console/incident?person=user777@", "/console/incident?client=chat",
		"/console/reviews", "/console/reviews/spring", "/console/reviews/spring?state=open+and+unused", "/console/reviews/spring/sales/one/005xx0000000077AAA",
		"/console/tools", "/console/policy", "/console/audit", "/console/audit?person=user77@acme.example", "/console/audit?tool=soqlQuery&outcome=denied&since=1d", "/console/audit?text=nothing+says+so", "/console/audit/500000", "/console/denials", "/console/insights", "/console/settings"} {
		b.Run(path, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begun, page := time.Now(), httptest.NewRecorder()
				router.ServeHTTP(page, httptest.NewRequest(http.MethodGet, path, nil))
				if took = append(took, time.Since(begun)); page.Code != http.StatusOK {
					b.Fatalf("status %d %s", page.Code, page.Body)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.HeapAlloc>>20), "MiB-kept")
		})
	}
}

// fillStores writes people with their logins and connections, as the program would have.
func fillStores(b *testing.B, p *product) {
	b.Helper()
	now := db.Millis(time.Now())
	for _, statement := range []string{
		`INSERT INTO users (org, subject, username, name, first_seen_at, last_seen_at)
			WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %[1]d)
			SELECT 'one', printf('005xx%%010dAAA', i), printf('user%%d@acme.example', i), printf('User %%d', i), %[3]d, %[3]d FROM n`,
		`INSERT INTO links (org, subject, state, version, sealed_access, access_expires_at, sealed_refresh, created_at, refreshed_at)
			WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %[1]d)
			SELECT 'one', printf('005xx%%010dAAA', i), CASE WHEN i %% 50 = 0 THEN 'needs_reauth' ELSE 'active' END, 1, hex(zeroblob(200)), %[3]d, hex(zeroblob(200)), %[3]d, %[3]d FROM n`,
		`INSERT INTO grants (id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at, activated_at, last_used_at)
			WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %[2]d)
			SELECT printf('grt_%%016d', i), 'one', printf('005xx%%010dAAA', i %% %[1]d), CASE i %% 3 WHEN 0 THEN 'chatgpt' WHEN 1 THEN 'claude' ELSE 'cursor' END, CASE WHEN i %% 2 = 0 THEN 'one' ELSE 'two' END,
			'https://proxy.example/mcp/one', 'mcp', 'https://client.example/cb', %[3]d - i, %[3]d + 1000000000, %[3]d, %[3]d - i FROM n`,
	} {
		if _, err := p.db.Writes.Exec(fmt.Sprintf(statement, benchPeople, benchConnections, now)); err != nil {
			b.Fatal(err)
		}
	}
	dbtest.Sign(b, p.db, db.Users, db.Grants)
}

// fillLog appends calls of all these people: few call most, and every tenth is denied.
func fillLog(b *testing.B, p *product) {
	b.Helper()
	begun := time.Now()
	for i := range benchEntries / 2 {
		person := i * 7919 % benchPeople % (1 + i%997)
		subject := fmt.Sprintf("005xx%010dAAA", person)
		e := audit.Entry{Actor: actor.User(subject), Action: audit.ToolCall, Org: "one", Subject: subject, Username: fmt.Sprintf("user%d@acme.example", person),
			Client: []string{"chatgpt", "claude", "cursor"}[i%3], Server: []string{"one", "two"}[i%2], Tool: "soqlQuery", Class: "read", Rule: fmt.Sprintf("rule %d (allow classes read)", i%20),
			RequestID: fmt.Sprintf("REQUEST%09d", i), Decision: audit.Allow, Outcome: audit.Intent, Arguments: []byte(`{"q":"SELECT Id FROM Account LIMIT 1"}`)}
		second := e
		if second.Outcome = audit.OK; i%10 == 0 {
			second.Outcome, second.Decision, second.Reason = audit.Denied, audit.Deny, fmt.Sprintf("reason %d", i%30)
		}
		for _, e := range []audit.Entry{e, second} {
			p.audit.AppendLater(b.Context(), e, func(err error) { b.Error(err) })
		}
	}
	p.audit.Flush()
	b.Logf("%d entries were appended in %s", benchEntries, time.Since(begun).Round(time.Second))
}
