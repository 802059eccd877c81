package salesforcesim

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLadder breaks one rung after the other, from the top: each answer shows that the
// rungs below were not reached.
func TestLadder(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	access, _ := issueTokens(t, s)
	both := []string{"application/json, text/event-stream"}
	bearer := []string{"Bearer " + access}
	good, unknown := s.ServerURL("", "platform/sobject-reads"), s.ServerURL("", "platform/no-such")
	tests := []struct {
		name, method, url string
		header            http.Header
		body              string
		status            int
		contains          string
	}{
		{"no bearer, everything else wrong", "GET", unknown, nil, "", 401, `{"errors":[{"message":"JWT Token is required"}]}`},
		{"no bearer outside v1", "POST", s.BaseURL() + "/platform/x", nil, "", 401, "JWT Token is required"},
		{"basic", "POST", good, http.Header{"Authorization": {"Basic eDp5"}}, "", 401, "JWT Token is required"},
		{"garbage", "GET", unknown, http.Header{"Authorization": {"Bearer garbage"}}, "", 401, `{"errors":[{"message":"Invalid token"}]}`},
		{"wrong environment", "POST", s.BaseURL() + "/platform/mcp/v1/sandbox/platform/sobject-reads", http.Header{"Authorization": bearer, "Accept": both}, "", 401, "Invalid token"},
		{"GET", "GET", unknown, http.Header{"Authorization": bearer}, "", 405, ""},
		{"DELETE", "DELETE", good, http.Header{"Authorization": bearer, "Accept": both}, "", 405, ""},
		{"one type accepted", "POST", unknown, http.Header{"Authorization": bearer, "Accept": {"application/json"}}, "", 406, ""},
		{"anything accepted", "POST", unknown, http.Header{"Authorization": bearer, "Accept": {"*/*"}}, "", 406, ""},
		{"unknown server", "POST", unknown, http.Header{"Authorization": bearer, "Accept": both}, "no json", 404, "Server definition not found for: no-such"},
		{"further segment", "POST", good + "/mcp", http.Header{"Authorization": bearer, "Accept": both}, "", 404, ""},
		{"missing namespace", "POST", s.ServerURL("", "sobject-reads"), http.Header{"Authorization": bearer, "Accept": both}, "", 404, ""},
		{"no JSON", "POST", good, http.Header{"Authorization": bearer, "Accept": both}, "no json", 400, `{"error":{"code":400,"message":"Invalid JSON-RPC message: `},
		{"no JSON-RPC", "POST", good, http.Header{"Authorization": bearer, "Accept": both}, `{"id":1,"method":"ping"}`, 400, "Invalid JSON-RPC message"},
		{"batch", "POST", good, http.Header{"Authorization": bearer, "Accept": both}, `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, 400, "Invalid JSON-RPC message"},
		{"no session", "POST", good, http.Header{"Authorization": bearer, "Accept": both}, `{"jsonrpc":"2.0","id":1,"method":"no/such"}`, 400,
			`{"error":{"code":400,"message":"Invalid JSON-RPC message: Session Key missing, but it's not an initialize request"}}`},
		{"unknown session", "POST", good, http.Header{"Authorization": bearer, "Accept": both, "Mcp-Session-Id": {"x"}}, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 400, "Session Key missing"},
	}
	for _, test := range tests {
		got := send(t, test.method, test.url, test.header, test.body)
		if got.status != test.status || !strings.Contains(got.body, test.contains) {
			t.Errorf("%s: %d %q", test.name, got.status, got.body)
		}
		if got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: WWW-Authenticate", test.name)
		}
		if test.status >= 400 && strings.Contains(got.body, `"jsonrpc":`) {
			t.Errorf("%s: the body is JSON-RPC: %s", test.name, got.body)
		}
	}
}

func TestInitialize(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	access, _ := issueTokens(t, s)
	for asked, want := range map[string]string{"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18",
		"2025-11-25": "2025-06-18", "2026-07-28": "2025-06-18", "": "2025-06-18"} {
		c := &mcpClient{t: t, url: s.ServerURL("", "platform/sobject-all"), token: access}
		got := c.post(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"` + asked + `","capabilities":{}}}`)
		wantBody := map[string]any{"jsonrpc": "2.0", "id": "i", "result": map[string]any{"protocolVersion": want,
			"capabilities": map[string]any{"tools": map[string]any{}, "prompts": map[string]any{}},
			"serverInfo":   map[string]any{"name": "sobject-all", "version": "1.0.0"}}}
		if diff := cmp.Diff(wantBody, got.json(t)); got.status != 200 || diff != "" {
			t.Errorf("%s: %d %s", asked, got.status, diff)
		}
		if id := got.header.Get("Mcp-Session-Id"); len(id) != 36 {
			t.Errorf("session id %q", id)
		}
	}
	// Only sobject-all advertises prompts.
	c := &mcpClient{t: t, url: s.ServerURL("", "platform/sobject-reads"), token: access}
	got := c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`)
	if strings.Contains(got.body, "prompts") || strings.Contains(got.body, "resources") {
		t.Errorf("sobject-reads: %s", got.body)
	}
	c.session = got.header.Get("Mcp-Session-Id")
	if got := c.post(`{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`); !strings.Contains(got.body, "-32601") {
		t.Errorf("prompts/list: %s", got.body)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-all")
	for _, test := range []struct{ body, contains string }{
		{`{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"id":1,"jsonrpc":"2.0","result":{}}`},
		{`{"jsonrpc":"2.0","id":"two","method":"no/such"}`, `"code":-32601`},
		{`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"no_such"}}`, `"code":-32602`},
		{`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{}}`, `"code":-32602`},
		{`{"jsonrpc":"2.0","id":5,"method":"tools/call"}`, `"code":-32602`},
		{`{"jsonrpc":"2.0","id":6,"method":"prompts/list"}`, `accountReviewBriefing`},
		{`{"jsonrpc":"2.0","id":6,"method":"prompts/get","params":{"name":"no"}}`, `"code":-32602`},
		{`{"jsonrpc":"2.0","id":6,"method":"resources/list"}`, `"code":-32601`},
		{`{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, `"soqlQuery"`},
		{callUserInfo, RepUsername},
	} {
		got := c.post(test.body)
		if got.status != 200 || !strings.Contains(got.body, test.contains) || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", test.body, got.status, got.body)
		}
	}
	for _, body := range []string{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, `{"jsonrpc":"2.0","id":9,"result":{}}`} {
		if got := c.post(body); got.status != 202 || got.body != "" {
			t.Errorf("%s: %d %q", body, got.status, got.body)
		}
	}
}

