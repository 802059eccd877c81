package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/examples/salesforcesim"
)

// wantChallenge checks a 401 of ours. errorCode is the error parameter, "" for none.
func wantChallenge(t *testing.T, w *world, what string, a *answer, server, errorCode string) {
	t.Helper()
	want := fmt.Sprintf(`Bearer resource_metadata="%s/.well-known/oauth-protected-resource/mcp/%s", scope="mcp"`, w.server.URL, server)
	if errorCode != "" {
		want += `, error="` + errorCode + `"`
	}
	if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != want {
		t.Errorf("%s: %d, WWW-Authenticate %s\nwant %s", what, a.status, a.header.Get("WWW-Authenticate"), want)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: the challenge may be cached", what)
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%s: %d requests reached Salesforce", what, n)
	}
}

func TestRS01NoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, good := w.token(salesforcesim.RepID, "chatgpt", "sales")
	c := &client{world: w, url: w.server.URL + "/mcp/sales"}
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	headers := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	for what, change := range map[string]func(*http.Request){
		"none":            func(*http.Request) {},
		"empty":           headers(""),
		"empty bearer":    headers("Bearer "),
		"bearer alone":    headers("Bearer"),
		"basic":           headers("Basic " + good),
		"two headers":     headers("Bearer "+good, "Bearer "+good),
		"two tokens":      headers("Bearer " + good + ", Bearer " + good),
		"trailing comma":  headers("Bearer " + good + ","),
		"tab (RS-21)":     headers("Bearer\t" + good),
		"in the query":    func(r *http.Request) { r.URL.RawQuery = "access_token=" + good },
		"query and token": func(r *http.Request) { r.URL.RawQuery = "access_token=x"; headers("Bearer " + good)(r) },
		"cookie (RS-15)":  func(r *http.Request) { r.Header.Set("Cookie", "access_token="+good+"; session="+good) },
	} {
		wantChallenge(t, w, what, c.post(list, change), "sales", "")
	}
	for what, token := range map[string]string{
		"wrong":         "sfa_" + strings.Repeat("A", 43),
		"cut":           good[:len(good)-1],
		"longer":        good + "A",
		"refresh":       "sfr_" + good[4:],
		"64 KB (RS-09)": strings.Repeat("a.", 32<<10),
	} {
		wantChallenge(t, w, what, c.post(list, headers("Bearer "+token)), "sales", "invalid_token")
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut, http.MethodOptions, "PROPFIND"} {
		r := c.request(nil)
		r.Method = method
		wantChallenge(t, w, method, c.send(r), "sales", "")
	}
	// The scheme in any case and more than one space are RFC 9110's (RS-21).
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER   "} {
		if a := c.post(list, headers(scheme+good)); a.status != http.StatusBadRequest { // authenticated; no session
			t.Errorf("%q: %d", scheme, a.status)
		}
	}
}

func TestRS02SalesforceTokenOfTheSameUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	token, err := w.links.Token(t.Context(), "acme", salesforcesim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	c.token = token
	wantChallenge(t, w, "Salesforce's own token", c.call("tools/list", `{}`), "sales", "invalid_token")
}

