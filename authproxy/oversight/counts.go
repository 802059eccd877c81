package oversight

import (
	"context"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/shared"
)

// CountedDays is how many days [Reader.Calls] tells of.
const CountedDays = 14

// countedFor is how long counts of days that are over are remembered: the index is asked some dozens of times for
// them, and they change with what is removed by age alone.
const countedFor = 10 * time.Minute

// Ends are how calls end, as they are counted.
func Ends() []audit.Outcome {
	return []audit.Outcome{audit.OK, audit.Held, audit.Denied, audit.Failed}
}

// Day is how many calls ended how on one day, which begins at midnight UTC.
type Day struct {
	Begin time.Time
	Calls []int // in the order of [Ends]
}

// Of is how many calls ended so, which is one of [Ends].
func (d Day) Of(end audit.Outcome) int { return d.Calls[slices.Index(Ends(), end)] }

// Total is how many calls there were, however they ended.
func (d Day) Total() (n int) {
	for _, calls := range d.Calls {
		n += calls
	}
	return n
}

// counts are the days before a day.
type counts struct {
	today time.Time
	days  []Day
}

// Calls are those of the last days, the oldest first; the last is today, up to now.
func (r *Reader) Calls(ctx context.Context, now time.Time) ([]Day, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	earlier, err := r.earlierCalls(ctx, now, today)
	if err != nil {
		return nil, err
	}
	last, err := r.callsOf(ctx, today)
	return append(slices.Clone(earlier), last), err
}

// earlierCalls are those of the days before today.
func (r *Reader) earlierCalls(ctx context.Context, now, today time.Time) ([]Day, error) {
	counted, err := r.counted.Get(ctx, shared.Ask[counts]{Now: func() time.Time { return now }, Lasts: countedFor,
		Fits: func(c counts) bool { return c.today.Equal(today) },
		Make: func(ctx context.Context) (counts, error) {
			c := counts{today: today}
			for i := CountedDays - 1; i > 0; i-- {
				d, err := r.callsOf(ctx, today.AddDate(0, 0, -i))
				if err != nil {
					return c, err
				}
				c.days = append(c.days, d)
			}
			return c, nil
		}})
	return counted.days, err
}

// callsOf are those of the day that begins then.
func (r *Reader) callsOf(ctx context.Context, begin time.Time) (Day, error) {
	d := Day{Begin: begin}
	for _, end := range Ends() {
		n, err := r.Audit.Count(ctx, audit.Filter{Action: string(audit.ToolCall), Outcome: end, Since: begin, Until: begin.AddDate(0, 0, 1)})
		if err != nil {
			return d, err
		}
		d.Calls = append(d.Calls, n)
	}
	return d, nil
}

// OtherLogs are the machines of other audit logs, in which calls of the counted days may be that [Reader.Calls] does not
// count. A process reads its own log alone.
func (r *Reader) OtherLogs(ctx context.Context, now time.Time) ([]string, error) {
	logs, err := r.Roster.Beside(ctx, now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-CountedDays))
	return roster.Hosts(logs), err
}
