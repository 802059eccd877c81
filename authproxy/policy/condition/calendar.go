package condition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Calendar is a named set of times, for during("name"): weekly hours and dated spans. The zero
// value holds no time.
type Calendar struct {
	// As they were read by [ParseCalendar].
	Name, Zone    string
	Weekly, Dated []string

	location *time.Location
	weekly   []weekly
	dated    []span
}

// weekly is a span of one day of the week, in minutes of its wall clock; an end that is not
// after its start is of the next day.
type weekly struct {
	day        time.Weekday
	start, end int
}

// span is a time from start, up to and without end.
type span struct{ start, end time.Time }

// Fault is one thing that is wrong with a calendar.
type Fault struct {
	Key   string // time_zone, weekly[0], dated[1]; "": the calendar as a whole
	Found string // what stands there
	Want  string // what was expected
}

func (f Fault) String() string { return f.Key + ": found " + f.Found + ", expected " + f.Want }

// ParseCalendar reads a calendar. zone is an IANA name, Europe/Berlin. A weekly entry is a day
// or a range of days and a range of hours: "Mon-Fri 08:00-18:00", "Sat 22:00-06:00" (until
// Sunday), "Sun 00:00-24:00". A dated one is two days, the last included, or two moments:
// "2026-12-20 to 2027-01-06", "2026-12-20 18:00 to 2026-12-27 08:00". With any fault there is
// no calendar.
func ParseCalendar(name, zone string, weekly, dated []string) (*Calendar, []Fault) {
	c := &Calendar{Name: name, Zone: zone, Weekly: weekly, Dated: dated}
	if c.location = Location(zone); c.location == nil {
		return nil, []Fault{{"time_zone", strconv.Quote(zone), "the name of a time zone, such as Europe/Berlin or UTC"}}
	}
	var faults []Fault
	for i, text := range weekly {
		if !c.addWeekly(text) {
			faults = append(faults, Fault{fmt.Sprintf("weekly[%d]", i), strconv.Quote(text), "days and hours, such as Mon-Fri 08:00-18:00"})
		}
	}
	for i, text := range dated {
		if want := c.addDated(text); want != "" {
			faults = append(faults, Fault{fmt.Sprintf("dated[%d]", i), strconv.Quote(text), want})
		}
	}
	if len(weekly)+len(dated) == 0 {
		faults = append(faults, Fault{"", "neither weekly nor dated times", "some of either"})
	}
	if faults != nil {
		return nil, faults
	}
	return c, nil
}

// days are the days of the week as calendars name them.
var days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const minutesOfDay = 24 * 60

// addWeekly adds an entry, if it is one.
func (c *Calendar) addWeekly(text string) bool {
	dayPart, hours, ok := strings.Cut(text, " ")
	first, last, isRange := strings.Cut(strings.ToLower(dayPart), "-")
	if !isRange {
		last = first
	}
	from, until := slices.Index(days, first), slices.Index(days, last)
	begins, ends, isHours := strings.Cut(hours, "-")
	start, startOK := minutes(begins)
	end, endOK := minutes(ends)
	if !ok || from < 0 || until < 0 || !isHours || !startOK || !endOK || start == minutesOfDay || start == end {
		return false
	}
	for day := from; ; day = (day + 1) % len(days) {
		c.weekly = append(c.weekly, weekly{time.Weekday(day), start, end})
		if day == until {
			return true
		}
	}
}

// minutes reads 08:00; 24:00 is the end of a day.
func minutes(text string) (int, bool) {
	hour, minute, ok := strings.Cut(text, ":")
	h, err := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	valid := ok && err == nil && err2 == nil && len(hour) == 2 && len(minute) == 2 && h >= 0 && m >= 0 && m < 60 && h*60+m <= minutesOfDay
	return h*60 + m, valid
}

// addDated adds an entry, or says what one is.
func (c *Calendar) addDated(text string) (want string) {
	const form = "two days or two moments, such as 2026-12-20 to 2027-01-06 or 2026-12-20 18:00 to 2026-12-27 08:00"
	first, last, ok := strings.Cut(text, " to ")
	start, wholeStart, err := c.moment(first)
	end, wholeEnd, err2 := c.moment(last)
	if !ok || err != nil || err2 != nil || wholeStart != wholeEnd {
		return form
	}
	if wholeEnd {
		end = time.Date(end.Year(), end.Month(), end.Day()+1, 0, 0, 0, 0, c.location)
	}
	if !end.After(start) {
		return "an end after the start"
	}
	c.dated = append(c.dated, span{start, end})
	return ""
}

// moment reads a day, then whole is true, or a moment.
func (c *Calendar) moment(text string) (at time.Time, whole bool, err error) {
	if at, err = time.ParseInLocation(time.DateOnly, text, c.location); err == nil {
		return at, true, nil
	}
	at, err = time.ParseInLocation("2006-01-02 15:04", text, c.location)
	return at, false, err
}

// Holds reports whether a moment is in the calendar.
func (c *Calendar) Holds(at time.Time) bool {
	local := at.In(c.location)
	minute := local.Hour()*60 + local.Minute()
	day := local.Weekday()
	before := (day + 6) % 7
	for _, w := range c.weekly {
		overnight := w.end <= w.start
		switch {
		case w.day == day && minute >= w.start && (overnight || minute < w.end):
			return true
		case w.day == before && overnight && minute < w.end:
			return true
		}
	}
	return slices.ContainsFunc(c.dated, func(s span) bool { return !at.Before(s.start) && at.Before(s.end) })
}

// Next returns the first moment after at when Holds becomes otherwise, in the zone of the
// calendar; zero if there is none.
func (c *Calendar) Next(at time.Time) time.Time {
	var bounds []time.Time
	local := at.In(c.location)
	for ahead := -1; ahead <= 8; ahead++ {
		day := time.Date(local.Year(), local.Month(), local.Day()+ahead, 0, 0, 0, 0, c.location)
		for _, w := range c.weekly {
			if w.day != day.Weekday() {
				continue
			}
			end := w.end
			if end <= w.start {
				end += minutesOfDay
			}
			for _, minute := range []int{w.start, end} {
				bounds = append(bounds, c.onClock(day, minute)...)
			}
		}
	}
	for _, s := range c.dated {
		bounds = append(bounds, s.start, s.end)
	}
	if _, changed := local.ZoneBounds(); !changed.IsZero() {
		bounds = append(bounds, changed) // the clock jumps over what begins or ends there
	}
	slices.SortFunc(bounds, time.Time.Compare)
	held := c.Holds(at)
	for _, b := range bounds {
		if b.After(at) && c.Holds(b) != held {
			return b.In(c.location)
		}
	}
	return time.Time{}
}

// onClock returns the moments at which the clock shows a minute of a day: two where it was
// put back.
func (c *Calendar) onClock(day time.Time, minute int) []time.Time {
	at := time.Date(day.Year(), day.Month(), day.Day(), 0, minute, 0, 0, c.location)
	moments := []time.Time{at}
	start, end := at.ZoneBounds()
	for _, other := range []time.Time{start.Add(-time.Second), end} {
		_, offset := at.Zone()
		_, before := other.Zone()
		again := at.Add(time.Duration(offset-before) * time.Second)
		if !again.Equal(at) && again.Hour() == at.Hour() && again.Minute() == at.Minute() {
			moments = append(moments, again)
		}
	}
	return moments
}
