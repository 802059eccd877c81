package team

import (
	"context"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// days is how many the overview shows.
const days = 14

// countedFor is how long a count is remembered: the index is asked some dozens of times for one.
const countedFor = 30 * time.Second

// ends are how calls end, as the overview counts them, with what it calls them.
var ends = []struct {
	outcome audit.Outcome
	name    string
}{{audit.OK, "answered"}, {audit.Held, "held"}, {audit.Denied, "denied"}, {audit.Failed, "failed"}}

// day is how many calls ended how on one day, in the order of ends.
type day struct {
	begin time.Time
	calls []int
}

// counts remembers what was counted last.
type counts struct {
	mu   sync.Mutex
	at   time.Time
	days []day
}

// calls are those of the last days, the oldest first. Days begin at midnight UTC.
func (t *Team) calls(ctx context.Context, now time.Time) ([]day, error) {
	t.counted.mu.Lock() // whoever asks meanwhile gets the same
	defer t.counted.mu.Unlock()
	if t.counted.days != nil && now.Sub(t.counted.at).Abs() < countedFor {
		return t.counted.days, nil
	}
	today := now.UTC().Truncate(24 * time.Hour)
	var all []day
	for i := days - 1; i >= 0; i-- {
		d := day{begin: today.AddDate(0, 0, -i)}
		for _, end := range ends {
			n, err := t.Audit.Count(ctx, audit.Filter{Action: string(audit.ToolCall), Outcome: end.outcome, Since: d.begin, Until: d.begin.AddDate(0, 0, 1)})
			if err != nil {
				return nil, err
			}
			d.calls = append(d.calls, n)
		}
		all = append(all, d)
	}
	t.counted.at, t.counted.days = now, all
	return all, nil
}