// A token of another endpoint, a user who is not in the endpoint's groups, and an
// endpoint that does not exist all look the same.
func TestRS03OtherServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	rep := rep(w)
	visit := func(c client, server string) *answer {
		c.url = w.server.URL + "/mcp/" + server
		return c.call("tools/list", `{}`)
	}
	wantChallenge(t, w, "token of sales at reads", visit(*rep, "reads"), "reads", "invalid_token")
	wantChallenge(t, w, "token of sales at none", visit(*rep, "none"), "none", "invalid_token")

	outsider := client{world: w}
	_, outsider.token = w.token(salesforcesim.ManagerID, "chatgpt", "reads")
	wantChallenge(t, w, "user who is not in the group", visit(outsider, "reads"), "reads", "invalid_token")
	_, outsider.token = w.token(salesforcesim.RepID, "chatgpt", "nobody")
	wantChallenge(t, w, "server without groups", visit(outsider, "nobody"), "nobody", "invalid_token")
	denied := w.entries("server.use")
	if len(denied) != 2 || denied[0].Subject != salesforcesim.ManagerID || denied[0].Outcome != "denied" || denied[0].Server != "reads" {
		t.Errorf("recorded: %+v", denied)
	}

	// Whose token it is that was shown elsewhere is known, and recorded.
	misused := w.entries("token.use")
	if len(misused) != 2 || misused[0].Subject != salesforcesim.RepID || misused[0].Outcome != "denied" || misused[0].Server != "reads" || misused[1].Server != "none" ||
		!strings.Contains(misused[0].Reason, "sales") || misused[0].Grant != rep.grant {
		t.Errorf("recorded: %+v", misused)
	}

	// A member who leaves the group is out at once.
	member := w.connect(salesforcesim.RepID, "claude", "reads")
	w.regroup("pilot")
	wantChallenge(t, w, "user who left the group", member.call("tools/list", `{}`), "reads", "invalid_token")

	// Without a token, an unknown name looks like a known one.
	anonymous := client{world: w}
	known, unknown := visit(anonymous, "sales"), visit(anonymous, "none")
	wantChallenge(t, w, "no token, unknown server", unknown, "none", "")
	if known.body != unknown.body {
		t.Errorf("bodies differ: %s / %s", known.body, unknown.body)
	}
}

func TestRS12ForeignSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := rep(w)
	b := w.connect(salesforcesim.ManagerID, "chatgpt", "sales")
	same := w.connect(salesforcesim.RepID, "claude", "sales") // the same user's other client
	for what, c := range map[string]*client{"other user": b, "other client": same} {
		thief := *c
		thief.session = a.session
		if got := thief.call("tools/list", `{}`); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
		r := thief.request(nil)
		r.Method = http.MethodDelete
		if got := thief.send(r); got.status != http.StatusNotFound {
			t.Errorf("%s: DELETE: %d", what, got.status)
		}
		r = thief.request(nil, func(r *http.Request) { r.Header.Set("Last-Event-ID", "1") })
		r.Method = http.MethodGet
		if got := thief.send(r); got.status != http.StatusNotFound {
			t.Errorf("%s: GET: %d", what, got.status)
		}
	}
	chosen := *a
	chosen.session = "chosen-by-the-client"
	if got := chosen.call("ping", `{}`); got.status != http.StatusNotFound {
		t.Errorf("a session id that the client chose: %d", got.status)
	}
	if got := chosen.call("initialize", `{"protocolVersion":"2025-06-18"}`); got.header.Get(sessionHeader) == chosen.session {
		t.Error("initialize took over a session id")
	}
	if got := a.call("ping", `{}`); got.status != http.StatusOK {
		t.Errorf("the owner's session: %d", got.status)
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
	var clear int
	if err := w.db.Reads.QueryRowContext(t.Context(), `SELECT count(*) FROM mcp_sessions WHERE session_hash = $1`, a.session).Scan(&clear); err != nil || clear != 0 {
		t.Errorf("session ids lie in the clear: %d, %v", clear, err)
	}
}

func TestRS13NoSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	c.session = ""
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
	} {
		if a := c.post(body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", body, a.status)
		}
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
}

