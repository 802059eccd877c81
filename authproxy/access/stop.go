package access

import (
	"context"
	"database/sql"
	"fmt"

	"sfmcp-proxy/authproxy/db"
)

// Stop is the position of the kill switch.
type Stop string

// The positions: nothing is stopped, writes are, everything is.
const (
	StopOff    Stop = "off"
	StopWrites Stop = "writes"
	StopAll    Stop = "all"
)

// SetStop sets the kill switch. It survives restarts and holds for every process on
// the database; by is who did it.
func (c *Control) SetStop(ctx context.Context, stop Stop, by string) error {
	if stop != StopOff && stop != StopWrites && stop != StopAll {
		return fmt.Errorf("setting stop: expected off, writes or all, found %q", string(stop))
	}
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO stops (name, value, changed_at, changed_by) VALUES ('mode', $1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET value = $1, changed_at = $2, changed_by = $3`, string(stop), db.Millis(c.now()), by)
		if err != nil {
			return err
		}
		return c.db.RaiseAccessEpoch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("setting stop: %w", err)
	}
	return nil
}

// StopMode returns the position of the kill switch. When it cannot be read, or is at none
// of the positions, the answer is an error and [StopAll]: absence denies. It
// remembers as [grant.Store.Authenticate] does.
func (c *Control) StopMode(ctx context.Context) (Stop, error) {
	stop, err := c.stop.Get(struct{}{}, func(Stop) bool { return true }, func() (stop Stop, err error) {
		err = c.db.Reads.QueryRowContext(ctx, `SELECT value FROM stops WHERE name = 'mode'`).Scan(&stop)
		if err == nil && stop != StopOff && stop != StopWrites && stop != StopAll {
			err = fmt.Errorf("unknown position %q", string(stop))
		}
		return stop, err
	})
	if err != nil {
		return StopAll, fmt.Errorf("reading stop: %w", err)
	}
	return stop, nil
}
