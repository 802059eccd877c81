package db

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Guard says which columns of a table a MAC of its rows covers, and where that MAC stands.
// Whoever writes and whoever reads such rows gives the values of those columns in the
// order of Covers to [DB.MAC] and [DB.Verify].
type Guard struct {
	Table string
	// Column holds the MAC.
	Column string
	// Covers begins with the columns that name the row: as many as Names says.
	Covers []string
	Names  int
	// Gives is the condition of the rows that have a MAC, those that give something; empty:
	// all of them.
	Gives string
}

// The guards. DESIGN.md says of each column that none of them covers why it need not be.
var (
	Users = Guard{"users", "mac", []string{"org", "subject", "username", "name", "blocked_at"}, 2, ""}
	// Requests go pending → sent; one that is done gives nothing any more.
	Requests = Guard{"authorization_requests", "mac", []string{"request_hash", "kind", "status", "org", "server", "resource", "client_id",
		"redirect_uri", "state", "scope", "code_challenge", "return_to", "browser_hash", "upstream_state_hash", "login_hash",
		"sealed_verifier", "created_at", "expires_at"}, 1, "status <> 'done'"}
	Grants = Guard{"grants", "mac", []string{"id", "org", "subject", "client_id", "server", "resource", "scope", "redirect_uri",
		"created_at", "expires_at", "activated_at"}, 1, "revoked_at = 0"}
	Codes = Guard{"codes", "mac", []string{"code_hash", "grant_id", "client_id", "redirect_uri", "code_challenge", "expires_at"}, 1,
		"redeemed_at = 0"}
	AccessTokens = Guard{"access_tokens", "mac", []string{"token_hash", "grant_id", "created_at", "expires_at"}, 1, "revoked_at = 0"}
	// RefreshTokens: a spent one still gets its successor for the grace window.
	RefreshTokens = Guard{"refresh_tokens", "mac", []string{"token_hash", "grant_id", "created_at", "idle_expires_at", "rotated_at",
		"sealed_successor"}, 1, "rotated_at = 0 OR sealed_successor <> ''"}
	Stops = Guard{"stops", "mac", []string{"name", "value", "changed_at", "changed_by"}, 1, ""}
	// Approvals is what a call is; ApprovalStates that it may be decided, made or given back.
	Approvals = Guard{"approvals", "mac", []string{"id", "binding_hash", "org", "subject", "grant_id", "client_id", "server", "tool", "class",
		"policy_version", "definition_hash", "arguments_digest", "approvers", "created_at", "expires_at", "terms", "author", "counter_of", "undo_of"}, 1, ""}
	ApprovalStates = Guard{"approvals", "state_mac", []string{"id", "mac", "state", "decided_at", "decided_by_kind", "decided_by_id",
		"decided_by_as", "spent_at", "decisions", "spent_grant"}, 1, "state IN ('pending', 'approved') OR state = 'spent' AND outcome = ''"}
	// ApprovalDecisions is who agreed, and for which role.
	ApprovalDecisions = Guard{"approval_decisions", "mac", []string{"request_id", "human", "factor", "role", "by_kind", "by_id", "by_as", "org",
		"decided_at", "auth_time", "acr", "shown"}, 2, ""}
	BrowserSessions = Guard{"browser_sessions", "mac", []string{"session_hash", "org", "subject", "csrf_hash", "created_at", "expires_at"}, 1, ""}
	// CompanySessions: seen_at ends an idle one, and is not covered: whoever moves it prolongs no
	// session beyond its end.
	CompanySessions = Guard{"company_sessions", "mac", []string{"session_hash", "issuer", "subject", "auth_time", "acr", "created_at", "expires_at"}, 1, ""}
	// CompanyPeople is what a provider last said of a person, HumanLinks who is one human.
	CompanyPeople = Guard{"company_people", "mac", []string{"issuer", "subject", "name", "email", "groups", "checked_at"}, 2, ""}
	HumanLinks    = Guard{"human_links", "mac", []string{"org", "subject", "issuer", "person", "linked_at"}, 2, ""}
	MCPSessions   = Guard{"mcp_sessions", "mac", []string{"session_hash", "grant_id", "protocol_version", "client_info", "capabilities",
		"created_at"}, 1, ""}
	RegisteredClients = Guard{"registered_clients", "mac", []string{"id", "kind", "metadata", "created_at", "read_at", "fresh_until",
		"asserted_at"}, 1, ""}
	// Definitions is what a person, or the first list, accepted: its text is named by its digest.
	Definitions = Guard{"definitions", "mac", []string{"org", "upstream", "kind", "name", "digest", "state", "decided_at", "decided_by_kind",
		"decided_by_id", "decided_by_as"}, 5, "state = 'accepted'"}
	// Notices is what is said to whom: nobody else has us write to a chat or a mailbox.
	Notices = Guard{"notices", "mac", []string{"id", "target", "event", "about", "body", "created_at"}, 1, "outcome = ''"}
	// APITokens opens the security team's API to a program; a revoked one opens nothing.
	APITokens = Guard{"api_tokens", "mac", []string{"token_hash", "id", "name", "role", "created_by", "created_at", "expires_at"}, 1, "revoked_at = 0"}
	// ExportPositions: whoever could move one forward would hide entries from a receiver.
	ExportPositions = Guard{"export_positions", "mac", []string{"destination", "log", "position"}, 2, ""}
	// AuditLogs: whoever could write one would have a log forgotten, or a closed one used again.
	AuditLogs = Guard{"audit_logs", "mac", []string{"origin", "host", "verifiers", "joined_at", "closed_at", "closed_by_kind", "closed_by_id",
		"closed_by_as", "closed_why", "closed_entries"}, 1, ""}
	ClientKeys = Guard{"registered_clients", "keys_mac", []string{"id", "keys", "keys_uri", "keys_read_at", "keys_fresh_until"}, 1, "keys_uri <> ''"}
)

