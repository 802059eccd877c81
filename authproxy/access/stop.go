package access

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

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

// Validate reports a text that is none of the positions.
func (s Stop) Validate() error {
	if s != StopOff && s != StopWrites && s != StopAll {
		return fmt.Errorf("expected off, writes or all, found %q", string(s))
	}
	return nil
}

// StopsMoreThan says whether s refuses what other lets pass.
func (s Stop) StopsMoreThan(other Stop) bool {
	return s == StopAll && other != StopAll || s == StopWrites && other == StopOff
}

// SetStop sets the kill switch. It survives restarts and holds for every process on
// the database; by is who did it.
func (c *Control) SetStop(ctx context.Context, stop Stop, by string) error {
	return c.setStop(ctx, nil, stop, by)
}

// StopSetting is the kill switch as the database has it: its position, since when, by whom.
type StopSetting struct {
	Position Stop
	At       time.Time
	By       string
}

// Mark is a text that stands for a setting where it is compared later, as in a form.
func (s StopSetting) Mark() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %q", s.Position, db.Millis(s.At), s.By))
	return hex.EncodeToString(sum[:16])
}

// ErrStopMoved says that the kill switch is not as it was seen any more.
var ErrStopMoved = errors.New("the kill switch was set by somebody else meanwhile, so nothing was done: look at 'stop status', and set it again if that is still right")

// StopSetting reads the kill switch anew. Errors are those of [Control.StopMode].
func (c *Control) StopSetting(ctx context.Context) (StopSetting, error) {
	r, err := c.readStop(ctx, c.db.Reads)
	if err != nil {
		return StopSetting{}, fmt.Errorf("reading stop: %w", err)
	}
	return r.setting, nil
}

// StopSeen is StopSetting for whoever sets the kill switch next. Where nobody can say how it stands
// ([ErrStopAltered], [ErrStopUnknown]) it stops everything, set by nobody, and that is no error.
func (c *Control) StopSeen(ctx context.Context) (StopSetting, error) {
	s, err := c.StopSetting(ctx)
	return orStopped(s, err)
}

// orStopped is the setting that was read, or one that stops everything where nobody can say how it stands.
func orStopped(s StopSetting, err error) (StopSetting, error) {
	if errors.Is(err, ErrStopAltered) || errors.Is(err, ErrStopUnknown) {
		return StopSetting{Position: StopAll}, nil
	}
	return s, err
}

// SetStopFrom is SetStop if the kill switch still is as [Control.StopSeen] saw it, otherwise [ErrStopMoved].
func (c *Control) SetStopFrom(ctx context.Context, seen StopSetting, stop Stop, by string) error {
	return c.setStop(ctx, func(have StopSetting) bool { return have == seen }, stop, by)
}

// SetStopOver is SetStop where that stops no less, or the kill switch still is as [Control.StopSeen] saw it; otherwise
// [ErrStopMoved]: nobody loosens what they have not seen. Everything can be stopped without knowing how it stands.
func (c *Control) SetStopOver(ctx context.Context, seen StopSetting, stop Stop, by string) error {
	if stop == StopAll {
		return c.setStop(ctx, nil, stop, by)
	}
	return c.setStop(ctx, func(have StopSetting) bool { return have == seen || !have.Position.StopsMoreThan(stop) }, stop, by)
}

// stopTries bounds how often the kill switch is looked at anew because somebody set it in between: each of them
// has set it.
const stopTries = 20

// setStop sets the kill switch; if may is not nil, only over a setting of which it says so.
func (c *Control) setStop(ctx context.Context, may func(have StopSetting) bool, stop Stop, by string) error {
	if err := stop.Validate(); err != nil {
		return fmt.Errorf("setting stop: %w", err)
	}
	err := c.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := db.Millis(c.now())
		row := []any{string(stop), now, by, c.db.MAC(db.Stops, "mode", stop, now, by)}
		if may == nil {
			_, err := tx.ExecContext(ctx, insertStop+` DO UPDATE SET value = $1, changed_at = $2, changed_by = $3, mac = $4`, row...)
			if err != nil {
				return err
			}
			return c.db.RaiseAccessEpoch(ctx, tx)
		}
		for range stopTries {
			seen, err := c.readStop(ctx, tx)
			have, err := orStopped(seen.setting, err)
			if err != nil {
				return err
			}
			if !may(have) {
				return ErrStopMoved
			}
			if set, err := seen.replace(ctx, tx, row); err != nil {
				return err
			} else if set {
				return c.db.RaiseAccessEpoch(ctx, tx)
			}
		}
		return fmt.Errorf("somebody else set the kill switch %d times meanwhile: %w", stopTries, ErrStopMoved)
	})
	if err != nil {
		return fmt.Errorf("setting stop: %w", err)
	}
	return nil
}