func TestListBeforeInitialized(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	access, _ := issueTokens(t, s)
	c := &mcpClient{t: t, url: s.ServerURL("", "platform/sobject-reads"), token: access}
	c.session = c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`).header.Get("Mcp-Session-Id")
	const list = `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
	if got := c.post(list); got.status != 200 || got.body != "" {
		t.Errorf("%d %q", got.status, got.body)
	}
	setSwitches(t, s, Switches{ListBeforeInitialized: true})
	if got := c.post(list); !strings.Contains(got.body, "soqlQuery") {
		t.Errorf("%d %q", got.status, got.body)
	}
}

// TestSessionsBelong: a session opens neither another server nor another user's.
func TestSessionsBelong(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-reads")
	other := *c
	other.url = s.ServerURL("", "platform/sobject-all")
	if got := other.post(callUserInfo); got.status != 400 {
		t.Errorf("another server: %d", got.status)
	}
	other = *c
	other.token, _, _ = s.IssueTokens(ManagerUsername, PublicClientID)
	if got := other.post(callUserInfo); got.status != 400 {
		t.Errorf("another user: %d", got.status)
	}
	other = *c
	other.token, _ = issueTokens(t, s)
	if got := other.post(callUserInfo); got.status != 200 {
		t.Errorf("a new token of the same user: %d %s", got.status, got.body)
	}
}

