package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withBudgets is a good configuration with these budgets.
func withBudgets(lines string) string {
	return with("    mode: enforce\n", "    mode: enforce\n    budgets:\n      - "+lines+"\n")
}

// A server counts what its policy has and what its org has; what is printed loads again.
func TestBudgets(t *testing.T) {
	t.Parallel()
	text := withBudgets(`{who: user, what: deletes, window: day, limit: 5, time_zone: Europe/Berlin}
      - {who: client, what: bytes, window: hour, limit: 50MiB, alarm_at: 0.5, classes: [read], objects: [Contact, Lead]}`)
	c, err := load(t, strings.Replace(text, "client_id: 3MVG9example", "client_id: x\n      daily_calls: 20000", 1))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range c.Counters()[c.Servers[0].Name] {
		got = append(got, k.Scope+": "+k.Name)
	}
	if want := []string{
		"policy read-only: deletes of each user a day in Europe/Berlin",
		"policy read-only: bytes of each client an hour, of classes read, of objects Contact, Lead",
		"org acme: calls of all users together a day",
	}; !slices.Equal(got, want) {
		t.Errorf("counted: %q", got)
	}
	if limit := c.Policies[0].Judge(nil).Budgets[1].Limit; limit != 50<<20 {
		t.Errorf("50MiB are %d bytes", limit)
	}
	var out strings.Builder
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	again, err := load(t, out.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if diff := cmp.Diff(c.Policies, again.Policies); diff != "" {
		t.Error(diff)
	}
}

func TestBadBudgets(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"{what: calls, window: day, limit: 5}":                                                                     "budgets[0].who",
		"{who: everybody, what: calls, window: day, limit: 5}":                                                     "budgets[0].who",
		"{who: user, what: call, window: day, limit: 5}":                                                           "budgets[0].what",
		"{who: user, what: calls, window: week, limit: 5}":                                                         "budgets[0].window",
		"{who: user, what: calls, window: day}":                                                                    "budgets[0].limit",
		"{who: user, what: calls, window: day, limit: 0}":                                                          "budgets[0].limit",
		"{who: user, what: calls, window: day, limit: -3}":                                                         "budgets[0].limit",
		"{who: user, what: calls, window: day, limit: 1.5}":                                                        "budgets[0].limit",
		"{who: user, what: calls, window: day, limit: 5 MB}":                                                       "budgets[0].limit",
		"{who: user, what: calls, window: day, limit: 5, alarm_at: 80}":                                            "budgets[0].alarm_at",
		"{who: user, what: calls, window: day, limit: 5, alarm_at: 0}":                                             "budgets[0].alarm_at",
		"{who: user, what: calls, window: day, limit: 5, alarm_at: .nan}":                                          "budgets[0].alarm_at",
		"{who: user, what: calls, window: day, limit: 5, time_zone: Berlin}":                                       "budgets[0].time_zone",
		"{who: user, what: calls, window: day, limit: 5, time_zone: Local}":                                        "budgets[0].time_zone",
		"{who: user, what: calls, window: hour, limit: 5, time_zone: UTC}":                                         "budgets[0].time_zone",
		"{who: user, what: calls, window: hour, limit: 5, classes: []}":                                            "budgets[0].classes",
		"{who: user, what: deletes, window: hour, limit: 5, classes: [update]}":                                    "budgets[0].classes[0]",
		"{who: user, what: calls, window: hour, limit: 5, objects: [Account.Name]}":                                "budgets[0].objects[0]",
		"{who: user, what: calls, window: hour, limit: 5, objects: [Account, Account]}":                            "budgets[0].objects[1]",
		"{who: user, what: calls, window: day, limit: 5, per: day}":                                                "budgets[0].per",
		"{who: user, what: calls, window: day, limit: 5}\n      - {who: user, what: calls, window: day, limit: 6}": "budgets[1]",
	} {
		_, err := load(t, withBudgets(line))
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), "policies[0]."+want) {
			t.Errorf("%s: %v, want a problem of %s", line, err, want)
		}
	}
}
