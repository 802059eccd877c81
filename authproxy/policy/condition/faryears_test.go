package condition

import (
	"testing"
	"time"
)

// FT-60: summer time is as the zone has it also after 2037, when its table ends and its rule goes on,
// and beyond what seconds of 32 bits hold.
func TestFaultFT60SummerTimeInFarYears(t *testing.T) {
	hours := calendar(t, "hours", "Europe/Berlin", []string{"Mon-Fri 08:00-18:00"}, []string{"2106-02-07 06:00 to 2106-02-07 08:00"})
	for at, want := range map[string]bool{
		"2026-07-01T06:00:00Z": true, "2026-07-01T05:59:59Z": false, "2026-01-05T06:30:00Z": false,
		"2038-01-19T07:00:00Z": true, "2038-01-19T06:59:59Z": false, // UTC+1
		"2040-07-02T06:00:00Z": true, "2040-07-02T16:00:00Z": false, // UTC+2
		"2106-02-07T05:00:00Z": true, "2106-02-07T04:59:59Z": false, "2106-02-07T06:59:59Z": true, "2106-02-07T07:00:00Z": false, // a Sunday: the date
		"2107-07-01T06:00:00Z": true, "2107-07-01T05:59:59Z": false,
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := hours.Holds(moment); got != want {
			t.Errorf("the calendar at %s: %t", at, got)
		}
	}
	// The clock goes forward on 2040-03-25 and back on 2040-10-28: the day between two changes has 23
	// and 25 hours.
	whole := calendar(t, "whole", "Europe/Berlin", []string{"Sun 00:00-24:00"}, nil)
	for day, want := range map[string]time.Duration{"2040-03-24T12:00:00Z": 23 * time.Hour, "2040-10-27T12:00:00Z": 25 * time.Hour, "2040-11-03T12:00:00Z": 24 * time.Hour} {
		before, _ := time.Parse(time.RFC3339, day)
		begins := whole.Next(before)
		if got := whole.Next(begins).Sub(begins); got != want {
			t.Errorf("the Sunday after %s has %v, want %v", day, got, want)
		}
	}
	c := call()
	for source, at := range map[string]time.Time{
		`now.getHours("Europe/Berlin") == 9 && now.getFullYear("Europe/Berlin") == 2040`:     time.Date(2040, 7, 2, 7, 0, 0, 0, time.UTC),
		`now.getHours("Europe/Berlin") == 4 && now.getSeconds("Europe/Berlin") == 8`:         time.Unix(1<<31, 0),
		`now.getHours("Europe/Berlin") == 7 && now.getFullYear("Europe/Berlin") == 2106`:     time.Unix(1<<32, 0),
		`now > timestamp("2038-01-19T03:14:07Z") && now < timestamp("2106-02-07T06:28:17Z")`: time.Unix(1<<32, 0),
	} {
		compiled, err := Compile(source, names(t))
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		c.Now = at
		if held, err := compiled.Holds(c); !held || err != nil {
			t.Errorf("%s at %s: %t, %v", source, at.UTC(), held, err)
		}
	}
}

// FT-60: 23:59:60 stands in no condition: it is refused where it is written. What begins or ends at
// midnight has no second between.
func TestFaultFT60LeapSecond(t *testing.T) {
	if _, err := Compile(`now < timestamp("2016-12-31T23:59:60Z")`, names(t)); err == nil {
		t.Error("a leap second is taken in a condition")
	}
	if _, faults := ParseCalendar("k", "UTC", nil, []string{"2016-12-31 23:59:60 to 2017-01-01 00:00"}); faults == nil {
		t.Error("a leap second is taken in a calendar")
	}
	last := calendar(t, "last", "UTC", []string{"Sat 00:00-24:00"}, nil)
	first := calendar(t, "first", "UTC", []string{"Sun 00:00-24:00"}, nil)
	for _, at := range []time.Time{time.Date(2016, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(2016, 12, 31, 23, 59, 60, 0, time.UTC)} {
		if last.Holds(at) == first.Holds(at) {
			t.Errorf("%s is in both days, or in none", at)
		}
	}
}
