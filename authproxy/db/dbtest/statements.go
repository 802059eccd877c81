package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/db"
)

// Statements are those that are run on a database while a test watches.
type Statements struct {
	reads    *sql.DB // through which they are explained
	postgres bool

	mu    sync.Mutex
	args  map[string][]driver.NamedValue
	order []string
}

// Watch notes each statement that is run on d from now on, until t ends. Nothing else may use d meanwhile that
// holds one of its handles.
func Watch(t testing.TB, d *db.DB) *Statements {
	t.Helper()
	s := &Statements{reads: d.Reads, postgres: d.Shared(), args: map[string][]driver.NamedValue{}}
	for _, handle := range []**sql.DB{&d.Reads, &d.Writes} {
		was := *handle
		watched := sql.OpenDB(watching{was, s})
		if most := was.Stats().MaxOpenConnections; most > 0 {
			watched.SetMaxOpenConns(max(most-1, 1))
		}
		*handle = watched
		t.Cleanup(func() {
			*handle = was
			if err := watched.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s
}

// note keeps a statement with the values of its first run.
func (s *Statements) note(text string, args []driver.NamedValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.args[text]; !known {
		s.args[text] = slices.Clone(args)
		s.order = append(s.order, text)
	}
}

// Scans are the statements that were run and read a whole table, or a whole index: each behind the table.
// PostgreSQL is asked with the reading of whole tables made dear, so that it does so only where no index serves.
func (s *Statements) Scans(t testing.TB) (found []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range s.order {
		if !regexp.MustCompile(`(?i)^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b`).MatchString(text) {
			continue
		}
		var args []any
		for _, a := range s.args[text] {
			args = append(args, a.Value)
		}
		explain := s.scansSQLite
		if s.postgres {
			explain = s.scansPostgres
		}
		tables, err := explain(text, args)
		if err != nil {
			t.Fatalf("explaining %s: %v", text, err)
		}
		for _, table := range tables {
			found = append(found, table+": "+strings.Join(strings.Fields(text), " "))
		}
	}
	return found
}

// Len is how many different statements were run.
func (s *Statements) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order)
}

// scanned is a step of SQLite's plan that reads all of a table or of an index.
var scanned = regexp.MustCompile(`^SCAN ([a-z_]+)`)

func (s *Statements) scansSQLite(text string, args []any) (tables []string, err error) {
	rows, err := s.reads.QueryContext(background, "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		if is := scanned.FindStringSubmatch(detail); is != nil {
			tables = append(tables, is[1])
		}
	}
	return tables, rows.Err()
}

// plan is a step of PostgreSQL's.
type plan struct {
	Kind      string `json:"Node Type"`
	Table     string `json:"Relation Name"`
	Index     string `json:"Index Name"`
	Condition string `json:"Index Cond"`
	Plans     []plan `json:"Plans"`
}

func (p plan) scans() (tables []string) {
	switch p.Kind {
	case "Seq Scan":
		tables = append(tables, p.Table)
	case "Index Scan", "Index Only Scan", "Bitmap Index Scan":
		if p.Condition == "" {
			tables = append(tables, p.Table+p.Index)
		}
	}
	for _, of := range p.Plans {
		tables = append(tables, of.scans()...)
	}
	return tables
}

func (s *Statements) scansPostgres(text string, args []any) (tables []string, err error) {
	tx, err := s.reads.BeginTx(background, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if _, err := tx.Exec(`SET LOCAL enable_seqscan = off`); err != nil {
		return nil, err
	}
	var answer []byte
	if err := tx.QueryRow("EXPLAIN (FORMAT JSON) "+text, args...).Scan(&answer); err != nil {
		return nil, err
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal(answer, &plans); err != nil {
		return nil, fmt.Errorf("a plan that does not decode: %w", err)
	}
	for _, p := range plans {
		tables = append(tables, p.Plan.scans()...)
	}
	return tables, nil
}

// watching makes connections that are those of another handle.
type watching struct {
	of *sql.DB
	to *Statements
}

func (w watching) Driver() driver.Driver { return w.of.Driver() }

func (w watching) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := w.of.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &watchedConn{held: conn, to: w.to}
	err = conn.Raw(func(raw any) error {
		var ok bool
		if c.connection, ok = raw.(connection); !ok {
			return fmt.Errorf("a connection is a %T", raw)
		}
		return nil
	})
	return c, err
}

// connection is what the drivers of both databases have.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.QueryerContext
	driver.ExecerContext
	driver.Pinger
}

// watchedConn is a connection that is held from its handle.
type watchedConn struct {
	connection
	held *sql.Conn
	to   *Statements
}

func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.to.note(query, args)
	return c.connection.QueryContext(ctx, query, args)
}

func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.to.note(query, args)
	return c.connection.ExecContext(ctx, query, args)
}

// CheckNamedValue implements [driver.NamedValueChecker] as the driver does.
func (c *watchedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.connection.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	var err error
	v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	return err
}

// Close gives the connection back to its handle.
func (c *watchedConn) Close() error { return c.held.Close() }
