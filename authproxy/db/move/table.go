package move

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sfmcp-proxy/authproxy/db"
)

// table is one of the source.
type table struct {
	name    string
	columns []column
	refers  []string // tables of which it names rows
	where   string   // of the rows that are moved and compared; empty: all
}

type column struct {
	name string
	kind string // TEXT, BIGINT or BOOLEAN
	key  int    // its place in the primary key, from 1; 0: it is not in it
}

// begun is the condition of the rows that migrations put into a table: the settings of a
// proxy that has not been used.
func (t table) begun() string {
	switch t.name {
	case "epochs":
		return ` WHERE value = 0 OR name = 'oldest_schema'`
	case "stops":
		return ` WHERE mac = '' AND changed_at = 0`
	}
	return ` WHERE FALSE`
}

// ofOne is the condition that leaves out the rows of a table that are true of one database alone: that it was moved, and that a
// proxy served on it.
func ofOne(table string) string {
	if table != "meta" {
		return ""
	}
	return ` WHERE name NOT IN ('` + db.MovedMark + `', '` + db.ServedMark + `')`
}

// readTables lists all tables but that of the migrations, each after those that it refers to.
func readTables(ctx context.Context, source *sql.DB) (sorted []table, err error) {
	names, err := texts(ctx, source, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
		AND name <> 'goose_db_version' ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("reading the tables of the source: %w", err)
	}
	var left []table
	for _, name := range names {
		t := table{name: name, where: ofOne(name)}
		if t.refers, err = texts(ctx, source, `SELECT DISTINCT "table" FROM pragma_foreign_key_list($1)`, name); err == nil {
			t.columns, err = readColumns(ctx, source, name)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the columns of %s: %w", name, err)
		}
		left = append(left, t)
	}
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(t table) bool {
			return !slices.ContainsFunc(left, func(other table) bool { return other.name != t.name && slices.Contains(t.refers, other.name) })
		})
		if i < 0 {
			return nil, fmt.Errorf("the tables of the source refer to each other in a circle: %s and others", left[0].name)
		}
		sorted, left = append(sorted, left[i]), slices.Delete(left, i, i+1)
	}
	return sorted, nil
}

func texts(ctx context.Context, source *sql.DB, query string, args ...any) (all []string, err error) {
	rows, err := source.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func readColumns(ctx context.Context, source *sql.DB, table string) (all []column, err error) {
	rows, err := source.QueryContext(ctx, `SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	keyed := false
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.name, &c.kind, &c.key); err != nil {
			return nil, err
		}
		keyed = keyed || c.key > 0
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !keyed {
		return nil, fmt.Errorf("it has no primary key, by which its rows could be compared")
	}
	return all, nil
}

// key are the columns of the primary key, in its order.
func (t table) key() (key []column) {
	for _, c := range t.columns {
		if c.key > 0 {
			key = append(key, c)
		}
	}
	slices.SortFunc(key, func(a, b column) int { return a.key - b.key })
	return key
}

// query selects all rows in the order of the bytes of their key, whatever collation a
// database has; collate is how it is told so.
func (t table) query(collate string) string {
	var columns, order []string
	for _, c := range t.columns {
		columns = append(columns, pgx.Identifier{c.name}.Sanitize())
	}
	for _, c := range t.key() {
		name := pgx.Identifier{c.name}.Sanitize()
		if c.kind == "TEXT" {
			name += collate
		}
		order = append(order, name)
	}
	return `SELECT ` + strings.Join(columns, ", ") + ` FROM ` + pgx.Identifier{t.name}.Sanitize() + t.where + ` ORDER BY ` + strings.Join(order, ", ")
}

const (
	bySQLite   = " COLLATE BINARY"
	byPostgres = ` COLLATE "C"`
)

// sourceRows reads the rows of a table of the source one by one.
type sourceRows struct {
	*sql.Rows
	columns      []column
	values, into []any
}

func (t table) source(ctx context.Context, source *sql.DB) (*sourceRows, error) {
	rows, err := source.QueryContext(ctx, t.query(bySQLite))
	if err != nil {
		return nil, err
	}
	r := &sourceRows{Rows: rows, columns: t.columns, values: make([]any, len(t.columns)), into: make([]any, len(t.columns))}
	for i := range r.values {
		r.into[i] = &r.values[i]
	}
	return r, nil
}

// read returns the values of the present row, which are good until the next one, as
// PostgreSQL's driver has them: SQLite keeps a BOOLEAN as 0 or 1.
func (r *sourceRows) read() ([]any, error) {
	err := r.Scan(r.into...)
	for i, value := range r.values {
		switch v := value.(type) {
		case []byte:
			r.values[i] = string(v)
		case int64:
			if r.columns[i].kind == "BOOLEAN" {
				r.values[i] = v != 0
			}
		}
	}
	return r.values, err
}

// copy writes all rows of the source into the target.
func (t table) copy(ctx context.Context, source *sql.DB, tx pgx.Tx) error {
	rows, err := t.source(ctx, source)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns := make([]string, len(t.columns))
	for i, c := range t.columns {
		columns[i] = c.name
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{t.name}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		return rows.read()
	}))
	return err
}

// summing is the digest of a table as its rows come by.
type summing struct {
	sum  hash.Hash
	rows int64
}

// add adds a row: each value with its kind and its length before it, so that no two rows that
// differ are the same bytes.
func (s *summing) add(values []any) error {
	s.rows++
	for _, value := range values {
		text := ""
		switch value.(type) {
		case nil, string, int64, bool:
			text = fmt.Sprint(value)
		default:
			return fmt.Errorf("a value has the type %T, which the schema does not know", value)
		}
		head := fmt.Appendf(nil, "%T", value)
		head = binary.BigEndian.AppendUint64(head, uint64(len(text)))
		s.sum.Write(head)
		s.sum.Write([]byte(text))
	}
	return nil
}

func (s *summing) table(name string) Table {
	return Table{Name: name, Rows: s.rows, Digest: hex.EncodeToString(s.sum.Sum(nil))}
}

func newSumming() *summing { return &summing{sum: sha256.New()} }
