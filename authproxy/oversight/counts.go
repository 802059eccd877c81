package oversight

import (
	"context"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// CountedDays is how many days [Reader.Calls] tells of.
const CountedDays = 14

// countedFor is how long a count is remembered: the index is asked some dozens of times for one.
const countedFor = 30 * time.Second

// Ends are how calls end, as they are counted.
func Ends() []audit.Outcome {
	return []audit.Outcome{audit.OK, audit.Held, audit.Denied, audit.Failed}
}

// Day is how many calls ended how on one day, which begins at midnight UTC.
type Day struct {
	Begin time.Time
	Calls []int // in the order of [Ends]
}

// Total is how many calls there were, however they ended.
func (d Day) Total() (n int) {
	for _, calls := range d.Calls {
		n += calls
	}
	return n
}

// counts remembers what was counted last.
type counts struct {
	mu   sync.Mutex
	at   time.Time
	days []Day
}

// Calls are those of the last days, the oldest first.
func (r *Reader) Calls(ctx context.Context, now time.Time) ([]Day, error) {
	r.counted.mu.Lock() // whoever asks meanwhile gets the same
	defer r.counted.mu.Unlock()
	if r.counted.days != nil && now.Sub(r.counted.at).Abs() < countedFor {
		return r.counted.days, nil
	}
	today := now.UTC().Truncate(24 * time.Hour)
	var all []Day
	for i := CountedDays - 1; i >= 0; i-- {
		d := Day{Begin: today.AddDate(0, 0, -i)}
		for _, end := range Ends() {
			n, err := r.Audit.Count(ctx, audit.Filter{Action: string(audit.ToolCall), Outcome: end, Since: d.Begin, Until: d.Begin.AddDate(0, 0, 1)})
			if err != nil {
				return nil, err
			}
			d.Calls = append(d.Calls, n)
		}
		all = append(all, d)
	}
	r.counted.at, r.counted.days = now, all
	return all, nil
}
