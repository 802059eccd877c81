package salesforcesim

import (
	"strings"
	"time"
)

// timeRange is what a date literal stands for: from, up to but without to.
type timeRange struct{ from, to time.Time }

// dateWords maps the relative dates of SOQL to their range, given the start of today
// (UTC) and the n behind a colon.
var dateWords = map[string]func(today time.Time, n int) timeRange{
	"YESTERDAY": func(t time.Time, _ int) timeRange { return days(t, -1, 0) },
	"TODAY":     func(t time.Time, _ int) timeRange { return days(t, 0, 1) },
	"TOMORROW":  func(t time.Time, _ int) timeRange { return days(t, 1, 2) },

	"LAST_N_DAYS": func(t time.Time, n int) timeRange { return days(t, -n, 1) },
	"NEXT_N_DAYS": func(t time.Time, n int) timeRange { return days(t, 1, n+1) },

	"LAST_MONTH":   func(t time.Time, _ int) timeRange { return months(t, 1, -1) },
	"THIS_MONTH":   func(t time.Time, _ int) timeRange { return months(t, 1, 0) },
	"NEXT_MONTH":   func(t time.Time, _ int) timeRange { return months(t, 1, 1) },
	"LAST_QUARTER": func(t time.Time, _ int) timeRange { return months(t, 3, -1) },
	"THIS_QUARTER": func(t time.Time, _ int) timeRange { return months(t, 3, 0) },
	"NEXT_QUARTER": func(t time.Time, _ int) timeRange { return months(t, 3, 1) },
	"LAST_YEAR":    func(t time.Time, _ int) timeRange { return months(t, 12, -1) },
	"THIS_YEAR":    func(t time.Time, _ int) timeRange { return months(t, 12, 0) },
	"NEXT_YEAR":    func(t time.Time, _ int) timeRange { return months(t, 12, 1) },
}

func isDateWord(t queryToken) bool {
	return t.kind == tokenWord && dateWords[strings.ToUpper(t.text)] != nil
}

func days(today time.Time, from, to int) timeRange {
	return timeRange{today.AddDate(0, 0, from), today.AddDate(0, 0, to)}
}

// months returns the period of width months that today lies in, moved by shift periods.
func months(today time.Time, width, shift int) timeRange {
	first := (int(today.Month())-1)/width*width + shift*width
	start := time.Date(today.Year(), time.January, 1, 0, 0, 0, 0, time.UTC).AddDate(0, first, 0)
	return timeRange{start, start.AddDate(0, width, 0)}
}

// rangeOf returns what a date, a date with time or a date word stands for. A date with
// time is the millisecond that records are stored with.
func rangeOf(t queryToken, n int, now time.Time) (timeRange, bool) {
	switch t.kind {
	case tokenDate:
		day, err := time.Parse(dateLayout, t.text)
		return days(day, 0, 1), err == nil
	case tokenDateTime:
		at, ok := parseDateTime(t.text)
		return timeRange{at, at.Add(time.Millisecond)}, ok
	}
	word := dateWords[strings.ToUpper(t.text)]
	if t.kind != tokenWord || word == nil {
		return timeRange{}, false
	}
	return word(now.UTC().Truncate(24*time.Hour), n), true
}

// place says where a time lies: -1 before the range, 0 in it, 1 behind it.
func (r timeRange) place(t time.Time) int {
	switch {
	case t.Before(r.from):
		return -1
	case t.Before(r.to):
		return 0
	}
	return 1
}

// timeOf reads a stored date or date with time.
func timeOf(v any) time.Time {
	text, _ := v.(string)
	if day, err := time.Parse(dateLayout, text); err == nil {
		return day
	}
	t, _ := parseDateTime(text)
	return t
}
