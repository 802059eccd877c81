package main

import (
	"cmp"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// laterSchema is what a later version's migration could have done.
var laterSchema = []string{
	`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`,
	`ALTER TABLE grants ADD COLUMN of_a_later_version TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE approvals ADD COLUMN of_a_later_version BIGINT NOT NULL DEFAULT 0`,
	`CREATE TABLE of_a_later_version (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL)`,
	`CREATE INDEX of_a_later_version_name ON of_a_later_version (name)`,
}

// laterWord is a word of a column that only a later version knows.
const laterWord = "of_a_later_version"

// columnsOfWords are those whose text has one of some values that a program goes by, with what becomes of
// another one: the test that shows it, or why nothing follows from it.
var columnsOfWords = map[string]string{
	"stops.name":                       "TestFaultFT39UnknownWords",
	"stops.value":                      "TestFaultFT39UnknownWords",
	"grants.scope":                     "TestFaultFT39UnknownWords",
	"links.state":                      "TestFaultFT39UnknownWords",
	"definitions.state":                "TestFaultFT39UnknownWords",
	"definitions.kind":                 "TestFaultFT39UnknownWords",
	"authorization_requests.kind":      "authproxy/grant TestFaultFT39RequestsOfALaterVersion",
	"authorization_requests.status":    "authproxy/grant TestFaultFT39RequestsOfALaterVersion",
	"authorization_requests.scope":     "narrowed to what is known when the grant is made, and asked for there: grants.scope",
	"registered_clients.kind":          "authproxy/client TestFaultFT39ClientsOfALaterVersion",
	"approvals.state":                  "authproxy/approval TestFaultFT39RequestsOfALaterVersion",
	"approvals.approvers":              "authproxy/approval TestFaultFT39RequestsOfALaterVersion",
	"approvals.terms":                  "authproxy/approval TestFaultFT39RequestsOfALaterVersion",
	"approvals.outcome":                "authproxy/approval TestFaultFT39RequestsOfALaterVersion",
	"approval_decisions.by_kind":       "authproxy/approval TestFaultFT39DecisionsOfALaterVersion",
	"approval_decisions.role":          "authproxy/approval TestFaultFT39DecisionsOfALaterVersion",
	"approval_decisions.factor":        "authproxy/approval TestFaultFT39DecisionsOfALaterVersion",
	"approval_decisions.shown":         "authproxy/approval TestFaultFT39DecisionsOfALaterVersion",
	"api_tokens.role":                  "authproxy/apitoken TestFaultFT39RoleOfALaterVersion",
	"notices.event":                    "authproxy/notice TestFaultFT39EventOfALaterVersion",
	"meta.name":                        "a value is asked for by its name; the mark of a later version: authproxy/db TestFaultFT39MarkOfALaterVersion",
	"epochs.name":                      "asked for by its name",
	"notices.outcome":                  "nothing more is sent",
	"definition_lists.kind":            "the list of a kind that is known is looked for",
	"approvals.class":                  "is shown; the class of the call that comes is decided anew",
	"approvals.decided_by_kind":        "is shown; who counts stands in approval_decisions",
	"approvals.why":                    "is shown",
	"approvals.reopened":               "is shown",
	"approval_checks.verification":     "is shown; a call that was sent is not sent again, whatever it says",
	"approval_checks.happened":         "as verification",
	"approval_checks.resolved_by_kind": "is shown",
	"audit_logs.closed_by_kind":        "is shown; closed_at closes",
	"definitions.why":                  "is shown",
	"definitions.decided_by_kind":      "is shown",
	"grants.revoked_why":               "is shown; revoked_at revokes",
	"links.why":                        "is shown",
	"links.failure_kind":               "is shown",
	"links.failure_code":               "is shown",
	"mcp_sessions.protocol_version":    "TestFaultFT39UnknownWords",
	"mcp_sessions.capabilities":        "what a client has and this version does not know is not used",
	"mcp_sessions.log_level":           "a client gets fewer messages, or more",
	"budget_counts.scope":              "a count is looked for by what this version counts",
	"budget_counts.budget":             "as scope",
	"company_sessions.acr":             "compared with what the configuration asks for; another one is not enough",
	"approval_decisions.acr":           "is shown",
}

// notWords are the columns with any other text: names, addresses, hashes, sealed values, what people wrote.
var notWords = regexp.MustCompile(`\.(id|org|subject|username|name|server|resource|client_id|redirect_uri|state|code_challenge|return_to|network|host|tool|mac|` +
	`\w+_mac|\w+_hash|\w+_id|sealed_\w+|\w+_digest|digest|target|about|body|problem|issuer|person|email|groups|metadata|keys|keys_uri|value|grant_id|` +
	`party|destination|log|owner|origin|verifiers|upstream|text|sources|pseudonym|by_id|by_as|decided_by|decided_by_id|decided_by_as|resolved_by_id|resolved_by_as|` +
	`closed_by_id|closed_by_as|closed_why|changed_by|created_by|lease_holder|failure_text|failure_hint|policy_version|author|counter_of|undo_of|decisions|spent_grant|spending|human|client_info|rule|head|content|writer|hashes)$`)

// FT-39: each column is either one of columnsOfWords, or has a text that no program goes by as one of some.
func TestFaultFT39EveryColumnOfWords(t *testing.T) {
	t.Parallel()
	d := dbtest.OpenURL(t, dbtest.SQLite(t, t.TempDir()))
	rows, err := d.Reads.Query(`SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND c.type = 'TEXT' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT IN ('goose_db_version', 'audit_entries')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			t.Fatal(err)
		}
		seen[column] = true
		if columnsOfWords[column] == "" && !notWords.MatchString(column) {
			t.Errorf("%s: is it one of some words that a program goes by? Say in columnsOfWords what becomes of another one, or add it to notWords", column)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for column, why := range columnsOfWords {
		if !seen[column] {
			t.Errorf("%s: there is no such column", column)
		}
		folder, test, isTest := strings.Cut(" "+why, " TestFaultFT39")
		if !isTest {
			continue
		}
		folder = cmp.Or(folder[strings.LastIndex(folder, " ")+1:], "cmd/sfmcp-proxy")
		files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
		if err != nil || !slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), "func TestFaultFT39"+test+"(")
		}) {
			t.Errorf("%s: no test %s, %v", column, why, err)
		}
	}
}

// FT-39: this version, on a schema to which a later one has added, serves as before; and each word that
// only that one knows denies, and is shown by no crash.
func TestFaultFT39UnknownWords(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	for _, statement := range laterSchema {
		d.change(statement)
	}
	good := func(when string) {
		t.Helper()
		if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError || r.Error != nil {
			t.Fatalf("%s: %d %s", when, r.Status, r.body)
		}
	}
	good("on the later schema")
	held := c.call("createSobjectRecord", account("Upgraded Ltd"))
	d.decide(d.browser(), d.approvalURL(held), rep, "approve")
	if r := c.call("createSobjectRecord", account("Upgraded Ltd")); d.named("Account", "Upgraded Ltd") != 1 {
		t.Fatalf("a write on the later schema: %s", r.body)
	}
	d.must("audit", "verify")
	for _, e := range []struct {
		name, set, back string
		guards          []db.Guard
	}{
		{"stops.value", `UPDATE stops SET value = '` + laterWord + `'`, `UPDATE stops SET value = 'off'`, []db.Guard{db.Stops}},
		{"stops.name", `INSERT INTO stops (name, value, changed_at, changed_by) VALUES ('` + laterWord + `', 'all', 1, '')`, `DELETE FROM stops WHERE name <> 'mode'`, []db.Guard{db.Stops}},
		{"grants.scope", `UPDATE grants SET scope = '` + laterWord + `'`, `UPDATE grants SET scope = 'mcp offline_access'`, []db.Guard{db.Grants}},
		{"links.state", `UPDATE links SET state = '` + laterWord + `'`, `UPDATE links SET state = 'active'`, nil},
		{"definitions.state", `UPDATE definitions SET state = '` + laterWord + `' WHERE name = 'getUserInfo'`, `UPDATE definitions SET state = 'accepted' WHERE name = 'getUserInfo'`, []db.Guard{db.Definitions}},
		{"definitions.kind", `UPDATE definitions SET kind = '` + laterWord + `' WHERE name = 'getUserInfo'`, `UPDATE definitions SET state = 'accepted' WHERE name = 'getUserInfo' AND kind = 'tool'`, []db.Guard{db.Definitions}},
	} {
		d.change(e.set)
		d.signed(e.guards...)
		d.change(`UPDATE epochs SET value = value WHERE name = 'access'`) // what was read between the two is forgotten
		if r := c.call("getUserInfo", map[string]any{}); r.Status == http.StatusOK && !r.Result.IsError && r.Error == nil {
			t.Errorf("%s: the call was made: %s", e.name, r.body)
		} else if strings.Contains(r.body, "goroutine ") || strings.Contains(r.body, "SELECT") {
			t.Errorf("%s: a client reads %s", e.name, r.body)
		}
		d.change(e.back)
		d.signed(e.guards...)
		d.change(`UPDATE epochs SET value = value WHERE name = 'access'`)
		good(e.name + " put back")
	}
	d.change(`UPDATE mcp_sessions SET protocol_version = '` + laterWord + `'`)
	d.signed(db.MCPSessions)
	if r := c.call("getUserInfo", map[string]any{}); r.Status >= 500 {
		t.Errorf("a session of an unknown protocol: %d %s", r.Status, r.body)
	}
	if out, status := d.command("user", "list"); status != exitDone {
		t.Errorf("a command on the later schema: %d %s", status, out)
	}
}

// FT-39: a process beside which a newer version changes more than it may add ends by itself, says what
// to do, and does not start again.
func TestFaultFT39OutdatedProcessEnds(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c := d.connect("sobject-all", rep)
	for _, statement := range laterSchema {
		d.change(statement)
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
		t.Fatalf("on the later schema: %d %s", r.Status, r.body)
	}
	d.change(`UPDATE epochs SET value = 9999 WHERE name = 'oldest_schema'`)
	if status, _ := ends(t, process, plenty); status != exitFailed || !strings.Contains(d.log.String(), "replace it by the newer one") {
		t.Errorf("ended with status %d\n%s", status, d.log)
	}
	again := exec.Command(os.Args[0], "serve", "--config", d.ConfigFile)
	again.Env = append(os.Environ(), runAsProgram+"=1")
	if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "schema version 9999 is newer than") {
		t.Errorf("started again: %v\n%s", err, out)
	}
}
