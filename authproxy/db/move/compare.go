package move

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Difference is the first row in which two databases differ.
type Difference struct {
	Table string
	Row   string // its key, values by /
	What  string // is missing, is there too much, or has another value in a column that it names
}

func (d *Difference) Error() string {
	return fmt.Sprintf("the row %s of %s %s", d.Row, d.Table, d.What)
}

// compare reads a table of both, row by row, and returns what it has, or a [*Difference].
func (t table) compare(ctx context.Context, source *sql.DB, tx pgx.Tx) (Table, error) {
	want, err := t.source(ctx, source)
	if err != nil {
		return Table{}, err
	}
	defer want.Close()
	have, err := tx.Query(ctx, t.query(byPostgres))
	if err != nil {
		return Table{}, err
	}
	defer have.Close()
	here, there := newSumming(), newSumming()
	for {
		expected, err := nextOf(want.Next(), want.read)
		if err != nil {
			return Table{}, err
		}
		found, err := nextOf(have.Next(), have.Values)
		if err != nil {
			return Table{}, err
		}
		if expected == nil && found == nil {
			break
		}
		if d := t.differ(expected, found); d != nil {
			return Table{}, d
		}
		if err := here.add(expected); err != nil {
			return Table{}, err
		}
		if err := there.add(found); err != nil {
			return Table{}, err
		}
	}
	if err := cmp.Or(want.Err(), have.Err()); err != nil {
		return Table{}, err
	}
	if a, b := here.table(t.name), there.table(t.name); a != b {
		return Table{}, fmt.Errorf("the digests of %s differ: %s and %s", t.name, a.Digest, b.Digest)
	}
	return here.table(t.name), nil
}

// nextOf are the values of the next row, nil if there is none.
func nextOf(is bool, read func() ([]any, error)) ([]any, error) {
	if !is {
		return nil, nil
	}
	return read()
}

// differ compares two rows; one of them may be missing.
func (t table) differ(expected, found []any) *Difference {
	switch {
	case expected == nil:
		return &Difference{t.name, t.keyOf(found), "is in the target and not in the source"}
	case found == nil:
		return &Difference{t.name, t.keyOf(expected), "is missing in the target"}
	case t.keyOf(expected) != t.keyOf(found):
		return &Difference{t.name, t.keyOf(expected), "is missing in the target, or one before it is too much"}
	}
	i := slices.IndexFunc(t.columns, func(c column) bool {
		at := slices.Index(t.columns, c)
		return expected[at] != found[at]
	})
	if i < 0 {
		return nil
	}
	return &Difference{t.name, t.keyOf(expected), "has another value in the column " + t.columns[i].name}
}

// keyOf is the key of a row, as it is shown: ids and hashes, never a secret.
func (t table) keyOf(values []any) string {
	var parts []string
	for _, c := range t.key() {
		parts = append(parts, fmt.Sprint(values[slices.Index(t.columns, c)]))
	}
	return strings.Join(parts, "/")
}