func TestSessionDeath(t *testing.T) {
	t.Parallel()
	for death, want := range map[string]struct {
		status   int
		contains string
	}{"": {400, "Session Key missing"}, "400": {400, "Session Key missing"}, "404": {404, "Session not found"},
		"is_error": {200, "Unexpected error while invoking tool getUserInfo"}} {
		clock := newClock()
		s := start(t, Config{Now: clock.Now, AccessTokenLifetime: 12 * time.Hour, Switches: Switches{SessionDeath: death}})
		c := connect(t, s, "platform/sobject-reads")
		clock.Advance(29 * time.Minute)
		if got := c.post(callUserInfo); !strings.Contains(got.body, RepUsername) {
			t.Errorf("%q: after 29 minutes: %s", death, got.body)
		}
		clock.Advance(31 * time.Minute)
		if got := c.post(callUserInfo); got.status != want.status || !strings.Contains(got.body, want.contains) {
			t.Errorf("%q: idle: %d %s", death, got.status, got.body)
		}
		c.session = ""
		c.initialize()
		if n := s.ExpireSessions(); n != 1 {
			t.Errorf("%q: %d sessions expired, want 1", death, n)
		}
		if got := c.post(callUserInfo); got.status != want.status {
			t.Errorf("%q: expired: %d", death, got.status)
		}
	}
}

func TestServerActivation(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now, ActiveServers: []string{"platform/sobject-all"}})
	access, _ := issueTokens(t, s)
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`
	open := func(server string) reply {
		return (&mcpClient{t: t, url: s.ServerURL("", server), token: access}).post(initialize)
	}
	const server = "platform/sobject-reads"
	if got := open(server); got.status != 404 || !strings.Contains(got.body, "Server definition not found for: sobject-reads") {
		t.Errorf("inactive: %d %s", got.status, got.body)
	}
	s.SetServer("", server, true, false)
	clock.Advance(time.Minute)
	if got := open(server); got.status != 404 {
		t.Errorf("one minute after activation: %d", got.status)
	}
	clock.Advance(time.Minute)
	if got := open(server); got.status != 200 {
		t.Errorf("two minutes after activation: %d", got.status)
	}
	c := connect(t, s, server)
	s.SetServer("", server, false, false)
	if got := c.post(callUserInfo); got.status != 404 {
		t.Errorf("deactivated in mid-session: %d", got.status)
	}
	setSwitches(t, s, Switches{InactiveServer405: true})
	if got := open(server); got.status != 405 {
		t.Errorf("switch: %d", got.status)
	}
	s.SetServer("", server, true, true)
	if got := open(server); got.status != 200 {
		t.Errorf("at once: %d", got.status)
	}
}

func TestServerPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]serverPath{
		"platform/sobject-all":                    {"", []string{"production", "developer"}, "platform/sobject-all"},
		"custom/AcmeOps":                          {"", []string{"production", "developer"}, "custom/AcmeOps"},
		"sandbox/platform/sobject-all":            {"", []string{"sandbox", "scratch"}, "platform/sobject-all"},
		"sandbox/custom/AcmeOps":                  {"", []string{"sandbox", "scratch"}, "custom/AcmeOps"},
		"d/acme/platform/sobject-all":             {"acme", []string{"production"}, "platform/sobject-all"},
		"d/acme--uat/sandbox/platform/x":          {"acme--uat", []string{"sandbox"}, "platform/x"},
		"d/acme/scratch/platform/x":               {"acme", []string{"scratch"}, "platform/x"},
		"d/acme/develop/platform/x":               {"acme", []string{"developer"}, "platform/x"},
		"data/sandbox/data360":                    {"", []string{"sandbox", "scratch"}, "data/data360"},
		"data/data360":                            {"", []string{"production", "developer"}, "data/data360"},
		"sobject-all":                             {},
		"":                                        {},
		"platform/sobject-all/mcp":                {},
		"platform//sobject-all":                   {},
		"platform/sobject%2Dall":                  {},
		"platform/sobject-all/":                   {},
		"scratch/platform/x":                      {},
		"sandbox/platform/x/y":                    {},
		"d/acme/sandbox/sandbox/platform/sobject": {},
		"d": {},
	} {
		got, ok := parseServerPath(path)
		if !ok {
			got = serverPath{}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(serverPath{})); diff != "" || ok != (want.server != "") {
			t.Errorf("%q: %v %s", path, ok, diff)
		}
	}
}

// TestPathTricks: only the exact path reaches a server, unless the switch makes the
// gateway careless.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	access, _ := issueTokens(t, s)
	tricks := []string{"/platform/mcp/v1//platform/sobject-all", "/platform/mcp/v1/platform%2fsobject-all", "/platform/mcp/v1/platform/SObject-All",
		"/platform/mcp/v1/platform/x/../sobject-all", "//platform/mcp/v1/platform/sobject-all", "/platform/mcp/v1/platform/sobject%2Dall"}
	for _, lenientPaths := range []bool{false, true} {
		setSwitches(t, s, Switches{LenientPaths: lenientPaths})
		for _, trick := range tricks {
			c := &mcpClient{t: t, url: s.BaseURL() + trick, token: access}
			got := c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`)
			if (got.status == 200) != lenientPaths {
				t.Errorf("lenient %v: %s: %d %s", lenientPaths, trick, got.status, got.body)
			}
		}
	}
}

