package mcpforward

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/examples/salesforcesim"
)

// RS-09: what no token can look like is refused for next to nothing, whatever it
// imitates, up to the size of header that the listener takes (cmd/sfmcp-proxy tests that
// it takes no more).
func TestRS09BearerOfAnyLength(t *testing.T) { // not parallel: it measures
	w := newWorld(t, nil)
	const longest = 64 << 10
	segment := strings.Repeat("eyJhbGciOiJSUzI1NiJ9", 600)
	for what, token := range map[string]string{
		"letters":         strings.Repeat("a", longest),
		"dots":            strings.Repeat(".", longest),
		"signed, long":    segment + "." + segment + "." + segment,
		"encrypted, long": strings.Join([]string{segment, segment, segment, segment, segment}, "."),
		"one of ours":     "sfa_" + strings.Repeat("A", longest),
		"padding only":    "sfa_" + strings.Repeat("=", longest),
		"spaces":          strings.Repeat(" ", longest) + "x",
		"quotes":          strings.Repeat("\"", longest),
	} {
		visit := func() int {
			r := httptest.NewRequest(http.MethodPost, w.server.URL+"/mcp/sales", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			return rec.Code
		}
		const bound = 50 * time.Millisecond
		fastest := time.Hour // other work on the machine only ever makes it slower
		for i := 0; i < 5 || i < 200 && fastest > bound; i++ {
			start := time.Now()
			if status := visit(); status != http.StatusUnauthorized {
				t.Errorf("%s: %d", what, status)
			}
			fastest = min(fastest, time.Since(start))
		}
		if fastest > bound {
			t.Errorf("%s: takes %v", what, fastest)
		}
		if n := testing.AllocsPerRun(3, func() { visit() }); n > 500 {
			t.Errorf("%s: %.0f allocations", what, n)
		}
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
}

// RS-21: a header in any shape is read as RFC 9110 and 6750 say, or refused. With two
// users' tokens in it, it is never the other one's.
func TestRS21AuthorizationShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	mine := rep(w)
	_, other := w.token(salesforcesim.ManagerID, "chatgpt", "sales")
	raw := func(lines string) (status int, body string) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","arguments":{}}}`
		fmt.Fprintf(conn, "POST /mcp/sales HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Type: application/json\r\nMcp-Session-Id: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			strings.TrimPrefix(w.server.URL, "http://"), lines, mine.session, len(message), message)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", lines, err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	a, b := mine.token, other
	for lines, want := range map[string][]int{
		"Authorization: Bearer " + a:                                    {200},
		"authorization: bearer " + a:                                    {200},
		"AUTHORIZATION: BEARER " + a:                                    {200},
		"aUTHORIZATION:bEaReR   " + a + "  ":                            {200},
		"Authorization:\tBearer " + a:                                   {200}, // white space around the value is no part of it
		"Authorization: Bearer\t" + a:                                   {401},
		"Authorization: Bearer" + a:                                     {401},
		"Authorization: " + a:                                           {401},
		"Authorization: Bearer " + a + ",":                              {401},
		"Authorization: Bearer " + a + ", Bearer " + b:                  {401},
		"Authorization: Bearer " + a + " " + b:                          {401},
		"Authorization: Bearer \"" + a + "\"":                           {401},
		"Authorization: Bearer token=" + a:                              {401},
		"Authorization: Bearer " + a + "\r\nAuthorization: Bearer " + b: {401, 400},
		"Authorization: Bearer " + b + "\r\nauthorization: Bearer " + a: {401, 400},
		"Authorization: Bearer\r\n " + a:                                {200, 400, 401}, // obs-fold: one space, or refused
		"Authorization: Bearer " + a + "\r\n " + b:                      {400, 401},
		"Authorization: Bearer " + a + "\r\n\t," + b:                    {400, 401},
		"Authorization : Bearer " + a:                                   {400},
		"Authorization: Bearer " + a + "\x00":                           {400, 401},
		"Authorization: Basic x\r\nAuthorization: Bearer " + a:          {401, 400},
		"X-Authorization: Bearer " + a:                                  {401},
		"Proxy-Authorization: Bearer " + a:                              {401},
	} {
		status, body := raw(lines)
		if !slices.Contains(want, status) {
			t.Errorf("%q: %d, want one of %v", lines, status, want)
		}
		if strings.Contains(body, salesforcesim.ManagerUsername) || status == http.StatusOK && !strings.Contains(body, salesforcesim.RepUsername) {
			t.Errorf("%q: acts for another: %s", lines, body)
		}
	}
}

// RS-18: a token without the scope is told which one is missing, and no more; whoever
// tries is recorded.
func TestRS18StepUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	for _, scope := range []string{"offline_access", "mcpx MCP", "", "mcp:read"} {
		if _, err := w.db.Writes.Exec(`UPDATE grants SET scope = $1 WHERE id = $2`, scope, c.grant); err != nil {
			t.Fatal(err)
		}
		dbtest.Sign(t, w.db, db.Grants)
		before := len(w.entries("server.use"))
		a := c.tool("getUserInfo", `{}`)
		want := fmt.Sprintf(`Bearer resource_metadata="%s/.well-known/oauth-protected-resource/mcp/sales", scope="mcp", error="insufficient_scope"`, w.server.URL)
		if a.status != http.StatusForbidden || a.header.Get("WWW-Authenticate") != want || strings.Contains(a.body, "Record") {
			t.Errorf("scope %q: %d %s %s", scope, a.status, a.header.Get("WWW-Authenticate"), a.body)
		}
		if entries := w.entries("server.use"); len(entries) != before+1 || entries[before].Outcome != "denied" || !strings.Contains(entries[before].Reason, "scope") {
			t.Errorf("scope %q: recorded %+v", scope, entries[before:])
		}
	}
	if tools := w.forwarded(); len(tools) > 0 {
		t.Errorf("reached Salesforce: %v", tools)
	}
}

// RS-11: at a server that only reads, no door leads to a write.
func TestRS11WritesAtAReadingServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.connect(salesforcesim.RepID, "chatgpt", "reads")
	for _, door := range []struct{ method, params string }{
		{"tools/call", `{"name":"createSobjectRecord","arguments":` + createAccount + `}`},
		{"tools/call", `{"name":"updateSobjectRecord","arguments":{"sobject-name":"Account","id":"001xx0000000001AAA","body":{"Name":"x"}}}`},
		{"tools/call", `{"name":"deleteSobjectRecord","arguments":{"sobject-name":"Account","id":"001xx0000000001AAA"}}`},
		{"tools/call", `{"name":"createsobjectrecord","arguments":` + createAccount + `}`},
		{"tools/call", `{"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account FOR VIEW"}}`},
		{"prompts/get", `{"name":"createSobjectRecord","arguments":{}}`},
		{"resources/read", `{"uri":"tool://createSobjectRecord"}`},
		{"tasks/get", `{"taskId":"1"}`}, {"tasks/result", `{"taskId":"1"}`}, {"tasks/cancel", `{"taskId":"1"}`},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":"b"}}`},
	} {
		w.wantDenied(door.method+" "+door.params, c.call(door.method, door.params))
	}
	if n := w.accounts("Nimbus"); n != 0 {
		t.Errorf("%d records were made", n)
	}
}

// RS-24: two deployments that are configured alike do not take each other's tokens, nor
// does one that has got the other's database.
func TestRS24TokenOfAnotherDeployment(t *testing.T) {
	t.Parallel()
	here, there := newWorld(t, nil), newWorld(t, nil)
	c, twin := rep(here), rep(there)
	visitor := *twin
	visitor.token = c.token
	wantChallenge(t, there, "a token of the other deployment", visitor.call("tools/list", `{}`), "sales", "invalid_token")
	if a := c.call("ping", `{}`); a.status != http.StatusOK {
		t.Errorf("at home: %d", a.status)
	}
	// As in a copy of the database under another public URL.
	if _, err := there.db.Writes.Exec(`UPDATE grants SET resource = $1 WHERE id = $2`, here.server.URL+"/mcp/sales", twin.grant); err != nil {
		t.Fatal(err)
	}
	dbtest.Sign(t, there.db, db.Grants)
	wantChallenge(t, there, "a grant of another public URL", twin.call("tools/list", `{}`), "sales", "invalid_token")
}
