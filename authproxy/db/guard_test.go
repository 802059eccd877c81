package db

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// uncovered are the columns that no MAC covers, with the reason. "" as a column stands for
// all of a table.
var uncovered = map[string]map[string]string{
	"goose_db_version": {"": "the migration library's: a wrong version makes a start fail, and signs nothing"},
	"meta":             {"": "its values are sealed; org:NAME is compared with the configuration, and another value refuses; the name of a transaction says to whoever made it that it was committed, and to nobody else; a claim says which audit log has a review, and decides nothing about access; without the mark of a move, which is sealed, the audit log still disagrees; when a proxy served last is shown"},
	"epochs":           {"": "a change makes processes read anew; held back, they do so after ten seconds; without the note of a cut a sign-in goes on that was under way then, as with a row that is put back"},
	"audit_persons": {"": "keys are sealed for org, person and pseudonym: one that is exchanged opens nothing, and entries say that their key is missing; one " +
		"that is taken away hides what entries say about a person, as erasing does, and they say so"},
	"audit_entries":    {"": "of versions before 0.1.0: has a chain of its own, which is verified when it is taken over"},
	"audit_groups":     {"": "the log has a tree with signed checkpoints: a row that is changed, taken away or put in is found as in a file of the log"},
	"audit_hashes":     {"": "proves something only if it fits a signed checkpoint of the log"},
	"definition_lists": {"": "a row keeps a list from being taken for the first, see above; changes held back, a list is still made anew after five minutes"},
	"definitions":      {"why": "is shown", "text": "its digest is covered, and a text that does not fit it is not shown", "seen_at": "is shown"},
	"company_sessions": {"seen_at": "ends an idle session; no session lasts beyond its end, which is covered"},
	"client_assertions": {"": "a row refuses; without it an assertion can come again within 5.5 minutes, by whoever has " +
		"it and the code or refresh token that it came with"},
	"upstream_revocations": {"": "tokens are sealed for their row; without it Salesforce is not told of a login that nobody here has a token of any more"},
	"links": {"": "tokens are sealed for their user, and a revoked link has none: no state opens them. Another time or version costs a " +
		"refresh, which Salesforce judges"},
	"users":                  {"first_seen_at": "is shown", "last_seen_at": "is shown"},
	"authorization_requests": {"network": "who makes room", "host": "who makes room"},
	"grants":                 {"last_used_at": "is shown", "revoked_at": "takes away; the MAC is erased with it", "revoked_why": "is shown"},
	"codes": {"redeemed_at": "takes away; the MAC is erased with it",
		"failures": "bounds guesses of 256 bits"},
	"access_tokens": {"revoked_at": "takes away; the MAC is erased with it"},
	"approvals": {"sealed_arguments": "sealed for its row, and its digest is covered", "sealed_result": "sealed for its row",
		"sealed_reason": "sealed for its row",
		"outcome":       "ends what could be given back; a repeat is answered by it and not made", "why": "ends what could be given back, or is shown",
		"decided_by": "of earlier versions: shown, and nothing follows from it", "reopened": "is shown", "reopenings": "people are told anew, or are not, as by writing to their notices", "spending": "how a call ended is not recorded with its approval, and people are asked what became of it", "rule": "is shown; the audit log has it, too", "altered": "is shown, of a void request alone: why it is that"},
	"approval_checks": {"": "what it holds of records is sealed for its row, and the rest is shown: a call that was sent is never sent again, whatever a row says; the audit log has who said it"},
	"budget_counts":   {"": "who can write it can do more than a budget allows, by deleting a row too, which no MAC shows; no more than the policy does, and the audit log has each call"},
	"outside_text":    {"": "a row restricts; without it a write passes that a rule would hold because of what its client has read, which the policy allows at other times"},
	"notices":         {"next_at": "a message comes sooner or later, or is kept back, as by deleting its row", "attempts": "how long until a message is tried again", "outcome": "a message comes again, or is kept back, as by deleting its row", "problem": "for people to read, in lists", "ended_at": "for people to read, in lists"},
	"mcp_sessions":    {"expires_at": "a session opens nothing without its grant's token", "log_level": "which log messages a client gets"},
	"api_tokens":      {"last_used_at": "is shown", "revoked_at": "takes away; the MAC is erased with it"},
	"api_replays":     {"": "the answer is sealed for its row and for the request that it answers; without a row, what a program may do is done once more"},
	"export_positions": {"sent_at": "is shown", "owner": "who sends; another value has a batch sent twice, or later", "owner_until": "who sends, as owner",
		"failures": "is shown", "failed_at": "is shown, and since when an alarm counts", "reported_at": "an alarm that was raised; another value has it raised again, or not", "problem": "is shown"},
	"audit_logs":         {"heard_at": "is shown, and what keeps a running log from being closed"},
	"registered_clients": {"network": "who makes room", "host": "who makes room"},
}