// Guards are all of them. One that covers the MAC of another comes after it.
func Guards() []Guard {
	return []Guard{Users, Requests, Grants, Codes, AccessTokens, RefreshTokens, Stops, Approvals, ApprovalStates, ApprovalDecisions,
		BrowserSessions, MCPSessions, RegisteredClients, ClientKeys, Definitions, Notices, CompanySessions, CompanyPeople, HumanLinks, APITokens, ExportPositions, AuditLogs}
}

// MAC is what the column of a guard must hold for a row with these values: text and
// integers, as the schema stores them. Before [DB.Claim] it is "", which fits nothing.
func (d *DB) MAC(g Guard, values ...any) string {
	if d.ring == nil {
		return ""
	}
	return d.ring.MAC(g.purpose(), g.fields(values)...)
}

// Verify reports whether this program, with these keys, wrote what the values of a row
// say. One that is not is as good as absent, and is reported once ([DB.OnAltered]). An error is an
// [ErrKeyMissing]: the row may be genuine, and what it says cannot be known here now. Nothing is given by
// it then, and nothing that follows from its absence may be done.
func (d *DB) Verify(g Guard, mac string, values ...any) (authentic bool, err error) {
	fields := g.fields(values)
	if d.ring == nil {
		return false, nil
	}
	err = d.ring.CheckMAC(mac, g.purpose(), fields...)
	if err == nil {
		return true, nil
	}
	if missing, ok := asMissing(err); ok {
		if doubt := d.keys.doubt(missing, d.access.now()); doubt != nil {
			return false, fmt.Errorf("reading %s: %w", g.Table, doubt)
		}
	}
	why := err.Error()
	if later := d.Later(); later > 0 {
		why += fmt.Sprintf("; or a newer version of the program wrote it: the schema is of version %d, and this program knows %d", later, newestVersion())
	}
	d.altered.report(Altered{g.Table, strings.Join(fields[:g.Names], "/"), why})
	return false, nil
}

// Authentic is Verify for who gives nothing by a row, and takes nothing away by its absence: a list that is shown.
func (d *DB) Authentic(g Guard, mac string, values ...any) bool {
	authentic, err := d.Verify(g, mac, values...)
	return authentic && err == nil
}

func (g Guard) purpose() string { return "row " + g.Table + "." + g.Column }

// fields are values as a MAC is made of them. Another number or kind of them than the guard
// covers is a mistake in this program.
func (g Guard) fields(values []any) []string {
	if len(values) != len(g.Covers) {
		panic(fmt.Sprintf("db: %s of %s covers %d columns, got %d values", g.Column, g.Table, len(g.Covers), len(values)))
	}
	fields := make([]string, len(values))
	for i, value := range values {
		switch v := reflect.ValueOf(value); v.Kind() {
		case reflect.String:
			fields[i] = v.String()
		case reflect.Int64:
			fields[i] = strconv.FormatInt(v.Int(), 10)
		default:
			panic(fmt.Sprintf("db: %s of %s covers %s, which cannot be a %T", g.Column, g.Table, g.Covers[i], value))
		}
	}
	return g.begun(fields)
}

// later is how many columns at the end of a guard came after rows had been authenticated. The
// last of them that hold what a new column begins with, "" or 0, are no part of a MAC: so it is
// the same for a row that was written before there was such a column.
var later = map[string]int{"approvals.mac": 4, "approvals.state_mac": 2, "approval_decisions.mac": 1}

// begun is fields without the last of the later ones that hold what a new column begins with.
func (g Guard) begun(fields []string) []string {
	for range later[g.Table+"."+g.Column] {
		if last := fields[len(fields)-1]; last != "" && last != "0" {
			break
		}
		fields = fields[:len(fields)-1]
	}
	return fields
}

// sign gives every row that gives something its MAC.
func (d *DB) sign(ctx context.Context, tx *sql.Tx, g Guard) error {
	where := ""
	if g.Gives != "" {
		where = " WHERE " + g.Gives
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+strings.Join(g.Covers, ", ")+` FROM `+g.Table+where)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all [][]string
	for rows.Next() {
		fields := make([]string, len(g.Covers))
		into := make([]any, len(fields))
		for i := range fields {
			into[i] = &fields[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		all = append(all, fields)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	key := make([]string, g.Names)
	for i := range key {
		key[i] = fmt.Sprintf("%s = $%d", g.Covers[i], i+2)
	}
	for _, fields := range all {
		args := []any{d.ring.MAC(g.purpose(), g.begun(fields)...)}
		for _, name := range fields[:g.Names] {
			args = append(args, name)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE `+g.Table+` SET `+g.Column+` = $1 WHERE `+strings.Join(key, " AND "), args...); err != nil {
			return err
		}
	}
	return nil
}
