package approval

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
)

// What people saw names every value that a page shows as current, and nothing else.
func TestShownTellsValuesApart(t *testing.T) {
	t.Parallel()
	field := func(name, now string) CurrentField {
		return CurrentField{Name: name, Now: jsontext.Value(now), Then: jsontext.Value(`1`)}
	}
	of := func(fields ...CurrentField) Current {
		return Current{Records: []CurrentRecord{{ID: "001A", Name: "Acme"}}, Fields: fields}
	}
	unknown := CurrentField{Name: "A", Then: jsontext.Value(`1`)}
	hidden := unknown
	hidden.Hidden = true
	seen := map[Shown]int{}
	for i, c := range []Current{
		of(), of(field("A", `1`)), of(field("A", `1.0`)), of(field("A", `"1"`)), of(field("A", `null`)), of(field("A", `""`)), of(unknown), of(hidden),
		of(field("B", `1`)), of(field("A", `1`), field("B", `1`)), of(field("A", `12345678901234567`)), of(field("A", `12345678901234568`)),
		{}, {Records: []CurrentRecord{{ID: "001A", Name: ""}}}, {Records: []CurrentRecord{{ID: "001B", Name: "Acme"}}},
		{Hanging: []CurrentChildren{{"Cases", 1, false}}}, {Hanging: []CurrentChildren{{"Cases", 1, true}}}, {Hanging: []CurrentChildren{{"Cases", 2, false}}},
		{Hanging: []CurrentChildren{{"Tasks", 1, false}}}, {Uncounted: []string{"Cases"}}, {Uncounted: []string{"Cases", "Tasks"}},
		{Missing: "no such record", Absent: true},
	} {
		name := c.Shown()
		if other, twice := seen[name]; twice || !name.Binds() {
			t.Errorf("%d is named like %d, or binds nothing: %q", i, other, name)
		}
		seen[name] = i
	}
	then := of(field("A", `1`))
	then.Fields[0].Then = jsontext.Value(`2`)
	if was := of(field("A", `1`)); then.Shown() != was.Shown() {
		t.Error("what the call sets is named")
	}
	for _, c := range []Current{{New: true}, {New: true, Records: []CurrentRecord{{ID: "001A", Name: "Acme"}}}, {New: true, Missing: "no answer"}} {
		if c.Shown() != ShownNothing {
			t.Errorf("%+v, which is of no record yet, is %q", c, c.Shown())
		}
	}
	if c := (Current{Missing: "no answer"}); c.Shown() != ShownUnread || c.Shown().Binds() || ShownNothing.Binds() {
		t.Errorf("what was not read is %q", c.Shown())
	}
}

// SR-AP-3: an approval is spent only while the record is what those who agreed saw. Whoever saw
// something else does not count any more, and the request waits for them alone.
func TestApprovalsBindWhatWasShown(t *testing.T) {
	t.Parallel()
	const before, after = Shown("before"), Shown("after")
	for name, test := range map[string]struct {
		ann, bob, now Shown
		allow         bool
		want          error
		left          string // who still counts
	}{
		"the same":                      {ann: before, bob: before, now: before},
		"another":                       {ann: before, bob: before, now: after, want: ErrChanged},
		"of one":                        {ann: before, bob: after, now: after, want: ErrChanged, left: "bob"},
		"of one, the other saw nothing": {ann: before, bob: ShownUnread, now: after, want: ErrChanged, left: "bob"},
		"it is gone":                    {ann: before, bob: before, now: shownAbsent, want: ErrChanged},
		"it is there again":             {ann: shownAbsent, bob: shownAbsent, now: after, want: ErrChanged},
		"it cannot be read":             {ann: before, bob: before, now: ShownUnread, want: ErrUnread},
		"nobody has read it":            {ann: before, bob: before, now: ShownNothing, want: ErrUnread},
		"nobody saw it":                 {ann: ShownUnread, bob: ShownNothing, now: after},
		"nobody saw it, nobody read it": {ann: ShownUnread, bob: ShownNothing},
		"another, which is allowed":     {ann: before, bob: before, now: after, allow: true},
		"cannot be read, and need not":  {ann: before, bob: before, now: ShownUnread, allow: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newStore(t)
			s.people = &town{roles: map[string][]string{"ann": {"a"}, "bob": {"b"}}}
			b := binding("Acme").by("role:a and role:b")
			b.Confirmation.AllowChanged = test.allow
			r := submit(t, s, b)
			agree := func(human, role string, saw Shown) {
				t.Helper()
				if _, err := s.Approve(t.Context(), r.ID, Decision{By: actor.User(human), Human: human, Factor: role, Role: role, Shown: saw}); err != nil {
					t.Fatal(err)
				}
			}
			agree("ann", "a", test.ann)
			agree("bob", "b", test.bob)
			_, err := s.SpendShown(t.Context(), b, test.now)
			if !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Fatalf("spending: %v, want %v", err, test.want)
			}
			now, err := s.Get(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == nil && now.State != Spent, errors.Is(test.want, ErrUnread) && (now.State != Approved || now.Reopened != ""):
				t.Errorf("it is %+v", now)
			case errors.Is(test.want, ErrChanged):
				if now.State != Pending || now.Reopened != Changed || now.Reopenings != 1 || (len(now.Decisions) == 1) != (test.left != "") || test.left != "" && now.Decisions[0].Human != test.left {
					t.Errorf("it is %+v", now)
				}
				agree("ann", "a", test.now)
				if test.left == "" {
					agree("bob", "b", test.now)
				}
				if spent, err := s.SpendShown(t.Context(), b, test.now); err != nil || spent.Decisions[0].Shown == before {
					t.Errorf("after another look: %+v, %v", spent, err)
				}
			}
		})
	}
}

// S7: what somebody saw is authentic, or they have not decided.
func TestS7WhatWasShownIsCovered(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	r := submit(t, s, binding("Acme"))
	by := actor.User("005A")
	if _, err := s.Approve(t.Context(), r.ID, Decision{By: by, Human: "ann", Shown: "before"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Writes.Exec(`UPDATE approval_decisions SET shown = 'after'`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SpendShown(t.Context(), binding("Acme"), "after"); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spent with another record: %v", err)
	}
	if now, err := s.Get(t.Context(), r.ID); err != nil || now.State != Void {
		t.Errorf("it is %+v, %v", now, err)
	}
}
