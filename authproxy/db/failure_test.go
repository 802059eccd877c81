package db

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// What drivers say is told apart by what can be done about it, however deep it lies.
func TestFailureOf(t *testing.T) {
	t.Parallel()
	code := func(code string) error { return &pgconn.PgError{Code: code} }
	for _, c := range []struct {
		err  error
		want Failure
	}{
		{nil, OtherFailure},
		{errors.New("something else"), OtherFailure},
		{sql.ErrNoRows, OtherFailure},
		{code("40001"), Undone}, {code("40P01"), Undone},
		{code("23505"), Duplicate}, {code("23503"), OtherFailure},
		{code("55P03"), TooSlow}, {code("57014"), TooSlow}, {code("25P03"), TooSlow}, {context.DeadlineExceeded, TooSlow},
		{code("57P01"), Unavailable}, {code("57P03"), Unavailable}, {code("53300"), Unavailable}, {code("08006"), Unavailable},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, Unavailable}, {io.ErrUnexpectedEOF, Unavailable}, {pgconn.ErrConnClosed, Unavailable},
		{code("25006"), ReadOnly}, {code("53100"), Full},
		{code("28P01"), Refused}, {code("3D000"), Refused}, {code("42501"), Refused}, {code(duplicateTable), OtherFailure},
		{code("XX001"), Unreadable}, {code("58030"), Unreadable}, {code(""), OtherFailure},
	} {
		for _, err := range []error{c.err, fmt.Errorf("storing: %w", c.err)} {
			if c.err == nil {
				err = nil
			}
			if got := FailureOf(err); got != c.want {
				t.Errorf("%v: %d, want %d", err, got, c.want)
			}
		}
	}
}

// SQLite's own errors, as the driver makes them.
func TestFailureOfSQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.db")
	d := open(t, path)
	_, unique := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ('a', ''), ('a', '')`)
	_, readOnly := d.Reads.Exec(`DELETE FROM meta`)
	for want, err := range map[Failure]error{Duplicate: unique, ReadOnly: readOnly} {
		if got := FailureOf(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	for code, want := range map[int]Failure{5: TooSlow, 261: TooSlow, 13: Full, 14: Refused, 11: Unreadable, 26: Unreadable, 266: Unreadable, 787: OtherFailure} {
		if got := sqliteFailure(code); got != want {
			t.Errorf("code %d: %d, want %d", code, got, want)
		}
	}
}

// FT-35: a statement that was sent and got no answer may have had its effect, whoever says that there is none; one that was
// refused, or never sent, had none.
func TestFaultFT35InDoubt(t *testing.T) {
	t.Parallel()
	code := func(code string) error { return &pgconn.PgError{Code: code} }
	_, busy := open(t, filepath.Join(t.TempDir(), "p.db")).Reads.Exec(`DELETE FROM meta`)
	for want, errs := range map[bool][]error{
		true: {io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, context.DeadlineExceeded, context.Canceled,
			code("08P01") /* of PgBouncer, whose server has crashed */, code("08006"), code("40003"), code("57P01") /* with "has already committed locally" */, code("57P02")},
		false: {nil, busy, code("40001"), code("23505"), code("55P03"), code("57014"), code("42501"),
			sqldriver.ErrBadConn, &pgconn.ConnectError{}},
	} {
		for _, err := range errs {
			if got := InDoubt(err); got != want {
				t.Errorf("%v: %t", err, got)
			}
		}
	}
}