// insertStop writes the row of the kill switch where there is none.
const insertStop = `INSERT INTO stops (name, value, changed_at, changed_by, mac) VALUES ('mode', $1, $2, $3, $4) ON CONFLICT (name)`

// stopRow is the row of the kill switch as it was read; without any there is none.
type stopRow struct {
	setting StopSetting // if it is authentic
	columns []any       // value, changed_at, changed_by, mac
}

// replace writes row in the place of what was read, and reports whether that still was there: one statement, which waits for
// whoever is setting the switch. Where there was no row, none may have come.
func (r stopRow) replace(ctx context.Context, tx *sql.Tx, row []any) (bool, error) {
	statement := insertStop + ` DO NOTHING`
	if r.columns != nil {
		statement = `UPDATE stops SET value = $1, changed_at = $2, changed_by = $3, mac = $4
			WHERE name = 'mode' AND value = $5 AND changed_at = $6 AND changed_by = $7 AND mac = $8`
	}
	n, err := db.Affected(ctx, tx, statement, slices.Concat(row, r.columns)...)
	return n == 1, err
}

// ErrStopAltered says that somebody removed or changed the position of the kill switch
// without the keys.
var ErrStopAltered = errors.New("the kill switch was removed or changed by something else than the proxy, so everything is stopped: " +
	"see who can write the database, then set it anew with 'stop off', 'stop writes' or 'stop all'")

// ErrStopUnknown says that a newer version of the program stopped something that this one does not
// know.
var ErrStopUnknown = errors.New("something is stopped that only a newer version of the program knows, so everything is stopped here: " +
	"upgrade, or set it anew")

// StopMode returns what is stopped now: everything, if it is stopped on this machine
// ([StopFile.StoppedNow]), and otherwise what [Control.StopPosition] says. The database is not
// asked in the first case, so that the switch holds while it does not answer.
func (c *Control) StopMode(ctx context.Context) (Stop, error) {
	if c.stopFile.StoppedNow() {
		return StopAll, nil
	}
	return c.StopPosition(ctx)
}

// StoppedHere reports whether everything is stopped on this machine, whatever the database says.
func (c *Control) StoppedHere() (Here, bool) { return c.stopFile.Stopped() }

// StopFile is the kill switch of this machine.
func (c *Control) StopFile() *StopFile { return c.stopFile }

// StopPosition returns the position of the kill switch of the whole proxy. When it cannot be
// read, was changed ([ErrStopAltered]), or is at none of the positions, the answer is an error
// and [StopAll]: absence denies. It remembers as [grant.Store.Authenticate] does.
func (c *Control) StopPosition(ctx context.Context) (Stop, error) {
	stop, err := c.stop.Get(func() (Stop, error) {
		r, err := c.readStop(ctx, c.db.Reads)
		return r.setting.Position, err
	})
	if err != nil {
		return StopAll, fmt.Errorf("reading stop: %w", err)
	}
	return stop, nil
}

// readStop reads the kill switch from the database.
func (c *Control) readStop(ctx context.Context, from db.RowQuerier) (r stopRow, err error) {
	var s StopSetting
	var at, others int64
	var mac string
	err = from.QueryRowContext(ctx, `SELECT value, changed_at, changed_by, mac, (SELECT COUNT(*) FROM stops o WHERE o.name <> 'mode' AND o.value <> 'off')
		FROM stops WHERE name = 'mode'`).Scan(&s.Position, &at, &s.By, &mac, &others)
	// One that is not there is reported as one without a MAC.
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, err
	}
	if err == nil {
		r.columns = []any{string(s.Position), at, s.By, mac}
	}
	if authentic, err := c.db.Verify(db.Stops, mac, "mode", s.Position, at, s.By); err != nil {
		return r, err
	} else if !authentic {
		return r, ErrStopAltered
	}
	if s.Position.Validate() != nil {
		return r, fmt.Errorf("%w: its position is %q", ErrStopUnknown, string(s.Position))
	}
	if others != 0 {
		return r, ErrStopUnknown
	}
	s.At = db.Time(at)
	r.setting = s
	return r, nil
}
