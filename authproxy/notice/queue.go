package notice

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// How long rows are kept: those of messages that nobody took for a day, or nobody tried to send for a
// day, are given up, and what became of a message is known for a month.
const (
	giveUpAfter = 24 * time.Hour
	keepEnded   = 30 * 24 * time.Hour
)

// lease is how long a row belongs to who took it to send it. It is longer than any attempt.
const lease = time.Minute

// What became of a message.
const (
	outcomeSent   = "sent"
	outcomeFailed = "failed"
	outcomeMoot   = "moot"
)

// Row is a message in the queue.
type Row struct {
	ID       string
	Target   string
	Event    Event
	About    string // the request, see [aboutRequest]; of an alarm its window and its budget
	Text     string // of an alarm
	Created  time.Time
	Next     time.Time // of a waiting one: when it is tried, or tried again
	Attempts int
	Outcome  string // "": waits; sent, failed, moot
	Problem  string // of the last attempt that failed
	mac      string
}

// covered is what the MAC of a row covers, see [db.Notices].
func (r *Row) covered() []any {
	return []any{r.ID, r.Target, string(r.Event), r.About, r.Text, db.Millis(r.Created)}
}

// queue keeps the rows.
type queue struct {
	db  *db.DB
	now func() time.Time
}

// add adds a message unless the target has it.
func (q queue) add(ctx context.Context, target string, event Event, about, text string) error {
	row := []any{"ntc_" + strings.ToLower(rand.Text()), target, string(event), about, text, db.Millis(q.now())}
	_, err := q.db.Writes.ExecContext(ctx, `
		INSERT INTO notices (id, target, event, about, body, created_at, next_at, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (target, event, about) DO NOTHING`,
		append(row, q.db.MAC(db.Notices, row...))...)
	if err != nil {
		return fmt.Errorf("queueing a notice: %w", err)
	}
	return nil
}

// aboutRequest names in a row a request that has come to wait again so often: by its id, behind which
// stands how often, if it has. [requestOf] is the other way.
func aboutRequest(id string, again int) string {
	if again == 0 {
		return id
	}
	return id + " " + strconv.Itoa(again)
}

func requestOf(about string) (id string, again int) {
	id, times, _ := strings.Cut(about, " ")
	again, _ = strconv.Atoi(times) // none: 0
	return id, again
}

// undecided returns what the target was told that it waits, and not yet how it ended.
func (q queue) undecided(ctx context.Context, target string) (abouts []string, err error) {
	rows, err := q.db.Reads.QueryContext(ctx, `
		SELECT about FROM notices n WHERE target = $1 AND event = $2 AND created_at > $3 AND NOT EXISTS
			(SELECT 1 FROM notices d WHERE d.target = n.target AND d.event = $4 AND d.about = n.about)
		ORDER BY created_at LIMIT 1000`,
		target, string(Requested), db.Millis(q.now().Add(-keepEnded)), string(Decided))
	if err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var about string
		if err := rows.Scan(&about); err != nil {
			return nil, fmt.Errorf("reading notices: %w", err)
		}
		abouts = append(abouts, about)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	return abouts, nil
}

// take takes a message of the target that is due, or returns nil. One about an event of a later
// version's is left to a process of that version.
func (q queue) take(ctx context.Context, target string) (*Row, error) {
	now := q.now()
	row, err := scan(q.db.Writes.QueryRowContext(ctx, `
		UPDATE notices SET attempts = attempts + 1, next_at = $1
		WHERE id = (SELECT id FROM notices WHERE target = $2 AND outcome = '' AND next_at <= $3 AND event IN ($4, $5, $6) ORDER BY next_at, id LIMIT 1)
		  AND outcome = '' AND next_at <= $3
		RETURNING `+columns, db.Millis(now.Add(lease)), target, db.Millis(now), string(Requested), string(Decided), string(Alarm)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("taking a notice: %w", err)
	}
	return row, nil
}

// end records what became of a message.
func (q queue) end(ctx context.Context, id, outcome, problem string) error {
	_, err := q.db.Writes.ExecContext(ctx, `UPDATE notices SET outcome = $1, problem = $2, ended_at = $3 WHERE id = $4 AND outcome = ''`,
		outcome, problem, db.Millis(q.now()), id)
	if err != nil {
		return fmt.Errorf("recording a notice: %w", err)
	}
	return nil
}

// later has a message tried again.
func (q queue) later(ctx context.Context, id string, after time.Duration, problem string) error {
	_, err := q.db.Writes.ExecContext(ctx, `UPDATE notices SET next_at = $1, problem = $2 WHERE id = $3 AND outcome = ''`,
		db.Millis(q.now().Add(after)), problem, id)
	if err != nil {
		return fmt.Errorf("recording a notice: %w", err)
	}
	return nil
}

// sweep ends what goes to no target any more, and removes what ended long ago. A target that is not
// among these may be one that another process knows, which has a newer configuration: whoever knows it
// moves the next attempt, so that what was due a day ago is nobody's.
func (q queue) sweep(ctx context.Context, targets []string) error {
	now := q.now()
	args := []any{outcomeMoot, db.Millis(now), db.Millis(now.Add(-giveUpAfter))}
	var marks []string
	for i, t := range targets {
		marks, args = append(marks, fmt.Sprintf("$%d", i+4)), append(args, t)
	}
	other := ""
	if len(marks) > 0 {
		other = " AND target NOT IN (" + strings.Join(marks, ", ") + ")"
	}
	_, err := q.db.Writes.ExecContext(ctx, `UPDATE notices SET outcome = $1, ended_at = $2, problem = 'the target is gone' WHERE outcome = '' AND next_at <= $3`+other, args...)
	if err == nil {
		_, err = q.db.Writes.ExecContext(ctx, `DELETE FROM notices WHERE created_at < $1`, db.Millis(now.Add(-keepEnded)))
	}
	if err != nil {
		return fmt.Errorf("sweeping notices: %w", err)
	}
	return nil
}

const columns = `id, target, event, about, body, created_at, next_at, attempts, outcome, problem, mac`

func scan(row interface{ Scan(...any) error }) (*Row, error) {
	var r Row
	var created, next int64
	if err := row.Scan(&r.ID, &r.Target, &r.Event, &r.About, &r.Text, &created, &next, &r.Attempts, &r.Outcome, &r.Problem, &r.mac); err != nil {
		return nil, err
	}
	r.Created, r.Next = db.Time(created), db.Time(next)
	return &r, nil
}

// List returns the last messages that waited or failed, and with all those that were sent as
// well; newest first, at most 1000.
func List(ctx context.Context, d *db.DB, all bool) (list []Row, err error) {
	rows, err := d.Reads.QueryContext(ctx, `SELECT `+columns+` FROM notices WHERE $1 OR outcome IN ('', 'failed') ORDER BY created_at DESC, id LIMIT 1000`, all)
	if err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading notices: %w", err)
		}
		list = append(list, *r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	return list, nil
}
