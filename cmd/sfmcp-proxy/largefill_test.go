package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/config"
)

// largeKeep is how long entries are kept where stores are large, largeSpan how long ago the oldest one is.
const (
	largeKeep = 400 * 24 * time.Hour
	largeSpan = 480 * 24 * time.Hour
)

// tokensOfAGrant is how many tokens a connection has: an access token, and refresh tokens of which all but one
// are spent.
const tokensOfAGrant = 10

// largeStore is a product with so much behind it.
type largeStore struct {
	t                        testing.TB
	dir                      string
	config                   *config.Config
	entries, people, grants  int
	process                  *process
	access, refresh, grantID []string // of some of the connections
	whose, clients           []int    // the persons and clients that they are of
	routes                   http.Handler
}

// newLarge fills stores in a directory: so many entries, a connection to ten of them, a person to ten of these.
func newLarge(t testing.TB, dir, database string, entries int) *largeStore {
	t.Helper()
	s := &largeStore{t: t, dir: dir, entries: entries, grants: min(max(entries/10, 20), 1_000_000)}
	s.people = max(s.grants/10, 4)
	file := filepath.Join(dir, "sfmcp-proxy.yaml")
	text := strings.Replace(twoOrgs, "sqlite:proxy.db", fmt.Sprintf("%q", database), 1) + benchClients + "audit: {keep: 9600h}\n"
	err := os.WriteFile(file, []byte(text), 0o600)
	if err == nil {
		s.config, err = config.Load(file, nil)
	}
	if err == nil {
		err = seal.CreateKeyFile(s.config.KeysFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	s.open()
	if err := s.fillDatabase(s.process.current.Load()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d people, %d connections, %d tokens: %s", s.people, s.grants, tokensOfAGrant*s.grants, time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	s.fillAudit(s.process.current.Load())
	t.Logf("%d entries of the audit log, %d MiB: %s", s.entries, s.auditSize()>>20, time.Since(begun).Round(time.Millisecond))
	return s
}

// open opens the product, or opens it again.
func (s *largeStore) open() {
	s.t.Helper()
	p, err := openProcess(s.t.Context(), s.config, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err == nil {
		err = p.current.Load().prepare(s.t.Context())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = p
}

// close closes the product.
func (s *largeStore) close() {
	s.t.Helper()
	if err := s.process.close(); err != nil {
		s.t.Error(err)
	}
}

// auditSize is how many bytes the segments of the log have.
func (s *largeStore) auditSize() (n int64) {
	all, _ := filepath.Glob(filepath.Join(s.config.Audit.Dir, "*.log"))
	for _, file := range all {
		if is, err := os.Stat(file); err == nil {
			n += is.Size()
		}
	}
	return n
}

// largeClients are those of [benchClients].
var largeClients = []string{"chatgpt", "claude", "cursor"}

func largeSubject(i int) string  { return fmt.Sprintf("005xx%010dAAA", i) }
func largeUsername(i int) string { return fmt.Sprintf("user%d@acme.example", i) }

// inserting is a statement that is run many times, in transactions of many rows.
type inserting struct {
	d    *db.DB
	tx   *sql.Tx
	rows int
	made map[string]*sql.Stmt
}

// row writes a row.
func (w *inserting) row(ctx context.Context, table string, columns string, values ...any) (err error) {
	if w.rows++; w.rows%50_000 == 0 || w.tx == nil {
		if err := w.commit(); err != nil {
			return err
		}
		if w.tx, err = w.d.Writes.BeginTx(ctx, nil); err != nil {
			return err
		}
		w.made = map[string]*sql.Stmt{}
	}
	statement := w.made[table]
	if statement == nil {
		var places []string
		for i := range values {
			places = append(places, fmt.Sprintf("$%d", i+1))
		}
		if statement, err = w.tx.PrepareContext(ctx, `INSERT INTO `+table+` (`+columns+`) VALUES (`+strings.Join(places, ", ")+`)`); err != nil {
			return err
		}
		w.made[table] = statement
	}
	_, err = statement.ExecContext(ctx, values...)
	return err
}

func (w *inserting) commit() error {
	if w.tx == nil {
		return nil
	}
	tx := w.tx
	w.tx = nil
	return tx.Commit()
}

// withoutIndexes removes the indexes of what is filled, and has SQLite neither wait for the disk nor be short of
// memory, until restore has made them again. An index that is made of sorted rows has full pages, and whatever is
// inserted into its middle splits one; so those that a refresh inserts into are filled row by row, as in use.
func withoutIndexes(d *db.DB) (restore func() error, err error) {
	if d.Shared() {
		return func() error { return nil }, nil
	}
	run := func(statements ...string) error {
		for _, statement := range statements {
			if _, err := d.Writes.Exec(statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	}
	rows, err := d.Writes.Query(`SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
		AND tbl_name IN ('users', 'links', 'grants', 'access_tokens', 'refresh_tokens')
		AND name NOT IN ('access_tokens_grant', 'refresh_tokens_grant')`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	remove, make := []string{`PRAGMA synchronous = OFF`, `PRAGMA cache_size = -1000000`, `PRAGMA foreign_keys = OFF`}, []string(nil)
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		remove, make = append(remove, `DROP INDEX `+name), append(make, text)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	make = append(make, `PRAGMA foreign_keys = ON`, `PRAGMA synchronous = FULL`, `PRAGMA cache_size = -2000`)
	return func() error { return run(make...) }, run(remove...)
}

// fillDatabase writes people with their logins, connections and tokens, with the columns and MACs that the
// program would have written.
func (s *largeStore) fillDatabase(p *product) (err error) {
	ctx, w := s.t.Context(), inserting{d: p.db}
	restore, err := withoutIndexes(p.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	now := db.Millis(time.Now())
	for i := range s.people {
		subject, username, name := largeSubject(i), largeUsername(i), fmt.Sprintf("User %d", i)
		if err := w.row(ctx, "users", "org, subject, username, name, first_seen_at, last_seen_at, mac", "one", subject, username, name, now, now,
			p.db.MAC(db.Users, "one", subject, username, name, int64(0))); err != nil {
			return err
		}
		if err := w.row(ctx, "links", "org, subject, state, version, sealed_access, access_expires_at, sealed_refresh, created_at, refreshed_at",
			"one", subject, "active", 1, strings.Repeat("x", 300), now, strings.Repeat("x", 300), now, now); err != nil {
			return err
		}
	}
	for i := range s.grants {
		if err := s.grant(&w, p.db, i, now); err != nil {
			return err
		}
	}
	return w.commit()
}

// grant writes the i-th connection. One in a hundred was revoked, and has no tokens any more.
func (s *largeStore) grant(w *inserting, d *db.DB, i int, now int64) error {
	const hour = int64(time.Hour / time.Millisecond)
	ctx, id, subject := s.t.Context(), fmt.Sprintf("grt_%016d", i*7919%s.grants), largeSubject(i%s.people)
	client := largeClients[i%3]
	resource, created, expires := s.config.PublicURL+"/mcp/sales", now-int64(i%500)*hour, now+int64(24+i%480)*hour
	mac := d.MAC(db.Grants, id, "one", subject, client, "sales", resource, access.Scope, "https://client.example/cb", created, expires, created)
	revoked, why := int64(0), ""
	if i%100 == 99 {
		mac, revoked, why = "", now-int64(2+i%500)*hour, "by the user"
	}
	if err := w.row(ctx, "grants", "id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at, activated_at, last_used_at, revoked_at, revoked_why, mac",
		id, "one", subject, client, "sales", resource, access.Scope, "https://client.example/cb", created, expires, created, now-hour, revoked, why, mac); err != nil || revoked > 0 {
		return err
	}
	token, leaf := seal.Secret("sfa_"), seal.Secret("sfr_")
	if i%max(s.grants/2000, 1) == 0 {
		s.access, s.refresh, s.grantID = append(s.access, token), append(s.refresh, leaf), append(s.grantID, id)
		s.whose, s.clients = append(s.whose, i%s.people), append(s.clients, i%3)
	}
	until := now + 12*hour
	if err := w.row(ctx, "access_tokens", "token_hash, grant_id, created_at, expires_at, mac", seal.Hash(token), id, now, until,
		d.MAC(db.AccessTokens, seal.Hash(token), id, now, until)); err != nil {
		return err
	}
	for spent := range tokensOfAGrant - 1 {
		hash, rotated, mac := seal.Hash(leaf), int64(0), ""
		if spent > 0 {
			hash, rotated = seal.Hash(seal.Secret("sfr_")), created+int64(spent)
		} else {
			mac = d.MAC(db.RefreshTokens, hash, id, created, until+24*hour, int64(0), "")
		}
		if err := w.row(ctx, "refresh_tokens", "token_hash, grant_id, created_at, idle_expires_at, rotated_at, mac", hash, id, created, until+24*hour, rotated, mac); err != nil {
			return err
		}
	}
	return nil
}

// fillAudit appends calls through the log of the program, over so much time as [largeSpan]: of every second one
// the person is one of a thousand, the others are of all people. Each twentieth is denied.
func (s *largeStore) fillAudit(p *product) {
	s.t.Helper()
	var at atomic.Int64 // of the entry that is written
	begin := time.Now().Add(-largeSpan).UnixMilli()
	at.Store(begin)
	log, err := audit.New(audit.Config{Dir: s.config.Audit.Dir, Name: hostOf(s.config.PublicURL), DB: p.db, Ring: p.ring, Log: p.log,
		Now: func() time.Time { return time.UnixMilli(at.Load()) }})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(s.t.Context())
	upkeep := make(chan struct{})
	go func() {
		defer close(upkeep)
		log.Run(ctx, audit.Upkeep{Every: 10 * time.Second})
	}()
	failed := func(err error) { s.t.Error(err) }
	span := (largeSpan - time.Hour).Milliseconds()
	for i := range s.entries / 2 {
		at.Store(begin + int64(float64(span)*float64(i)/float64(s.entries/2)))
		e := largeCall(i, s.people)
		log.AppendLater(ctx, e, failed)
		if e.Outcome = audit.OK; i%20 == 0 {
			e.Outcome, e.Decision, e.Reason = audit.Denied, audit.Deny, "the rule denies it"
		}
		log.AppendLater(ctx, e, failed)
		if done := 2 * (i + 1); done%5_000_000 == 0 {
			s.t.Logf("%d entries", done)
		}
	}
	log.Flush()
	stop()
	<-upkeep
	if err := log.Close(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// largeCall is the i-th call of a log of so many people.
func largeCall(i, people int) audit.Entry {
	person := i * 7919 % people
	if i%2 == 0 {
		person = i / 2 * 7919 % min(people, 1000)
	}
	subject := largeSubject(person)
	return audit.Entry{Actor: actor.User(subject), Action: audit.ToolCall, Org: "one", Subject: subject, Username: largeUsername(person),
		Client: largeClients[i%3], Server: "sales", Tool: []string{"soqlQuery", "find", "getUserInfo"}[i%3], Class: "read", Rule: "rule 1 (allow classes read)",
		RequestID: fmt.Sprintf("REQUEST%09d", i), Decision: audit.Allow, Outcome: audit.Intent, Arguments: []byte(`{"q":"SELECT Id, Name FROM Account WHERE Name LIKE 'Acme%' LIMIT 10"}`)}
}
