package db

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

// before is the last migration of the versions that authenticated no rows.
const before = 9

// earlier makes a database as an earlier version left it, with one row in each table.
func earlier(t *testing.T, path string, ring *seal.KeyRing) {
	t.Helper()
	if err := prepareFile(path); err != nil {
		t.Fatal(err)
	}
	is, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openSQLite(&sqliteFile{path: path, is: is}, busyTimeout, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.SetMaxOpenConns(1)
	p, err := (&sqlite{}).migrator(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO meta (name, value) VALUES ('ring', '` + markOf(t, ring, markEarlier) + `')`,
		`INSERT INTO users (org, subject, first_seen_at, last_seen_at, blocked_at) VALUES ('acme', '005A', 1, 1, 0), ('acme', '005B', 1, 1, 7)`,
		`INSERT INTO authorization_requests (request_hash, kind, status, org, browser_hash, created_at, expires_at) VALUES ('r', 'signin', 'pending', 'acme', 'b', 1, 2)`,
		`INSERT INTO grants (id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at) VALUES ('g', 'acme', '005A', 'c', 's', 'u', 'mcp', 'u', 1, 2), ('over', 'acme', '005A', 'c', 's', 'u', 'mcp', 'u', 1, 2)`,
		`UPDATE grants SET revoked_at = 5 WHERE id = 'over'`,
		`INSERT INTO codes (code_hash, grant_id, client_id, redirect_uri, code_challenge, expires_at) VALUES ('c', 'g', 'c', 'u', 'x', 2)`,
		`INSERT INTO access_tokens (token_hash, grant_id, created_at, expires_at) VALUES ('a', 'g', 1, 2)`,
		`INSERT INTO refresh_tokens (token_hash, grant_id, created_at, idle_expires_at) VALUES ('r', 'g', 1, 2)`,
		`INSERT INTO approvals (id, binding_hash, state, org, subject, grant_id, client_id, server, tool, class, policy_version, definition_hash, arguments_digest, sealed_arguments, approvers, created_at, expires_at)
			VALUES ('w', 'h', 'pending', 'acme', '005A', 'g', 'c', 's', 't', 'create', 'p', 'd', 'x', 'y', 'requester', 1, 2)`,
		`INSERT INTO browser_sessions (session_hash, org, subject, csrf_hash, created_at, expires_at) VALUES ('s', 'acme', '005A', 'x', 1, 2)`,
		`INSERT INTO mcp_sessions (session_hash, grant_id, protocol_version, client_info, created_at, expires_at) VALUES ('m', 'g', 'v', 'i', 1, 2)`,
		`INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until, keys, keys_uri) VALUES ('https://c', 'document', '{}', 1, 1, 2, 'k', 'u')`,
	} {
		if _, err := d.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func markOf(t *testing.T, ring *seal.KeyRing, text string) string {
	t.Helper()
	mark, err := ring.Seal(seal.Place{Table: "meta", Row: markName, Purpose: "claim"}, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return mark
}

// authentic counts, of the rows that a guard is for, those with a MAC that fits.
func authentic(t *testing.T, d *DB, g Guard) (good, all int) {
	t.Helper()
	rows, err := d.Reads.Query(`SELECT ` + g.Column + `, ` + strings.Join(g.Covers, ", ") + ` FROM ` + g.Table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var mac string
		values := make([]string, len(g.Covers))
		into, covered := []any{&mac}, make([]any, len(values))
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			covered[i] = v
		}
		if all++; d.Authentic(g, mac, covered...) {
			good++
		}
	}
	return good, all
}

// S7: the first start of this version signs what an earlier one left, once. Nothing that
// somebody does without the keys has it done again, or lets the program begin anew.
func TestS7EarlierDatabaseIsSignedOnce(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	path, keys := filepath.Join(t.TempDir(), "p.db"), ring(t)
	earlier(t, path, keys)
	d := open(t, path)
	if err := d.Claim(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	for _, g := range Guards() {
		good, all := authentic(t, d, g)
		if slices.Contains([]string{Definitions.Table, ApprovalDecisions.Table, Notices.Table, CompanySessions.Table, CompanyPeople.Table, HumanLinks.Table, APITokens.Table, ExportPositions.Table, AuditLogs.Table}, g.Table) && all == 0 { // came when rows were authenticated already
			continue
		}
		if want := all; g.Table == "grants" && good != want-1 || g.Table != "grants" && good != want || all == 0 {
			t.Errorf("%s.%s: %d of %d rows are authentic", g.Table, g.Column, good, all)
		}
	}
	if blocked, err := d.ReadBlocked(t.Context(), d.Reads); err != nil || len(blocked) != 1 || !blocked[UserKey{"acme", "005B"}] {
		t.Errorf("blocked: %v, %v", blocked, err)
	}
	const forge = `INSERT INTO access_tokens (token_hash, grant_id, created_at, expires_at) VALUES ('forged', 'g', 1, 2)`
	exec(t, path, forge)
	if err := d.Claim(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	if good, all := authentic(t, d, AccessTokens); good != 1 || all != 2 {
		t.Errorf("the next start: %d of %d", good, all)
	}

	attacks := map[string][]string{
		"mark deleted":                          {`DELETE FROM meta WHERE name = 'ring'`},
		"mark of noise":                         {`UPDATE meta SET value = 'v1.x.AAAA' WHERE name = 'ring'`},
		"another sealed value of this database": {`UPDATE meta SET value = (SELECT value FROM meta WHERE name = 'blocked') WHERE name = 'ring'`},
		"everything deleted but the forged":     {`DELETE FROM meta`, `DELETE FROM codes`, `DELETE FROM refresh_tokens`, `DELETE FROM approvals`},
		"the version lowered":                   {`DELETE FROM goose_db_version WHERE version_id > 9`},
		"the version lowered, columns dropped": {`DELETE FROM goose_db_version WHERE version_id > 9`, `ALTER TABLE access_tokens DROP COLUMN mac`,
			`ALTER TABLE grants DROP COLUMN mac`, `ALTER TABLE users DROP COLUMN mac`},
	}
	var all sync.WaitGroup // a database that cannot be migrated is tried for seconds
	refuses := func(why string, keys *seal.KeyRing) {
		for name, attack := range attacks {
			copied := filepath.Join(t.TempDir(), "p.db")
			exec(t, path, `VACUUM INTO '`+copied+`'`)
			if err := os.Chmod(copied, 0o600); err != nil {
				t.Fatal(err)
			}
			exec(t, copied, attack...)
			all.Go(func() {
				other, err := Open(t.Context(), Config{URL: "sqlite:" + copied})
				if err != nil {
					return
				}
				defer other.Close()
				if other.Claim(t.Context(), keys) == nil {
					t.Errorf("%s, %s: opened", name, why)
				}
			})
		}
	}
	refuses("with a note", keys)
	refuses("without a note", sameKeys(t, keys)) // where it cannot be written there is none
	all.Wait()
}

// sameKeys are the keys of another ring, from a folder in which there is no note.
func sameKeys(t *testing.T, of *seal.KeyRing) *seal.KeyRing {
	t.Helper()
	text, err := os.ReadFile(of.Path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := seal.LoadKeyRing(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(noteOf(path)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the note is there: %v", err)
	}
	return keys
}

// S7: a mark of an earlier version that somebody kept signs nothing where the note beside
// the keys says that the rows were authenticated; without the note it is another database.
func TestS7EarlierMarkPutBack(t *testing.T) {
	t.Parallel()
	path, keys := filepath.Join(t.TempDir(), "p.db"), ring(t)
	earlier(t, path, keys)
	d := open(t, path)
	if err := d.Claim(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Writes.Exec(`UPDATE meta SET value = $1 WHERE name = 'ring'`, markOf(t, keys, markEarlier)); err != nil {
		t.Fatal(err)
	}
	if err := d.Claim(t.Context(), keys); err == nil || !strings.Contains(err.Error(), "remove "+noteOf(keys.Path())) {
		t.Errorf("put back: %v", err)
	}
	if d.Authentic(Stops, d.MAC(Stops, "mode", "off", int64(0), ""), "mode", "off", int64(0), "") {
		t.Error("a database that is refused has authentic rows")
	}
	if err := os.Remove(noteOf(keys.Path())); err != nil {
		t.Fatal(err)
	}
	if err := d.Claim(t.Context(), keys); err != nil {
		t.Errorf("as the error says: %v", err)
	}
}

// Without the keys no row is authentic, and none becomes so.
func TestUnclaimedGivesNothing(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	if mac := d.MAC(Stops, "mode", "off", int64(0), ""); mac != "" || d.Authentic(Stops, mac, "mode", "off", int64(0), "") {
		t.Errorf("MAC %q", mac)
	}
	if _, err := d.ReadBlocked(t.Context(), d.Reads); err == nil {
		t.Error("blocked users are known")
	}
}