// S7: every column of every table is covered by a MAC or listed with the reason why it
// need not be; DESIGN.md has the same list. A column that is added is judged, or fails here.
func TestS7EveryColumnIsJudged(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	covers := map[string]bool{}
	for _, g := range Guards() {
		covers[g.Table+"."+g.Column] = true
		for _, column := range g.Covers {
			covers[g.Table+"."+column] = true
		}
	}
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := d.Reads.Query(`SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		name := table + "." + column
		seen[name], seen[table+"."] = true, true
		reason := uncovered[table][column]
		if all := uncovered[table][""]; all != "" {
			name, reason = table, all
		}
		switch {
		case covers[name] == (reason != ""):
			t.Errorf("%s: covered is %t, the reason why not is %q: expected one of the two", name, covers[name], reason)
		case reason != "" && !strings.Contains(string(design), "\n| `"+name+"` | "+reason+" |\n"):
			t.Errorf("DESIGN.md lacks the row\n| `%s` | %s |", name, reason)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for table, columns := range uncovered {
		for column := range columns {
			if !seen[table+"."+column] {
				t.Errorf("%s.%s is listed and does not exist", table, column)
			}
		}
	}
	for name := range covers {
		if !seen[name] {
			t.Errorf("%s is covered and does not exist", name)
		}
	}
}

// A guard without the columns that name the row would fit another row; one that lacks what
// makes its rows give something would fit after that was changed.
func TestS7GuardsNameTheirRows(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	for _, g := range Guards() {
		var key []string
		rows, err := d.Reads.Query(`SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk`, g.Table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var column string
			if err := rows.Scan(&column); err != nil {
				t.Fatal(err)
			}
			key = append(key, column)
		}
		rows.Close()
		if !slices.Equal(key, g.Covers[:g.Names]) {
			t.Errorf("%s.%s begins with %v, the key is %v", g.Table, g.Column, g.Covers[:g.Names], key)
		}
	}
}

// S7: a row of an earlier version keeps its MAC when columns are added, as long as they hold
// what they begin with; and nobody makes one of a later version look like that.
func TestS7LaterColumns(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	if err := d.Claim(t.Context(), ring(t)); err != nil {
		t.Fatal(err)
	}
	mac := func(later ...any) string {
		values := []any{"id", "mac", "state", int64(1), "kind", "by", "as", int64(0)}
		return d.MAC(ApprovalStates, append(values, later...)...)
	}
	earlier := d.ring.MAC(ApprovalStates.purpose(), "id", "mac", "state", "1", "kind", "by", "as", "0")
	seen := map[string]bool{earlier: true}
	if mac("", "") != earlier {
		t.Error("a row of an earlier version is not authentic any more")
	}
	for _, later := range [][]any{{"", "g"}, {"d", ""}, {"d", "g"}, {"0", "g"}} {
		if m := mac(later...); seen[m] {
			t.Errorf("%q has the MAC of another row", later)
		} else {
			seen[m] = true
		}
	}
}

// The handbook names every table that the migrations make, and says rightly which of them no MAC covers.
func TestHandbookNamesTheTables(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/handbook/storage.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, found := strings.Cut(string(text), "\n## Tables\n")
	tables, _, _ = strings.Cut(tables, "\n## ")
	_, without, listed := strings.Cut(tables, "all tables but ")
	without, _, carries := strings.Cut(without, ") carry a MAC")
	if !found || !listed || !carries {
		t.Fatal("the tables, or which of them carry no MAC, are not found in the handbook")
	}
	named := map[string]bool{}
	for line := range strings.Lines(tables) {
		if first, ok := strings.CutPrefix(line, "| `"); ok {
			first, _, _ = strings.Cut(first, " |")
			for name := range strings.SplitSeq(first, ", ") {
				named[strings.Trim(name, "`")] = true
			}
		}
	}
	bare := map[string]bool{}
	for i, name := range strings.Split(without, "`") {
		if i%2 == 1 {
			bare[name] = true
		}
	}
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	rows, err := d.Reads.Query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '` + versionTable + `'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		seen++
		if !named[name] {
			t.Errorf("storage.md has no row for the table %s", name)
		}
		if _, is := uncovered[name][""]; is != bare[name] {
			t.Errorf("storage.md says that %s carries a MAC: %t, and it is %t", name, !bare[name], !is)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if seen != len(named) {
		t.Errorf("storage.md names %d tables of %d: %v", len(named), seen, slices.Sorted(maps.Keys(named)))
	}
}
