package reseal

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

const (
	batch = 100                   // rows that are read at once
	pause = 20 * time.Millisecond // between two batches, for those who serve people
	// look is how often a process asks whether its ring has another newest key.
	look = time.Second
	// again is when a pass is repeated: a process that learned of the key last may have sealed with
	// the previous one while the first pass went by.
	again = time.Minute
)

// Config is what a [Worker] works on.
type Config struct {
	DB   *db.DB
	Ring *seal.KeyRing
	Log  *slog.Logger
}

// Worker seals values anew.
type Worker struct{ Config }

// Result is what a pass did.
type Result struct {
	Sealed int // values that have the newest key now
	Left   int // values that no key of the ring opens
}

// Run does so after each rotation, and at the start, until ctx ends.
func (w Worker) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	newest, repeatAt := "", time.Time{}
	for {
		if ids := w.Ring.IDs(); len(ids) > 1 && (ids[0] != newest || !repeatAt.IsZero() && time.Now().After(repeatAt)) {
			first := ids[0] != newest
			done, err := w.Pass(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				w.Log.Error("stored values cannot be sealed with the newest key now: tried again", "error", err)
				repeatAt = time.Now().Add(again)
			case first:
				newest, repeatAt = ids[0], time.Now().Add(again)
			default:
				repeatAt = time.Time{}
			}
			if done != (Result{}) {
				w.Log.Info("stored values were sealed with the newest key", "values", done.Sealed, "opened_by_no_key", done.Left)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Pass goes through all columns once.
func (w Worker) Pass(ctx context.Context) (all Result, err error) {
	for _, c := range columns {
		done, err := w.column(ctx, c)
		all.Sealed, all.Left = all.Sealed+done.Sealed, all.Left+done.Left
		if err != nil {
			return all, fmt.Errorf("sealing %s of %s anew: %w", c.name, c.table, err)
		}
	}
	return all, nil
}

func (w Worker) column(ctx context.Context, c column) (done Result, err error) {
	last := make([]string, len(c.key))
	for {
		values, err := w.read(ctx, c, last)
		if err != nil || len(values) == 0 {
			return done, err
		}
		var now Result
		if err := w.DB.Tx(ctx, func(tx *sql.Tx) (err error) {
			now, err = w.replace(ctx, tx, c, values)
			return err
		}); err != nil {
			return done, err
		}
		done.Sealed, done.Left = done.Sealed+now.Sealed, done.Left+now.Left
		last = values[len(values)-1].key
		select {
		case <-ctx.Done():
			return done, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// read returns the next values after a key that another key of the ring than the newest sealed.
func (w Worker) read(ctx context.Context, c column, last []string) (values []sealed, err error) {
	newest := "v1." + w.Ring.IDs()[0] + "."
	args := []any{newest}
	for _, k := range last {
		args = append(args, k)
	}
	rows, err := w.DB.Reads.QueryContext(ctx, fmt.Sprintf(`SELECT %s, %s, %s, %s, %s FROM %s WHERE %s AND substr(%s, 1, %d) <> $1 AND %s ORDER BY %s LIMIT %d`,
		strings.Join(c.key, ", "), c.row, c.org, c.subject, c.name, c.table, c.where(), c.name, len(newest), c.after(2), strings.Join(c.key, ", "), batch), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := sealed{key: make([]string, len(c.key))}
		var into []any
		for i := range v.key {
			into = append(into, &v.key[i])
		}
		var row string
		var org, subject sql.NullString // of a check whose call is gone
		if err := rows.Scan(append(into, &row, &org, &subject, &v.value)...); err != nil {
			return nil, err
		}
		v.place = c.place(row, org.String, subject.String)
		values = append(values, v)
	}
	return values, rows.Err()
}

// replace seals a batch anew. It leaves alone what somebody else has written meanwhile.
func (w Worker) replace(ctx context.Context, tx *sql.Tx, c column, values []sealed) (done Result, err error) {
	for _, v := range values {
		if w.Ring.Added(seal.SealedWith(v.value)) { // another process seals with it already
			continue
		}
		plain, err := w.Ring.Open(v.place, v.value)
		if err != nil { // whoever needs it is told
			done.Left++
			continue
		}
		anew, err := w.Ring.Seal(v.place, plain)
		if err != nil {
			return done, err
		}
		args := []any{anew, v.value}
		for _, k := range v.key {
			args = append(args, k)
		}
		n, err := db.Affected(ctx, tx, fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE %s = $2 AND %s`, c.table, c.name, c.name, c.is(3)), args...)
		if err != nil {
			return done, err
		}
		done.Sealed += int(n)
	}
	return done, nil
}

// Count is how many values a key of the ring has sealed, and how many rows it authenticates.
type Count struct {
	Key          string `json:"key"`
	Seals        bool   `json:"seals"` // it is the newest
	SealedValues int64  `json:"sealed_values"`
	Rows         int64  `json:"rows"`
}

// Counts are those of all keys of the ring, the newest first.
func Counts(ctx context.Context, d *db.DB, ring *seal.KeyRing) (counts []Count, err error) {
	count := func(table, where, column, prefix string) (n int64, err error) {
		err = d.Reads.QueryRowContext(ctx, fmt.Sprintf(`SELECT COUNT(*) FROM %s WHERE %s AND substr(%s, 1, %d) = $1`, table, where, column, len(prefix)), prefix).Scan(&n)
		return n, err
	}
	for i, id := range ring.IDs() {
		c := Count{Key: id, Seals: i == 0}
		for _, col := range columns {
			n, err := count(col.table, col.where(), col.name, "v1."+id+".")
			if err != nil {
				return nil, fmt.Errorf("counting what keys have sealed: %w", err)
			}
			c.SealedValues += n
		}
		for _, g := range db.Guards() {
			n, err := count(g.Table, g.Column+" <> ''", g.Column, id+":")
			if err != nil {
				return nil, fmt.Errorf("counting what keys authenticate: %w", err)
			}
			c.Rows += n
		}
		counts = append(counts, c)
	}
	return counts, nil
}