func TestRS15Browser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for what, try := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"evil origin":    {header("Origin", "https://evil.example"), http.StatusForbidden},
		"null origin":    {header("Origin", "null"), http.StatusForbidden},
		"empty origin":   {func(r *http.Request) { r.Header["Origin"] = []string{""} }, http.StatusForbidden},
		"origin, prefix": {header("Origin", w.server.URL+".evil.example"), http.StatusForbidden},
		"two origins":    {func(r *http.Request) { r.Header["Origin"] = []string{w.server.URL, "https://evil.example"} }, http.StatusForbidden},
		"own origin":     {header("Origin", w.server.URL), http.StatusOK},
		"evil host":      {func(r *http.Request) { r.Host = "evil.example" }, http.StatusMisdirectedRequest},
		"rebound host": {func(r *http.Request) {
			r.Host = "evil.example:" + w.server.URL[strings.LastIndex(w.server.URL, ":")+1:]
		}, http.StatusMisdirectedRequest},
		"text/plain":         {header("Content-Type", "text/plain"), http.StatusUnsupportedMediaType},
		"form":               {header("Content-Type", "application/x-www-form-urlencoded"), http.StatusUnsupportedMediaType},
		"forwarded host":     {header("X-Forwarded-Host", "evil.example"), http.StatusOK},
		"cookie, no bearer":  {func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("Cookie", "a=b") }, http.StatusUnauthorized},
		"origin, no bearer":  {func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("Origin", "https://evil.example") }, http.StatusForbidden},
		"preflight, browser": {func(r *http.Request) { r.Method = http.MethodOptions; r.Header.Set("Origin", "https://evil.example") }, http.StatusForbidden},
	} {
		a := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, try.change)
		if a.status != try.want {
			t.Errorf("%s: %d, want %d", what, a.status, try.want)
		}
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: cross-origin reading is allowed", what)
		}
	}
}

// Every spelling of a path is the endpoint itself, with its authentication, or nothing. The
// token is good, so that a path which reached the endpoint by another road would show.
func TestRS16PathConfusion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	for path, want := range map[string]int{
		"/mcp/sales": http.StatusOK, "/mcp/sales/": http.StatusOK, // C9: the same endpoint
		"/mcp/none": http.StatusUnauthorized, "/mcp/none/": http.StatusUnauthorized, // an endpoint that does not exist is challenged like one that does
		"/mcp/SALES": 404, "/mcp/SALES/": 404, // no server can be called so
		"/healthz/../mcp/sales": 404, "/mcp%2fsales": 404, "/mcp%2Fsales": 404, "//mcp/sales": 404, "/mcp//sales": 404, "/mcp/sales;x": 404,
		"/MCP/sales": 404, "/mcp/sales%00": 404, "/mcp/./sales": 404, "/mcp/x/../sales": 404, "/mcp/%73ales": 404, "/mcp/sales%2f..%2fnone": 404,
		"/mcp/": 404, "/mcp": 404, "/mcp//": 404, "/metrics?/mcp/sales": 404, "/mcp/sales//": 404, "/mcp/sales/.": 404, "/mcp/sales%2F": 404, "/mcp/sales/x": 404,
	} {
		for _, bearer := range []string{c.token, ""} {
			r := httptest.NewRequest(http.MethodPost, w.server.URL+path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set(sessionHeader, c.session)
			if bearer != "" {
				r.Header.Set("Authorization", "Bearer "+bearer)
			}
			for _, h := range []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri"} {
				r.Header.Set(h, "/healthz")
			}
			r.Header.Set("X-HTTP-Method-Override", "GET")
			r.Header.Set("User-Agent", "kube-probe/1.30")
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			expected := want
			if bearer == "" && want == http.StatusOK {
				expected = http.StatusUnauthorized
			}
			if rec.Code != expected {
				t.Errorf("%s, token %t: %d, want %d", path, bearer != "", rec.Code, expected)
			}
			if rec.Code == http.StatusUnauthorized && strings.HasPrefix(path, "/mcp/sales") &&
				!strings.Contains(rec.Header().Get("WWW-Authenticate"), `/.well-known/oauth-protected-resource/mcp/sales"`) {
				t.Errorf("%s: challenge %q", path, rec.Header().Get("WWW-Authenticate"))
			}
		}
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
}

