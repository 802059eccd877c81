package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/seal"
)

// MovedMark is the row of meta that says that everything in the database is in another one now, and in which: it is
// sealed as the mark of the keys is. A database has it from [DB.MarkMoved] on, until somebody who goes back to it
// deletes the row.
const MovedMark = "moved"

func movedPlace() seal.Place {
	return seal.Place{Table: "meta", Row: MovedMark, Purpose: "moved"}
}

// MovedError is that a database is not used any more, because all that was in it was moved to another one.
type MovedError struct {
	To string // its URL, without a password
}

// Error says what can be done.
func (e *MovedError) Error() string {
	return fmt.Sprintf("everything in this database was moved to %s, where the proxy serves since; nothing was done here. "+
		"Set database to that one in the configuration, and in SFMCP_DATABASE where that variable is set. "+
		"To go back to this database for good, see \"Back to the SQLite file\" in the handbook", e.To)
}

// errForeignMove is a mark of a move that the keys have not made.
var errForeignMove = errors.New("the database has a mark that it was moved, which the proxy did not make: somebody else changed it. " + putBack)

// MarkMoved notes durably in a database of [OpenSource] that everything in it is at the URL to now, which must show no
// password. From then on [DB.Claim] refuses it with a [*MovedError].
func (d *DB) MarkMoved(ctx context.Context, ring *seal.KeyRing, to string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("marking the database as moved: %w", err)
		}
	}()
	mark, err := ring.Seal(movedPlace(), []byte(to))
	if err != nil {
		return err
	}
	conn, err := d.Writes.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `PRAGMA query_only(OFF)`); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2)`, MovedMark, mark)
	_, again := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA query_only(ON)`)
	return errors.Join(err, again)
}

// CheckMoved returns a [*MovedError] if the database has the mark of [DB.MarkMoved].
func (d *DB) CheckMoved(ctx context.Context, ring *seal.KeyRing) error {
	return checkMoved(ctx, d.Reads, ring)
}

func checkMoved(ctx context.Context, from interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, ring *seal.KeyRing) error {
	var mark string
	err := from.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, MovedMark).Scan(&mark)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("asking whether the database was moved: %w", err)
	}
	to, err := ring.Open(movedPlace(), mark)
	if missing, ok := asMissing(err); ok {
		return fmt.Errorf("the database was moved to another one: %w", missing)
	}
	if err != nil {
		return errForeignMove
	}
	return &MovedError{To: string(to)}
}
