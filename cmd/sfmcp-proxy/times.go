package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// span is a time as people type it: a moment, or a whole day, whose end is the next day's
// beginning.
type span struct{ begin, end time.Time }

const timeForms = "an age (30m, 24h, 7d, 2w), a date (2026-01-31), or a time (2026-01-31 08:00, 2026-01-31T08:00:00Z, 2026-01-31T08:00:00+01:00)"

// ageUnits are those that time.ParseDuration lacks.
var ageUnits = regexp.MustCompile(`^(?:([0-9]{1,4})w)?(?:([0-9]{1,5})d)?(.*)$`)

// parseTime reads a time, or an age to be counted back from now. Without a zone it is that of now,
// which is also that of the tables.
func parseTime(text string, now time.Time) (span, error) {
	text = strings.TrimSpace(text)
	if age, err := parseAge(text); err == nil {
		return span{now.Add(-age), now.Add(-age)}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return span{day, day.AddDate(0, 0, 1)}, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04 Z07:00",
		"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return span{t, t}, nil
		}
	}
	return span{}, fmt.Errorf("%q is no time: expected %s", text, timeForms)
}

// timesTyped is parseTime for pages.
func timesTyped(text string, now time.Time) (begin, end time.Time, err error) {
	at, err := parseTime(text, now)
	return at.begin, at.end, err
}

func parseAge(text string) (age time.Duration, err error) {
	parts := ageUnits.FindStringSubmatch(text)
	if parts == nil || text == "" {
		return 0, errors.New("no age")
	}
	const day = 24 * time.Hour
	const most = 100 * 365 * day // far from what a duration can hold
	for i, unit := range []time.Duration{7 * day, day} {
		if parts[i+1] != "" {
			n, err := strconv.Atoi(parts[i+1])
			if err != nil {
				return 0, err
			}
			if age += time.Duration(n) * unit; age > most || age < 0 {
				return 0, errors.New("no age")
			}
		}
	}
	if parts[3] != "" {
		rest, err := time.ParseDuration(parts[3])
		if err != nil || rest < 0 {
			return 0, errors.New("no age")
		}
		if age += rest; age > most || age < 0 {
			return 0, errors.New("no age")
		}
	}
	return age, nil
}
