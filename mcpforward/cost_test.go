//go:build !race

package mcpforward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/mcpforward/upstream"
)

// This file guards what a call costs in the handler. Everything is real but the network to
// Salesforce, whose allocations would be counted with ours.

// callAllocs is what one call may allocate: what it was when this was written, and a
// little. Whoever raises it says why.
const callAllocs = 470

// loopback answers in Salesforce's place, in memory.
type loopback struct{ text string }

func (l loopback) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	answer := &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: http.NoBody, ContentLength: -1}
	result := `{"content":[{"type":"text","text":"` + l.text + `"}],"isError":false}`
	switch m.Method {
	case "initialize":
		answer.Header.Set("Mcp-Session-Id", "loopback")
		result = `{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"loopback","version":"1"}}`
	case "notifications/initialized":
		return answer, nil
	}
	answer.StatusCode = http.StatusOK
	answer.Header.Set("Content-Type", "application/json")
	answer.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)))
	return answer, nil
}

// costly is a handler with everything on, and a request to it.
type costly struct {
	tb      testing.TB
	handler *Handler
	header  http.Header
	body    []byte
}

const costlyCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id, Name, Industry FROM Account WHERE Industry = 'Energy' ORDER BY Name LIMIT 50"}}}`

func newCostly(tb testing.TB, answerBytes int) *costly {
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	const public, subject = "http://127.0.0.1:8080", "005xx000001Sv6AAAS"
	ctx, dir := tb.Context(), tb.TempDir()
	check(db.CreateKeyFile(filepath.Join(dir, "keys")))
	ring, err := db.LoadKeyRing(filepath.Join(dir, "keys"))
	check(err)
	d, err := db.Open(ctx, db.Config{URL: "sqlite:" + filepath.Join(dir, "proxy.db")})
	check(err)
	watching, stop := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	watchers.Go(func() { d.WatchAccess(watching, 250*time.Millisecond, func() {}) })
	tb.Cleanup(func() { stop(); watchers.Wait(); d.Close() })
	grants, err := grant.New(grant.Config{DB: d, Ring: ring, PublicURL: public, Clients: []grant.Client{{ID: "chatgpt", Name: "ChatGPT", RedirectURIs: []string{redirectURI}}},
		Lifetimes: grant.Lifetimes{Code: time.Minute, AccessToken: 15 * time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: 2 * time.Hour, Consent: 10 * time.Minute}})
	check(err)
	links := link.New(link.Config{DB: d, Ring: ring})
	check(links.Replace(ctx, "acme", &salesforce.Token{AccessToken: "a", RefreshToken: "r", ExpiresAt: time.Now().Add(4 * time.Hour), Subject: subject}))
	approvals, err := approval.New(approval.Config{DB: d, Ring: ring, Lifetime: approvalLifetime})
	check(err)
	log, err := audit.New(audit.Config{DB: d, Ring: ring})
	check(err)
	tb.Cleanup(log.Flush)
	pool := upstream.New(upstream.Config{HTTP: &http.Client{Transport: loopback{strings.Repeat("x", answerBytes)}}})
	tb.Cleanup(pool.Close)
	rules := &policy.Policy{Name: "rules"}
	for i := range 19 {
		rules.Rules = append(rules.Rules, policy.Rule{Effect: policy.Deny, Objects: []string{fmt.Sprintf("Hidden%d__c", i)}})
	}
	rules.Rules = append(rules.Rules, policy.Rule{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, MaxRows: 2000})
	h, err := New(Config{PublicURL: public, DB: d, Grants: grants, Links: links, Approvals: approvals, Audit: log, Pool: pool,
		Servers: []Server{{Name: "sales", Org: "acme", URL: "http://127.0.0.1:9/platform/mcp/v1/platform/sobject-reads", Policy: rules, Groups: []string{"*"}}},
		Groups:  func(_, _, _ string) []string { return nil },
		Limits:  Limits{CallsPerMinute: 1_000_000, ConcurrentCalls: 64}, Log: slog.New(slog.DiscardHandler)})
	check(err)

	verifier := db.Secret("")
	sum := sha256.Sum256([]byte(verifier))
	_, code, err := grants.CreateGrant(ctx, &grant.AuthorizationRequest{Kind: grant.Authorize, Status: grant.Done, Org: "acme", Server: "sales", Resource: public + "/mcp/sales",
		ClientID: "chatgpt", RedirectURI: redirectURI, Scope: "mcp", GrantID: "grt_costly", CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:])}, subject)
	check(err)
	tokens, err := grants.Redeem(ctx, grant.Redemption{Code: code, ClientID: "chatgpt", RedirectURI: redirectURI, Verifier: verifier})
	check(err)
	c := &costly{tb: tb, handler: h, body: []byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`),
		header: http.Header{"Authorization": {"Bearer " + tokens.AccessToken}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}}
	c.header.Set(sessionHeader, c.call().Header().Get(sessionHeader))
	c.header.Set("Mcp-Protocol-Version", "2025-06-18")
	c.body = []byte(costlyCall)
	return c
}

func (c *costly) call() *httptest.ResponseRecorder {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://127.0.0.1:8080/mcp/sales", bytes.NewReader(c.body))
	if err != nil {
		c.tb.Fatal(err)
	}
	r.Header = c.header.Clone()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK || bytes.Contains(w.Body.Bytes(), []byte(`"isError":true`)) {
		c.tb.Fatalf("%d %s", w.Code, w.Body)
	}
	return w
}

func TestCallAllocations(t *testing.T) {
	c := newCostly(t, 1<<10)
	c.call()
	if allocs := testing.AllocsPerRun(100, func() { c.call() }); allocs > callAllocs {
		t.Errorf("a call allocates %v times, at most %d are agreed on", allocs, callAllocs)
	}
}

// BenchmarkCall is a call of one of many clients at a time.
func BenchmarkCall(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "16KiB": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			c := newCostly(b, size)
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					c.call()
				}
			})
		})
	}
}
