package audit

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/db"
)

// where is the condition of f on the table, with its arguments: all that the columns hold,
// and of the rest what can be asked of the stored text cheaply, so that few rows have to be
// decoded. Whoever reads the rows still asks [Filter.matches].
func (f Filter) where(after, before int64) (condition string, args []any) {
	prefix := 0
	if strings.HasSuffix(f.Action, ".") {
		prefix = len(f.Action)
	}
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.Since.IsZero() {
		since = db.Millis(f.Since)
	}
	if !f.Until.IsZero() {
		until = db.Millis(f.Until)
	}
	condition = `seq > $1 AND seq < $2
		  AND ($3 = '' OR action = $3 OR ($4 > 0 AND substr(action, 1, $4) = $3))
		  AND ($5 = '' OR tool = $5)
		  AND at >= $6 AND at < $7`
	args = []any{after, before, f.Action, prefix, column(f.Tool), since, until}
	for _, any := range [][]string{f.Person.texts(), {f.Request}} {
		var terms []string
		for _, text := range any {
			if !searchable(text) { // another spelling may be stored: every row is decoded
				terms = nil
				break
			}
			args = append(args, "%"+strings.ToLower(text)+"%")
			terms = append(terms, "lower(entry) LIKE $"+strconv.Itoa(len(args)))
		}
		if terms != nil {
			condition += " AND (" + strings.Join(terms, " OR ") + ")"
		}
	}
	return condition, args
}

// searchable says whether text stands in an entry as it is, and means in LIKE at least
// itself.
func searchable(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("@.-_+", r))
	})
}

// page reads up to pageSize rows between after and before, both exclusive.
func (l *Log) page(ctx context.Context, f Filter, after, before int64, order string) ([]row, error) {
	condition, args := f.where(after, before)
	args = append(args, pageSize)
	rows, err := l.db.Reads.QueryContext(ctx, `
		SELECT seq, at, actor, action, tool, entry, mac FROM audit_entries
		WHERE `+condition+`
		ORDER BY seq `+order+` LIMIT $`+strconv.Itoa(len(args)), args...)
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
