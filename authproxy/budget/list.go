package budget

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

// Count is how much of a budget one party has used in the present window, for people to
// read: what processes hold and have not used counts as used.
type Count struct {
	*Counter
	Org, Party string // user or client; empty: all together
	Taken      int64
	Renews     time.Time
}

// Amount is a number of what the budget counts, for people: of bytes as a size ("51.2 KiB").
func (c *Counter) Amount(n int64) string {
	if c.What != policy.Bytes || n < 1<<10 {
		return strconv.FormatInt(n, 10)
	}
	size, unit := float64(n)/(1<<10), "KiB"
	if n >= 1<<20 {
		size, unit = size/(1<<10), "MiB"
	}
	return strings.TrimSuffix(strconv.FormatFloat(size, 'f', 1, 64), ".0") + " " + unit
}

// Filter selects counts; an empty field selects all.
type Filter struct{ Org, Party string }

// listed is how many counts are listed at most.
const listed = 1000

// List returns counts of the given counters of which something is used in the present
// window, the parties that are nearest to a limit first, at most 1000.
func (s *Store) List(ctx context.Context, counters []*Counter, f Filter) ([]Count, error) {
	known := map[[2]string]*Counter{}
	for _, c := range counters {
		known[[2]string{c.Scope, c.Name}] = c
	}
	rows, err := s.DB.Reads.QueryContext(ctx, `SELECT scope, budget, org, party, ends_at, taken FROM budget_counts
		WHERE ends_at > $1 AND taken > 0 AND ($2 = '' OR org = $2) AND ($3 = '' OR party = $3)
		ORDER BY alarmed DESC, scope, budget, taken DESC LIMIT $4`, db.Millis(s.Now()), f.Org, f.Party, listed)
	if err != nil {
		return nil, fmt.Errorf("listing budgets: %w", err)
	}
	defer rows.Close()
	var all []Count
	for rows.Next() {
		var name [2]string
		var c Count
		var ends int64
		if err := rows.Scan(&name[0], &name[1], &c.Org, &c.Party, &ends, &c.Taken); err != nil {
			return nil, fmt.Errorf("listing budgets: %w", err)
		}
		if c.Counter = known[name]; c.Counter != nil { // else the configuration has it no more
			c.Renews = db.Time(ends)
			all = append(all, c)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing budgets: %w", err)
	}
	return all, nil
}