// TestOneGatewayForAllOrgs: the token says which org a call is for.
func TestOneGatewayForAllOrgs(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Orgs: []Org{{Name: "acme", ID: OrgID}, {Name: "uat", MyDomain: "acme--uat", ID: "00Dxx0000002gPFEAY", Kind: "sandbox"}}})
	access, _, err := s.IssueTokens(ManagerUsername+".uat", PublicClientID+".uat")
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"sandbox/platform/sobject-all": 200, "d/acme--uat/sandbox/platform/sobject-all": 200,
		"platform/sobject-all": 401, "d/acme/sandbox/platform/sobject-all": 401, "d/acme/platform/sobject-all": 401} {
		c := &mcpClient{t: t, url: s.BaseURL() + gatewayPrefix + path, token: access}
		if got := c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`); got.status != status {
			t.Errorf("%s: %d, want %d", path, got.status, status)
		}
	}
	c := &mcpClient{t: t, url: s.ServerURL("uat", "platform/sobject-all"), token: access}
	c.initialize()
	if got := c.post(createAccount("Only in UAT")); !strings.Contains(got.body, `"isError":false`) {
		t.Fatal(got.body)
	}
	if n := accountsNamed(s, "Only in UAT"); n != 0 {
		t.Errorf("%d records in the other org", n)
	}
}

func TestDailyLimit(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now, AccessTokenLifetime: 48 * time.Hour, Orgs: []Org{{Name: "acme", ID: OrgID, DailyAPILimit: 2}}})
	c := connect(t, s, "platform/sobject-reads")
	for range 2 {
		if got := c.post(callUserInfo); !strings.Contains(got.body, `"isError":false`) {
			t.Fatal(got.body)
		}
	}
	if got := c.post(callUserInfo); got.status != 200 || !strings.Contains(got.body, "REQUEST_LIMIT_EXCEEDED") || !strings.Contains(got.body, `"isError":true`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := c.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); !strings.Contains(got.body, "soqlQuery") {
		t.Errorf("lists count: %s", got.body)
	}
	for signal, status := range map[string]int{"403": 403, "429": 429} {
		setSwitches(t, s, Switches{LimitSignal: signal})
		got := c.post(callUserInfo)
		if got.status != status || got.header.Get("Sforce-Limit-Info") != "api-usage=2/2" || got.header.Get("Retry-After") != "" {
			t.Errorf("%s: %d %v", signal, got.status, got.header)
		}
		if got := c.post(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"no_such"}}`); !strings.Contains(got.body, "-32602") {
			t.Errorf("%s: unknown tool: %d %s", signal, got.status, got.body)
		}
	}
	clock.Advance(24 * time.Hour)
	c.session = ""
	c.initialize()
	if got := c.post(callUserInfo); !strings.Contains(got.body, `"isError":false`) {
		t.Errorf("the next day: %s", got.body)
	}
}

func TestCutOffAtTheGateway(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-reads")
	s.FreezeUser(RepUsername, true)
	if got := c.post(callUserInfo); got.status != 401 {
		t.Errorf("frozen: %d", got.status)
	}
	s.FreezeUser(RepUsername, false)
	setSwitches(t, s, Switches{AppDisabled: true})
	if got := c.post(callUserInfo); got.status != 401 {
		t.Errorf("app disabled: %d", got.status)
	}
	setSwitches(t, s, Switches{AuthenticateHeader: true})
	s.RevokeGrants(GrantFilter{})
	if got := c.post(callUserInfo); got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer resource_metadata=") {
		t.Errorf("revoked: %d %v", got.status, got.header)
	}
}
