package budget

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// row is what the database has of a count. The zero value is that it has nothing.
type row struct {
	start, end     time.Time
	taken, alarmed int64
}

// storeTime is how long a count may take to be written.
const storeTime = 5 * time.Second

// lasting is ctx without its end: what was taken must be known here, though its call goes.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTime)
}

// takeRow takes n units for this process if no more than limit are taken then, and reports
// whether it did. A new window begins with nothing taken. One that begins more than a window
// ahead was made by a wrong clock: it ends when ours does, with what was taken in it.
func (s *Store) takeRow(ctx context.Context, a *account, c *Counter, now time.Time, n, limit int64) (bool, error) {
	start, end := c.Span(now)
	if n > limit {
		return false, nil
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	r, err := scan(s.DB.Writes.QueryRowContext(ctx, `
		INSERT INTO budget_counts (scope, budget, org, party, started_at, ends_at, taken, alarmed) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
		ON CONFLICT (scope, budget, org, party) DO UPDATE SET
			taken = CASE WHEN budget_counts.started_at < $5 THEN $7 ELSE budget_counts.taken + $7 END,
			alarmed = CASE WHEN budget_counts.started_at < $5 THEN 0 ELSE budget_counts.alarmed END,
			started_at = CASE WHEN budget_counts.started_at < $5 OR budget_counts.started_at > $8 THEN $5 ELSE budget_counts.started_at END,
			ends_at = CASE WHEN budget_counts.started_at < $5 OR budget_counts.started_at > $8 THEN $6 ELSE budget_counts.ends_at END
		WHERE budget_counts.started_at < $5 OR budget_counts.taken + $7 <= $9
		RETURNING started_at, ends_at, taken, alarmed`,
		a.scope, a.budget, a.org, a.party, db.Millis(start), db.Millis(end), n, db.Millis(start.Add(c.Length())), limit))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("counting %s: %w", c.Name, err)
	}
	a.learn(r)
	a.left += n
	if r.taken >= c.AlarmLevel() {
		s.alarm(ctx, a, c, LevelReached)
	}
	return true, nil
}

// moveBack is for a row of which nothing is left to take: if a wrong clock has made it, its
// window ends when ours does, not then.
func (s *Store) moveBack(ctx context.Context, k key, c *Counter, now time.Time, r row) (row, error) {
	start, end := c.Span(now)
	latest := start.Add(c.Length())
	if !r.start.After(latest) {
		return r, nil
	}
	_, err := db.Affected(ctx, s.DB.Writes, `UPDATE budget_counts SET started_at = $1, ends_at = $2
		WHERE scope = $3 AND budget = $4 AND org = $5 AND party = $6 AND started_at > $7`,
		db.Millis(start), db.Millis(end), k.scope, k.budget, k.org, k.party, db.Millis(latest))
	if err != nil {
		return r, fmt.Errorf("counting %s: %w", c.Name, err)
	}
	return s.readRow(ctx, k)
}

// readRow returns what the database has of a count.
func (s *Store) readRow(ctx context.Context, k key) (row, error) {
	r, err := scan(s.DB.Reads.QueryRowContext(ctx, `SELECT started_at, ends_at, taken, alarmed FROM budget_counts
		WHERE scope = $1 AND budget = $2 AND org = $3 AND party = $4`, k.scope, k.budget, k.org, k.party))
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, nil
	}
	if err != nil {
		return row{}, fmt.Errorf("reading the count of %s: %w", k.budget, err)
	}
	return r, nil
}

func scan(from *sql.Row) (r row, err error) {
	var start, end int64
	err = from.Scan(&start, &end, &r.taken, &r.alarmed)
	r.start, r.end = db.Time(start), db.Time(end)
	return r, err
}

// returnLeft gives back what is allotted to this process.
func (s *Store) returnLeft(ctx context.Context, a *account) error {
	if a.left == 0 {
		return nil
	}
	_, err := db.Affected(ctx, s.DB.Writes, `UPDATE budget_counts SET taken = taken - $1
		WHERE scope = $2 AND budget = $3 AND org = $4 AND party = $5 AND started_at = $6 AND taken >= $1`,
		a.left, a.scope, a.budget, a.org, a.party, db.Millis(a.start))
	if err != nil {
		return fmt.Errorf("returning what is left of %s: %w", a.budget, err)
	}
	a.left = 0
	return nil
}
