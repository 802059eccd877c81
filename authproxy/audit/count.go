package audit

import (
	"context"
	"fmt"
	"math"
)

// Count returns how many entries match, whatever filter.Limit.
func (l *Log) Count(ctx context.Context, filter Filter) (n int, err error) {
	filter.Limit = 0
	if filter.inContent() {
		err = l.List(ctx, filter, func(Entry) error {
			n++
			return nil
		})
		return n, err
	}
	l.Flush()
	condition, args := filter.where(math.MinInt64, math.MaxInt64)
	if err := l.db.Reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit_entries WHERE `+condition, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting audit entries: %w", err)
	}
	return n, nil
}

// Tools returns the names of all tools that entries tell of, in order.
func (l *Log) Tools(ctx context.Context) (names []string, err error) {
	l.Flush()
	rows, err := l.db.Reads.QueryContext(ctx, `SELECT DISTINCT tool FROM audit_entries WHERE tool <> '' ORDER BY tool`)
	if err != nil {
		return nil, fmt.Errorf("reading the tools of the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("reading the tools of the audit log: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
