package notice

import (
	"fmt"
	"slices"
	"testing"
)

// told compares what a target got, in its order, as event, id and state.
func (o *office) told(what, target string, want ...string) {
	o.t.Helper()
	var got []string
	for _, m := range o.got[target] {
		got = append(got, fmt.Sprintf("%s %s %s", m.Event, m.Approval, m.State))
	}
	if !slices.Equal(got, want) {
		o.t.Errorf("%s: %s got %q, want %q", what, target, got, want)
	}
}

// A call that comes between the look of one process and what that looks at next is not told to be over,
// and its end is told.
func TestEndIsToldAfterIt(t *testing.T) {
	o := newOffice(t)
	target := o.target("all", []Event{Requested, Decided})
	a, b := o.courier(target), o.courier(target)
	o.looked = func() {
		o.looked = nil
		o.waiting["apr_1"] = []string{"security"}
		if err := b.fill(t.Context()); err != nil { // the other process looks
			t.Fatal(err)
		}
	}
	o.turn(a)
	o.told("while it waits", "all", "approval.requested apr_1 pending")
	delete(o.waiting, "apr_1")
	for range 3 {
		o.turn(a)
		o.turn(b)
	}
	o.told("in the end", "all", "approval.requested apr_1 pending", "approval.decided apr_1 approved")
}

// A call for which a target's role has agreed, and another role has not, is not over.
func TestHalfAgreedIsNotTheEnd(t *testing.T) {
	o := newOffice(t)
	k := o.courier(o.target("sales", []Event{Requested, Decided}, "sales-ops"))
	o.waiting["apr_1"] = []string{"sales-ops", "security"}
	o.turn(k)
	o.waiting["apr_1"] = []string{"security"}
	o.turn(k)
	o.told("half agreed", "sales", "approval.requested apr_1 pending")
	delete(o.waiting, "apr_1")
	o.turn(k)
	o.told("in the end", "sales", "approval.requested apr_1 pending", "approval.decided apr_1 approved")
}

// That a call is over is not sent while it waits, whoever queued it, and is sent once it is.
func TestEndWaitsForTheEnd(t *testing.T) {
	o := newOffice(t)
	k := o.courier(o.target("all", []Event{Requested, Decided}))
	o.waiting["apr_1"] = []string{"security"}
	if err := k.add(t.Context(), "all", Decided, "apr_1", ""); err != nil {
		t.Fatal(err)
	}
	o.turn(k)
	o.told("while it waits", "all", "approval.requested apr_1 pending")
	delete(o.waiting, "apr_1")
	o.pass(pauses[0])
	o.turn(k)
	o.told("in the end", "all", "approval.requested apr_1 pending", "approval.decided apr_1 approved")
}

// A call that waits again after it was approved is told of again, and so is how that ends.
func TestWaitsAgain(t *testing.T) {
	o := newOffice(t)
	k := o.courier(o.target("all", []Event{Requested, Decided}))
	ids := map[string]bool{}
	var want []string
	for n := range 3 {
		o.waiting["apr_1"], o.again["apr_1"] = []string{"security"}, n
		o.turn(k)
		o.turn(o.courier(k.targets...))
		delete(o.waiting, "apr_1")
		o.turn(k)
		o.turn(o.courier(k.targets...))
		want = append(want, "approval.requested apr_1 pending", "approval.decided apr_1 approved")
		o.told(fmt.Sprint(n, " times again"), "all", want...)
	}
	for _, m := range o.got["all"] {
		ids[m.ID] = true
	}
	if len(ids) != len(want) {
		t.Errorf("%d messages have the ids %v", len(want), ids)
	}
	first, again := o.got["all"][0], o.got["all"][2]
	if first.Title() != "Change of Account in PRODUCTION waits for approval" || slices.ContainsFunc(first.Lines(), func(l [2]string) bool { return l[0] == "Again" }) {
		t.Errorf("first %q %q", first.Title(), first.Lines())
	}
	if again.Title() != "Change of Account in PRODUCTION waits for approval again" ||
		!slices.Contains(again.Lines(), [2]string{"Again", "it was approved, and the record has changed in Salesforce since"}) {
		t.Errorf("again %q %q", again.Title(), again.Lines())
	}
}

// Of what happened while a target took nothing, it is told what is true in the end: that the call waits,
// or how it ended, once.
func TestWaitsAgainMeanwhile(t *testing.T) {
	for name, tt := range map[string]struct {
		ends, seen bool // the second wait; some process looked while it lasted
		want       string
	}{
		"it waits":                  {false, true, "approval.requested apr_1 pending"},
		"it was decided again":      {true, true, "approval.decided apr_1 approved"},
		"nobody saw it wait again":  {true, false, "approval.decided apr_1 approved"},
		"nobody has seen it so far": {false, false, "approval.requested apr_1 pending"},
	} {
		o := newOffice(t)
		k := o.courier(o.target("all", []Event{Requested, Decided}))
		fill := func() {
			t.Helper()
			if err := k.fill(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		o.waiting["apr_1"] = []string{"security"}
		fill()
		delete(o.waiting, "apr_1")
		fill()
		o.waiting["apr_1"], o.again["apr_1"] = []string{"security"}, 1
		if tt.seen {
			fill()
		}
		if tt.ends {
			delete(o.waiting, "apr_1")
		}
		for range 3 {
			o.turn(k)
		}
		o.told(name, "all", tt.want)
		if rows, err := List(t.Context(), o.db, false); err != nil || len(rows) != 0 {
			t.Errorf("%s: %d messages are left, %v: %+v", name, len(rows), err, rows)
		}
	}
}
