package mcpforward

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/condition"
)

// A rule with a condition decides by the moment of each call and by its arguments. What it
// denies is not sent, and the refusal says from when it may be.
func TestConditionsDecideCallByCall(t *testing.T) {
	t.Parallel()
	const minute = "2006-01-02 15:04"
	begins := time.Now().UTC().Add(2 * time.Minute).Truncate(time.Minute)
	ends := begins.Add(5 * time.Minute)
	freeze, faults := condition.ParseCalendar("change-freeze", "UTC", nil, []string{begins.Format(minute) + " to " + ends.Format(minute)})
	if faults != nil {
		t.Fatal(faults)
	}
	var at atomic.Pointer[time.Time]
	start := begins.Add(-time.Second)
	at.Store(&start)
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "frozen", Calendars: []*condition.Calendar{freeze}, Rules: []policy.Rule{
			{Effect: policy.Deny, Classes: []policy.Class{policy.Create}, When: `during("change-freeze")`},
			{Effect: policy.Deny, Classes: []policy.Class{policy.Create}, When: `server == "sales" && has(arguments.body.Name) && arguments.body.Name == "Forbidden"`},
			{Effect: policy.Allow, Classes: []policy.Class{policy.Read, policy.Create}},
		}}
		c.Now = func() time.Time { return *at.Load() }
	})
	c := rep(w)
	create := func(name string) *answer {
		return c.create(`{"sobject-name":"Account","body":{"Name":"` + name + `"}}`)
	}
	if a := create("Before"); a.failed() {
		t.Fatalf("before the freeze: %s", a.body)
	}
	if a := create("Forbidden"); !a.failed() {
		t.Errorf("by its arguments: %s", a.body)
	}
	at.Store(&begins)
	until := "It may be from " + ends.Format("Monday, 2 January 2006, 15:04") + " (UTC)."
	if a := create("During"); !a.failed() || !strings.Contains(a.text(), until) {
		t.Errorf("in the freeze: %s", a.body)
	}
	at.Store(&ends)
	if a := create("After"); a.failed() {
		t.Errorf("after the freeze: %s", a.body)
	}
	for name, want := range map[string]int{"Before": 1, "Forbidden": 0, "During": 0, "After": 1} {
		if n := w.accounts(name); n != want {
			t.Errorf("%d accounts %s at Salesforce, want %d", n, name, want)
		}
	}
}