func TestRS17IdentityHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	forged := map[string]string{
		"X-User-Id": salesforcesim.ManagerID, "X-Forwarded-User": salesforcesim.ManagerUsername, "X-Forwarded-Email": "a@b", "X-Forwarded-Groups": "pilot",
		"X_Forwarded_User": "root", "Mcp-Init-Host": "evil", "Router-Key": "k", "X-Approved": "true", "X-Openai-Subject": "s",
	}
	add := func(r *http.Request) {
		for name, value := range forged {
			r.Header.Set(name, value)
		}
	}
	if a := c.tool("getUserInfo", `{}`, add); a.failed() || !strings.Contains(a.text(), "Riley") {
		t.Errorf("whose call it is: %s", a.body)
	}
	if a := c.tool("createSobjectRecord", createAccount, add); !strings.Contains(a.text(), "/approvals/") {
		t.Errorf("X-Approved: %s", a.body)
	}
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"}) {
		for name := range forged {
			if r.Header.Get(name) != "" {
				t.Errorf("%s reached Salesforce", name)
			}
		}
	}
}

// The token is revoked while the body is still arriving.
func TestRS20RevokedDuringUpload(t *testing.T) {
	t.Parallel()
	var authenticated atomic.Int32
	w := newWorld(t, nil)
	admit := w.handler.admit
	w.handler.admit = func(ctx context.Context, token, server string) (access.Caller, error) {
		defer authenticated.Add(1)
		return admit(ctx, token, server)
	}
	c := rep(w)
	before := authenticated.Load()
	body, feed := io.Pipe()
	answers := make(chan *answer)
	go func() { answers <- c.send(c.request(body)) }()
	message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","arguments":{}}}`
	if _, err := io.WriteString(feed, message[:40]); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return authenticated.Load() > before })
	if _, err := w.grants.RevokeGrant(t.Context(), c.grant, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(feed, message[40:]); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	wantChallenge(t, w, "revoked during the upload", <-answers, "sales", "invalid_token")
}

// slowLinks does something else before it gives a token, as a refresh takes time.
type slowLinks struct {
	Links
	meanwhile func()
}

func (l slowLinks) Token(ctx context.Context, org, subject string) (string, error) {
	l.meanwhile()
	return l.Links.Token(ctx, org, subject)
}

// The grant is revoked while Salesforce's token is being fetched, after every other check.
func TestRS20RevokedBeforeSending(t *testing.T) {
	t.Parallel()
	var meanwhile atomic.Pointer[func()]
	w := newWorld(t, func(c *setup) {
		c.Links = slowLinks{c.Links, func() {
			if f := meanwhile.Swap(nil); f != nil {
				(*f)()
			}
		}}
	})
	c := rep(w)
	revoke := func() {
		if _, err := w.grants.RevokeGrant(context.Background(), c.grant, "test"); err != nil {
			t.Error(err)
		}
	}
	meanwhile.Store(&revoke)
	wantChallenge(t, w, "revoked right before sending", c.tool("getUserInfo", `{}`), "sales", "invalid_token")
	if got := outcomes(w.entries("tool.call")); len(got) != 2 || got[1] != "error" {
		t.Errorf("recorded %v", got)
	}
}

// waitFor polls for something that another goroutine brings about. How long only decides
// how long a broken program takes to fail, so it leaves room for a busy machine.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

// staleLinks give a token that Salesforce refuses, and then a good one.
type staleLinks struct {
	Links
	meanwhile func()
}

func (staleLinks) Token(context.Context, string, string) (string, error) { return "stale", nil }

func (l staleLinks) Refused(ctx context.Context, org, subject, _ string) (string, error) {
	l.meanwhile()
	return l.Links.Token(ctx, org, subject)
}

// The grant is revoked while Salesforce's token is being renewed for a second attempt.
func TestRS20RevokedBeforeSendingAgain(t *testing.T) {
	t.Parallel()
	var c *client
	w := newWorld(t, func(conf *setup) {
		conf.Links = staleLinks{conf.Links, func() {
			if _, err := c.grants.RevokeGrant(context.Background(), c.grant, "test"); err != nil && !errors.Is(err, grant.ErrNotFound) {
				t.Error(err)
			}
		}}
	})
	c = rep(w)
	if a := c.tool("getUserInfo", `{}`); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"}) {
		if r.Status != http.StatusUnauthorized {
			t.Errorf("%s reached Salesforce: %d", r.RPC, r.Status)
		}
	}
}
