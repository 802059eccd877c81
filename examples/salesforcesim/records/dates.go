package records

import (
	"strings"
	"time"
)

// timeRange is what a date literal stands for: from, up to but without to.
type timeRange struct{ from, to time.Time }

// dateWord makes the range of a relative date, given the start of today (UTC) and the n
// behind a colon.
type dateWord func(today time.Time, n int) timeRange

// dateUnits are the periods that date words count in. The fiscal year of the org is the
// calendar year; weeks begin on Sunday, as in its locale.
var dateUnits = map[string]func(today time.Time, from, to int) timeRange{
	"DAY":            days,
	"WEEK":           weeks,
	"MONTH":          func(t time.Time, from, to int) timeRange { return months(t, 1, from, to) },
	"QUARTER":        func(t time.Time, from, to int) timeRange { return months(t, 3, from, to) },
	"YEAR":           func(t time.Time, from, to int) timeRange { return months(t, 12, from, to) },
	"FISCAL_QUARTER": func(t time.Time, from, to int) timeRange { return months(t, 3, from, to) },
	"FISCAL_YEAR":    func(t time.Time, from, to int) timeRange { return months(t, 12, from, to) },
}

// plainDateWords maps the relative dates without a number to their range.
var plainDateWords = func() map[string]dateWord {
	day := func(from, to int) dateWord {
		return func(t time.Time, _ int) timeRange { return days(t, from, to) }
	}
	words := map[string]dateWord{
		"YESTERDAY": day(-1, 0), "TODAY": day(0, 1), "TOMORROW": day(1, 2),
		"LAST_90_DAYS": day(-90, 1), "NEXT_90_DAYS": day(1, 91),
	}
	for unit, span := range dateUnits {
		if unit == "DAY" {
			continue
		}
		words["LAST_"+unit] = func(t time.Time, _ int) timeRange { return span(t, -1, 0) }
		words["THIS_"+unit] = func(t time.Time, _ int) timeRange { return span(t, 0, 1) }
		words["NEXT_"+unit] = func(t time.Time, _ int) timeRange { return span(t, 1, 2) }
	}
	return words
}()

// countedDateWords maps the relative dates with a number, like LAST_N_DAYS:n. LAST_N_DAYS
// includes today; the last n weeks, months and so on end before the present one.
var countedDateWords = func() map[string]dateWord {
	words := map[string]dateWord{}
	for unit, span := range dateUnits {
		end := 0
		if unit == "DAY" {
			end = 1
		}
		words["LAST_N_"+unit+"S"] = func(t time.Time, n int) timeRange { return span(t, -n, end) }
		words["NEXT_N_"+unit+"S"] = func(t time.Time, n int) timeRange { return span(t, 1, n+1) }
		words["N_"+unit+"S_AGO"] = func(t time.Time, n int) timeRange { return span(t, -n, 1-n) }
	}
	return words
}()

func isDateWord(t queryToken) bool {
	return t.kind == tokenWord && (plainDateWords[strings.ToUpper(t.text)] != nil || isCountedDateWord(t))
}

func isCountedDateWord(t queryToken) bool {
	return t.kind == tokenWord && countedDateWords[strings.ToUpper(t.text)] != nil
}

func days(today time.Time, from, to int) timeRange {
	return timeRange{today.AddDate(0, 0, from), today.AddDate(0, 0, to)}
}

func weeks(today time.Time, from, to int) timeRange {
	return days(today.AddDate(0, 0, -int(today.Weekday())), 7*from, 7*to)
}

// months returns periods of width months, counted from the one that today lies in.
func months(today time.Time, width, from, to int) timeRange {
	first := (int(today.Month()) - 1) / width * width
	year := time.Date(today.Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
	return timeRange{year.AddDate(0, first+from*width, 0), year.AddDate(0, first+to*width, 0)}
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
	today := now.UTC().Truncate(24 * time.Hour)
	if word := plainDateWords[strings.ToUpper(t.text)]; t.kind == tokenWord && word != nil {
		return word(today, 0), true
	}
	if word := countedDateWords[strings.ToUpper(t.text)]; t.kind == tokenWord && word != nil {
		return word(today, n), true
	}
	return timeRange{}, false
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
