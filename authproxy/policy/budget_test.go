package policy

import (
	"math"
	"strings"
	"testing"
	"time"
)

// A day begins at midnight of its zone, also where a day has 23 or 25 hours, or no midnight;
// minutes and hours are those of UTC.
func TestFW30Spans(t *testing.T) {
	at := func(text string) time.Time {
		t.Helper()
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, test := range []struct {
		window          Window
		zone            string
		now, start, end string
	}{
		{Minute, "", "2026-03-10T12:00:00Z", "2026-03-10T12:00:00Z", "2026-03-10T12:01:00Z"},
		{Minute, "", "2026-03-10T12:00:59Z", "2026-03-10T12:00:00Z", "2026-03-10T12:01:00Z"},
		{Hour, "", "2026-03-10T23:59:59Z", "2026-03-10T23:00:00Z", "2026-03-11T00:00:00Z"},
		{Hour, "", "2026-03-10T12:30:00+05:30", "2026-03-10T07:00:00Z", "2026-03-10T08:00:00Z"},
		{Day, "", "2026-03-10T23:59:59Z", "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"},
		{Day, "Europe/Berlin", "2026-03-10T23:30:00Z", "2026-03-10T23:00:00Z", "2026-03-11T23:00:00Z"},
		{Day, "Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{Day, "Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		{Day, "Asia/Kolkata", "2026-03-10T18:29:59Z", "2026-03-09T18:30:00Z", "2026-03-10T18:30:00Z"},
	} {
		b := Budget{Window: test.window, Zone: test.zone}
		start, end := b.Span(at(test.now))
		if !start.Equal(at(test.start)) || !end.Equal(at(test.end)) {
			t.Errorf("%s in %q at %s: %s to %s, want %s to %s", test.window, test.zone, test.now, start.UTC(), end.UTC(), test.start, test.end)
		}
	}
	// Santiago has no midnight on this day: it begins at one.
	b := Budget{Window: Day, Zone: "America/Santiago"}
	for now := at("2026-09-05T00:00:00Z"); now.Before(at("2026-09-08T00:00:00Z")); now = now.Add(7 * time.Minute) {
		start, end := b.Span(now)
		if now.Before(start) || !now.Before(end) || end.Sub(start) > 25*time.Hour {
			t.Fatalf("%s is not within its day, %s to %s", now, start.UTC(), end.UTC())
		}
	}
}

// What a budget counts of a call, and how much is taken before the call is made.
func TestFW30WhatIsCounted(t *testing.T) {
	deletion := Decision{Class: Delete, Objects: []string{"Account"}, Records: []Record{{Class: Delete, Object: "Account", ID: "001000000000001AAA"}}}
	query := Decision{Class: Read, Objects: []string{"Contact"}}
	several := Decision{Class: Delete, Objects: []string{"Account", "Contact"}, Records: []Record{
		{Class: Delete, Object: "Account", ID: "001000000000001AAA"}, {Class: Update, Object: "Contact", ID: "003000000000001AAA"}, {Class: Read, Object: "Contact", ID: "003000000000002AAA"}, {Class: Delete, Object: "Account", ID: "001000000000002AAA"}}}
	apex := Decision{Class: Unknown, Objects: []string{UnknownObject}}
	history := Decision{Class: Read, Objects: []string{"ContactHistory"}}
	marked := Decision{Class: SideEffect, Objects: []string{"Contact"}}
	const no = -1
	for _, test := range []struct {
		name string
		b    Budget
		d    Decision
		want int64 // units before the call, or no
	}{
		{"a call", Budget{What: Calls}, query, 1},
		{"rows are not known before", Budget{What: Rows}, query, 0},
		{"nor are bytes", Budget{What: Bytes}, deletion, 0},
		{"a read is no write", Budget{What: Writes}, query, no},
		{"nor is a query that leaves a mark", Budget{What: Writes}, marked, no},
		{"a deletion is one", Budget{What: Writes}, deletion, 1},
		{"and a delete", Budget{What: Deletes}, deletion, 1},
		{"each record of a call counts", Budget{What: Writes}, several, 3},
		{"and of deletes those that are deleted", Budget{What: Deletes}, several, 2},
		{"nobody knows that Apex writes nothing", Budget{What: Writes}, apex, 1},
		{"or deletes nothing", Budget{What: Deletes}, apex, 1},
		{"or is of another class", Budget{What: Calls, Classes: []Class{Delete}}, apex, 1},
		{"or reaches another object", Budget{What: Rows, Objects: []string{"Contact"}}, apex, 0},
		{"another class", Budget{What: Calls, Classes: []Class{Delete}}, query, no},
		{"its class", Budget{What: Calls, Classes: []Class{Read, Delete}}, query, 1},
		{"another object", Budget{What: Rows, Objects: []string{"Account"}}, query, no},
		{"its object, in whatever case", Budget{What: Rows, Objects: []string{"contact"}}, query, 0},
		{"a pattern", Budget{What: Rows, Objects: []string{"Con*"}}, query, 0},
		{"one of several objects", Budget{What: Deletes, Objects: []string{"Contact"}}, several, 2},
		{"records seen through their history", Budget{What: Rows, Objects: []string{"Contact"}}, history, 0},
	} {
		got := int64(no)
		if test.b.Counts(&test.d) {
			got = test.b.Before(&test.d)
		}
		if got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// Every part of a budget is part of the policy's version.
func TestVersionHasBudgets(t *testing.T) {
	base := Budget{Who: EachUser, What: Calls, Window: Day, Limit: 5}
	seen := map[string]string{(&Policy{Name: "p"}).Version(): "none"}
	for name, change := range map[string]func(*Budget){
		"as it is": func(*Budget) {}, "who": func(b *Budget) { b.Who = AllParties }, "what": func(b *Budget) { b.What = Rows },
		"window": func(b *Budget) { b.Window = Hour }, "zone": func(b *Budget) { b.Zone = "Europe/Berlin" }, "limit": func(b *Budget) { b.Limit = 6 },
		"alarm": func(b *Budget) { b.AlarmAt = 0.5 }, "classes": func(b *Budget) { b.Classes = []Class{Read} }, "objects": func(b *Budget) { b.Objects = []string{"Account"} },
	} {
		b := base
		change(&b)
		version := (&Policy{Name: "p", Budgets: []Budget{b}}).Version()
		if other := seen[version]; other != "" {
			t.Errorf("%s has the version of %s", name, other)
		}
		seen[version] = name
	}
}

func TestAlarmLevel(t *testing.T) {
	for _, test := range []struct {
		limit Amount
		at    float64
		want  int64
	}{{10, 0, 8}, {5, 0, 4}, {1, 0, 1}, {10, 1, 10}, {10, 0.01, 1}, {1000, 0.5, 500}} {
		if got := (&Budget{Limit: test.limit, AlarmAt: test.at}).AlarmLevel(); got != test.want {
			t.Errorf("%v of %d: %d, want %d", test.at, test.limit, got, test.want)
		}
	}
}

// FW-30: a budget that would count something else than its writer meant is refused; what may
// be left out, and each bound itself, is not.
func TestFW30BudgetsThatCountNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Budget)
		want   string // in the only problem; empty: there is none
	}{
		"as it should be":      {func(*Budget) {}, ""},
		"alarm left out":       {func(b *Budget) { b.AlarmAt = 0 }, ""},
		"alarm at the limit":   {func(b *Budget) { b.AlarmAt = 1 }, ""},
		"alarm beyond it":      {func(b *Budget) { b.AlarmAt = 1.01 }, "alarm_at: found 1.01"},
		"alarm below nothing":  {func(b *Budget) { b.AlarmAt = -0.1 }, "alarm_at: found -0.1"},
		"alarm at no number":   {func(b *Budget) { b.AlarmAt = math.NaN() }, "alarm_at: found NaN"},
		"a zone":               {func(b *Budget) { b.Zone = "Europe/Berlin" }, ""},
		"no zone of this name": {func(b *Budget) { b.Zone = "Europe/Bonn" }, `time_zone: found "Europe/Bonn"`},
		"a zone for an hour":   {func(b *Budget) { b.Zone, b.Window = "Europe/Berlin", Hour }, "expected it only for window day"},
		"one":                  {func(b *Budget) { b.Limit = 1 }, ""},
		"none":                 {func(b *Budget) { b.Limit = 0 }, "limit: found 0"},
		"as many as can be":    {func(b *Budget) { b.Limit = maxLimit }, ""},
		"more":                 {func(b *Budget) { b.Limit = maxLimit + 1 }, "limit: found"},
		"of nobody":            {func(b *Budget) { b.Who = "everybody" }, `who: found "everybody"`},
		"of nothing":           {func(b *Budget) { b.What = "" }, `what: found ""`},
		"in a week":            {func(b *Budget) { b.Window = "week" }, `window: found "week"`},
		"empty classes":        {func(b *Budget) { b.Classes = []Class{} }, "classes: found an empty list"},
		"a class twice":        {func(b *Budget) { b.Classes = []Class{Read, Read} }, `classes[1]: found "read" a second time`},
		"writes that read":     {func(b *Budget) { b.What, b.Classes = Writes, []Class{Read} }, "which are no writes"},
		"empty objects":        {func(b *Budget) { b.Objects = []string{} }, "objects: found an empty list"},
		"an object twice":      {func(b *Budget) { b.Objects = []string{"Account", "Account"} }, `objects[1]: found "Account" a second time`},
	} {
		p := given(allow())
		p.Budgets = []Budget{{Who: parties[0], What: Calls, Window: Day, Limit: 10, AlarmAt: 0.5}}
		test.change(&p.Budgets[0])
		problems := p.Validate()
		switch {
		case test.want == "" && problems != nil:
			t.Errorf("%s: %v", name, problems)
		case test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), test.want)):
			t.Errorf("%s: %v, want %q", name, problems, test.want)
		}
	}
}
