package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// stored is one value of the database.
type stored struct{ table, column, value string }

// cells reads every column of every table.
func cells(t *testing.T, store *db.DB) (all []stored) {
	t.Helper()
	for _, table := range tables(t, store) {
		rows, err := store.Reads.Query(`SELECT * FROM "` + table + `"`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]sql.NullString, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				all = append(all, stored{table, columns[i], v.String})
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func tables(t *testing.T, store *db.DB) (names []string) {
	t.Helper()
	rows, err := store.Reads.Query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// used is a demonstration in which everything that can be stored is: tokens, a code, a
// request before and after its consent, sessions, an approval that waits, one that is spent.
func used(t *testing.T) (d *demo, c *mcpClient, signedIn string) {
	t.Helper()
	d = startDemo(t)
	b := d.browser()
	c = d.authorize(b, "sobject-all", rep)
	c.initialize()
	c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
	d.decide(b, d.approvalURL(c.call("createSobjectRecord", account("Spent Ltd"))), rep, "approve")
	c.call("createSobjectRecord", account("Spent Ltd"))
	d.approvalURL(c.call("createSobjectRecord", account("Waiting Ltd")))
	if _, err := b.Get(t.Context(), d.authorizeURL("sobject-all")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.LogIn(t.Context(), d.authorizeURL("sobject-all"), rep, d.password(rep)); err != nil { // a code that waits
		t.Fatal(err)
	}
	other := d.browser()
	page, err := other.Get(t.Context(), d.authorizeURL("sobject-reads"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Choose(t.Context(), page, "decision", "allow"); err != nil { // stands at Salesforce's login
		t.Fatal(err)
	}
	for _, cookie := range b.Cookies(d.PublicURL) {
		if cookie.Name == "sfmcp-session" {
			signedIn = cookie.Value
		}
	}
	return d, c, signedIn
}

// ST-06: whoever has only the database has no credential. Every value in it is tried as
// each of them, as it is and with the prefix that would make it one.
func TestST06StolenDatabase(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, c, session := used(t)
	store := d.database()
	tried := map[string]bool{}
	// So that it is known what success looks like.
	if status := d.knocks(c.access)["access token"](t); status != http.StatusOK {
		t.Fatalf("the real access token: %d", status)
	}
	if status := d.knocks(session)["session cookie"](t); status != http.StatusOK {
		t.Fatalf("the real session cookie: %d", status)
	}
	full := map[string]bool{}
	for _, cell := range cells(t, store) {
		full[cell.table] = full[cell.table] || cell.value != ""
		prefixes := []string{"", "sfa_", "sfr_", "sfc_"}
		if len(cell.value) < 32 && !rounds.AreMany(t) {
			prefixes = prefixes[:1] // no hash, nor anything sealed
		}
		for _, prefix := range prefixes {
			value := prefix + strings.TrimPrefix(cell.value, prefix)
			if len(cell.value) < 8 || len(value) > 4096 || strings.ContainsAny(value, " \n\"\\;,") || tried[value] {
				continue // no header, cookie or form of ours takes it
			}
			tried[value] = true
			for as, knock := range d.knocks(value) {
				if status := knock(t); status < 400 && !(status == http.StatusSeeOther && as == "session cookie") {
					t.Errorf("%s.%s with prefix %q, as %s: %d", cell.table, cell.column, prefix, as, status)
				}
			}
		}
	}
	for _, table := range []string{"access_tokens", "refresh_tokens", "codes", "browser_sessions", "mcp_sessions", "approvals", "authorization_requests", "links"} {
		if !full[table] {
			t.Errorf("%s is empty: nothing of it was tried", table)
		}
	}
	if len(tried) < 100 {
		t.Errorf("only %d values were tried", len(tried))
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK {
		t.Errorf("the owner's token afterwards: %d", r.Status)
	}
	if n := d.named("Account", "Waiting Ltd"); n != 0 {
		t.Errorf("%d records", n)
	}
}

// knocks are the doors that take a credential.
func (d *demo) knocks(value string) map[string]func(t *testing.T) int {
	ask := func(method, path string, form url.Values, header ...string) func(t *testing.T) int {
		return func(t *testing.T) int {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), method, d.PublicURL+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
	}
	list := func(t *testing.T) int {
		t.Helper()
		visitor := &mcpClient{d: d, url: d.MCPURLs["sobject-all"], access: value}
		r, err := visitor.post(t.Context(), "initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{},
			"clientInfo": map[string]any{"name": "thief", "version": "1"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	form := func(pairs ...string) url.Values {
		v := url.Values{"client_id": {d.ClientID}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	return map[string]func(t *testing.T) int{
		"access token":  list,
		"refresh token": ask("POST", "/oauth/token", form("grant_type", "refresh_token", "refresh_token", value)),
		"code": ask("POST", "/oauth/token", form("grant_type", "authorization_code", "code", value, "redirect_uri", testCallback,
			"code_verifier", "verifier-0123456789-0123456789-0123456789-0123")),
		"code verifier":  ask("POST", "/oauth/token", form("grant_type", "authorization_code", "code", "sfc_"+strings.Repeat("A", 43), "redirect_uri", testCallback, "code_verifier", value)),
		"session cookie": ask("GET", "/account", nil, "Cookie", "sfmcp-session="+value),
		"approval id":    ask("POST", "/approvals/"+url.PathEscape(value), form("decision", "approve", "csrf_token", value), "Cookie", "sfmcp-browser="+value),
		"request id":     ask("POST", "/oauth/consent", form("request", value, "decision", "allow"), "Cookie", "sfmcp-browser="+value),
		"state":          ask("GET", "/oauth/callback?"+url.Values{"state": {value}, "code": {"x"}}.Encode(), nil, "Cookie", "sfmcp-browser="+value),
		"CSRF token":     ask("POST", "/signin", form("org", "acme", "csrf_token", value), "Cookie", "sfmcp-browser="+value),
	}
}

// ST-11: after a user is cut off, nothing of their tokens is left: not the sealed tokens,
// not the hashes, on no page and not in the log. Their grant stays as a tombstone.
func TestST11OffboardedUser(t *testing.T) {
	t.Parallel()
	d, _, _ := used(t)
	store := d.database()
	gone := map[string]string{}
	for _, c := range cells(t, store) {
		secret := strings.HasPrefix(c.column, "sealed_") || slices.Contains([]string{"token_hash", "code_hash", "session_hash"}, c.column)
		// No tokens, with lives of their own: arguments that wait, a sign-in under way, the name of an MCP session, the
		// key of what the audit log says about the person, which erasing them deletes.
		other := slices.Contains([]string{"approvals", "authorization_requests", "mcp_sessions", "audit_persons"}, c.table)
		if secret && !other && c.value != "" {
			gone[c.value] = c.table + "." + c.column
		}
	}
	if len(gone) < 8 {
		t.Fatalf("only %d secrets: %v", len(gone), gone)
	}
	d.must("user", "revoke", rep)
	eventually(t, plenty, "Salesforce is told", func() bool { return d.refreshTokens()["live"] == 0 })
	eventually(t, plenty, "and the queue is empty", func() bool {
		var n int
		if err := store.Reads.QueryRow(`SELECT COUNT(*) FROM upstream_revocations`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	d.stop() // the sweep runs once a minute, and when the program starts
	restarted := startDemoIn(t, d.dir)
	eventually(t, plenty, "the sweep is done", func() bool {
		var n int
		if err := store.Reads.QueryRow(`SELECT (SELECT COUNT(*) FROM access_tokens) + (SELECT COUNT(*) FROM refresh_tokens)`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	log := filepath.Join(restarted.dir, "proxy.db-wal")
	eventually(t, plenty, "the write-ahead log is empty", func() bool {
		if err := store.Erase(t.Context()); err != nil { // leaves it to the next one while somebody reads
			t.Fatal(err)
		}
		info, err := os.Stat(log)
		return err == nil && info.Size() == 0
	})
	for name, text := range readAll(t, restarted.dir) {
		if !strings.HasPrefix(name, "proxy.db") {
			continue
		}
		for secret, from := range gone {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s is still in %s", from, name)
			}
		}
	}
	var tombstones int
	if err := store.Reads.QueryRow(`SELECT COUNT(*) FROM grants WHERE revoked_at > 0 AND revoked_why <> ''`).Scan(&tombstones); err != nil || tombstones == 0 {
		t.Errorf("%d grants are kept as ended, %v", tombstones, err)
	}
}

// ST-08: text with SQL in it, wherever a stranger or a user can put text that is stored,
// is text: it comes back as it went in, and nothing else changes.
func TestST08StoredSQL(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startRegistering(t, "\nregistration: {dynamic: {enabled: true}}\n")
	store := d.database()
	schema := func() string {
		var text string
		if err := store.Reads.QueryRow(`SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := schema()
	for i, payload := range []string{
		`'; DROP TABLE grants; --`, `' OR '1'='1`, `" OR ""="`, `x'); DELETE FROM audit_entries; --`, `$1`, `$1::text`, `?1`, `:name @name`, `%s%d%n`, `\'; DROP TABLE users; --`,
		`'||(SELECT sealed_refresh FROM links)||'`, `1 UNION SELECT token_hash FROM access_tokens`, `/* */ -- ;`, `);ATTACH DATABASE 'x.db' AS x;--`, `'; UPDATE stops SET value='off'; --`,
		"é’ʼ＇; DROP TABLE links", `{"$ne":null}`, `'+(select load_extension('x'))+'`, `0x27 -0 -(-1) - -1`,
	} {
		name := fmt.Sprintf("%d %s", i, payload)
		registered := d.register(t, name)
		address, err := url.Parse(d.authorizeURL("sobject-all"))
		if err != nil {
			t.Fatal(err)
		}
		q := address.Query()
		q.Set("client_id", registered)
		q.Set("scope", "mcp "+strings.ReplaceAll(payload, "é’ʼ＇", ""))
		page, err := d.browser().Get(t.Context(), d.PublicURL+"/oauth/authorize?"+q.Encode())
		if err != nil || page.Status >= 500 {
			t.Errorf("%s: consent page %d, %v", payload, page.Status, err)
		}
		var metadata string
		if err := store.Reads.QueryRow(`SELECT metadata FROM registered_clients WHERE id = $1`, registered).Scan(&metadata); err != nil || !strings.Contains(decoded(t, metadata), name) {
			t.Errorf("%s is stored as %s (%v)", name, metadata, err)
		}
		if out, status := d.command("user", "revoke", payload); status == exitDone {
			t.Errorf("user revoke %s: %s", payload, out)
		}
		if _, status := d.command("grant", "revoke", payload); status == exitDone {
			t.Errorf("grant revoke %s", payload)
		}
	}
	c := d.connect("sobject-all", rep)
	for _, payload := range []string{`'; DROP TABLE approvals; --`, `' OR '1'='1`, `$1`, `x'); DELETE FROM audit_entries; --`} {
		held := c.call("createSobjectRecord", account(payload))
		page := d.decide(d.browser(), d.approvalURL(held), rep, "approve")
		if page.Status != http.StatusOK {
			t.Errorf("%s: decided with %d", payload, page.Status)
		}
		if done := c.call("createSobjectRecord", account(payload)); done.Result.IsError || d.named("Account", payload) != 1 {
			t.Errorf("%s: %s", payload, done.body)
		}
		for _, r := range []reply{c.call(payload, map[string]any{}), c.send("tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{payload: payload}})} {
			if r.Status >= 500 {
				t.Errorf("%s: %d %s", payload, r.Status, r.body)
			}
		}
		other := *c
		other.session = strings.ReplaceAll(payload, "\n", "")
		if r := other.send("tools/list", map[string]any{}); r.Status != http.StatusNotFound && r.Status != http.StatusBadRequest {
			t.Errorf("session %s: %d", payload, r.Status)
		}
		other.session, other.access = "", payload
		if r := other.send("tools/list", map[string]any{}); r.Status != http.StatusUnauthorized {
			t.Errorf("bearer %s: %d", payload, r.Status)
		}
	}
	if after := schema(); after != before {
		t.Errorf("the schema changed:\n%s\n%s", before, after)
	}
	if out := d.must("audit", "verify"); !strings.Contains(out, "all sound") {
		t.Errorf("audit verify: %s", out)
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK {
		t.Errorf("the connection afterwards: %d", r.Status)
	}
}

// register registers a client of that name and returns its id.
func (d *demo) register(t *testing.T, name string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"client_name": name, "redirect_uris": []string{testCallback}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(d.PublicURL+"/oauth/register", "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		ID   string `json:"client_id"`
		Name string `json:"client_name"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusCreated || answer.Name != name {
		t.Fatalf("registering %q: %d %+v %v", name, resp.StatusCode, answer, err)
	}
	return answer.ID
}

// decoded is the client name in a registration.
func decoded(t *testing.T, metadata string) string {
	t.Helper()
	var m struct {
		Name string `json:"client_name"`
	}
	if err := json.Unmarshal([]byte(metadata), &m); err != nil {
		t.Fatal(err)
	}
	return m.Name
}
