package audit

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// pageSize is how many rows are read at a time: no query stays open while the
// caller's function runs.
const pageSize = 500

// Filter selects entries; a zero field selects all.
type Filter struct {
	User   string    // subject, username (any case), or actor as text
	Tool   string    // exact name
	Action string    // an [Action], or its noun and a dot: "tool."
	Since  time.Time // at or after
	Until  time.Time // before
	// Limit, if positive, selects the newest so many of the entries that match.
	Limit int
}

func (f Filter) matchesUser(e Entry) bool {
	if f.User == "" || f.User == e.Subject || strings.EqualFold(f.User, e.Username) {
		return true
	}
	by, who := e.Actor, actor.Parse(f.User)
	if by.IsUser() && by.ID == f.User {
		return true
	}
	if who.As == "" { // an operator, whoever they named
		by.As = ""
	}
	return who == by
}

// row is one stored entry.
type row struct {
	seq, at                        int64
	actor, action, tool, text, mac string
}

// List calls f with every entry that matches, oldest first, until f fails.
func (l *Log) List(ctx context.Context, filter Filter, f func(Entry) error) error {
	return l.selected(ctx, filter, func(_ row, e Entry) error { return f(e) })
}

// Export writes every entry that matches as one line of JSON, oldest first: the
// stored entry, byte for byte, with the member "mac" added at its end.
func (l *Log) Export(ctx context.Context, filter Filter, w io.Writer) error {
	return l.selected(ctx, filter, func(r row, _ Entry) error {
		_, err := fmt.Fprintf(w, "%s,\"mac\":%q}\n", strings.TrimSuffix(r.text, "}"), r.mac)
		return err
	})
}

// selected calls f with the rows that match in full.
func (l *Log) selected(ctx context.Context, filter Filter, f func(row, Entry) error) error {
	l.Flush()
	match := func(r row) error {
		e, err := decode(r.text)
		if err != nil {
			return fmt.Errorf("audit entry %d: %w", r.seq, err)
		}
		if !filter.matchesUser(e) {
			return nil
		}
		return f(r, e)
	}
	if filter.Limit <= 0 {
		return l.each(ctx, filter, match)
	}
	return l.newest(ctx, filter, match)
}

// newest walks back from the end of the log until it has filter.Limit matches and
// then calls f with them in order.
func (l *Log) newest(ctx context.Context, filter Filter, f func(row) error) error {
	var found []row
	for before := int64(math.MaxInt64); len(found) < filter.Limit; {
		page, err := l.page(ctx, filter, math.MinInt64, before, "DESC")
		if err != nil {
			return err
		}
		for _, r := range page {
			before = r.seq
			if e, err := decode(r.text); err == nil && !filter.matchesUser(e) {
				continue
			}
			if found = append(found, r); len(found) == filter.Limit {
				break
			}
		}
		if len(page) < pageSize {
			break
		}
	}
	slices.Reverse(found)
	for _, r := range found {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// each calls f with the rows that match by their columns, in order.
func (l *Log) each(ctx context.Context, filter Filter, f func(row) error) error {
	for after := int64(math.MinInt64); ; {
		page, err := l.page(ctx, filter, after, math.MaxInt64, "ASC")
		if err != nil {
			return err
		}
		for _, r := range page {
			after = r.seq
			if err := f(r); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// page reads up to pageSize rows between after and before, both exclusive.
func (l *Log) page(ctx context.Context, f Filter, after, before int64, order string) ([]row, error) {
	prefix := 0
	if strings.HasSuffix(f.Action, ".") {
		prefix = len(f.Action)
	}
	until := int64(math.MaxInt64)
	if !f.Until.IsZero() {
		until = db.Millis(f.Until)
	}
	since := int64(math.MinInt64)
	if !f.Since.IsZero() {
		since = db.Millis(f.Since)
	}
	rows, err := l.db.Reads.QueryContext(ctx, `
		SELECT seq, at, actor, action, tool, entry, mac FROM audit_entries
		WHERE seq > $1 AND seq < $2
		  AND ($3 = '' OR action = $3 OR ($4 > 0 AND substr(action, 1, $4) = $3))
		  AND ($5 = '' OR tool = $5)
		  AND at >= $6 AND at < $7
		ORDER BY seq `+order+` LIMIT $8`,
		after, before, f.Action, prefix, column(f.Tool), since, until, pageSize)
	if err != nil {
		return nil, fmt.Errorf("reading audit log: %w", err)
	}
	defer rows.Close()
	var page []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.seq, &r.at, &r.actor, &r.action, &r.tool, &r.text, &r.mac); err != nil {
			return nil, fmt.Errorf("reading audit log: %w", err)
		}
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading audit log: %w", err)
	}
	return page, nil
}
