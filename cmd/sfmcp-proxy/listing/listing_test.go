package listing

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
)

// printed is what a listing prints for people and for programs.
func printed(t *testing.T, print func(Printer) error) (table, lines string) {
	t.Helper()
	for _, asJSON := range []bool{false, true} {
		var out, notes bytes.Buffer
		if err := print(Printer{Out: &out, Notes: &notes, JSON: asJSON}); err != nil {
			t.Fatal(err)
		}
		if asJSON {
			lines = out.String() + notes.String()
		} else {
			table = out.String() + notes.String()
		}
	}
	return table, lines
}

// A login that fails stands below the table with what to change, and in its own members for
// programs; a name that would be obeyed by a terminal is written out.
func TestUsersWithALoginThatFails(t *testing.T) {
	t.Parallel()
	seen := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	u := User{grant.User{Org: "acme", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Name: "\x1b[31mRep", LastSeenAt: seen},
		link.Status{State: link.NeedsReauth, Failure: link.Failure{Kind: salesforce.Dead, Lost: true, Hint: "sign in again"}}}
	table, lines := printed(t, func(p Printer) error { return p.Users([]User{u}) })
	for _, want := range []string{"SALESFORCE LOGIN", `\x1b[31mRep`, "rep@acme.example (005xx000001Sv6AAAS) in org acme", "sign in again"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	var row struct {
		LastSeen   string `json:"last_seen"`
		LoginEnded string `json:"login_ended"`
		LoginClass string `json:"login_class"`
	}
	if err := json.Unmarshal([]byte(lines), &row); err != nil || row.LastSeen != "2026-01-31T08:00:00Z" || row.LoginEnded != "" || row.LoginClass != "lost" {
		t.Errorf("%+v, %v in %s", row, err, lines)
	}
}

// Nothing to list is no line for programs, and is said to people beside the listing.
func TestNothingToList(t *testing.T) {
	t.Parallel()
	if table, lines := printed(t, func(p Printer) error { return p.Grants(nil) }); table != "none\n" || lines != "" {
		t.Errorf("%q, %q", table, lines)
	}
}

// Whoever may not use a server is denied there, whatever the policy allows.
func TestDecisionOutsideTheServersGroups(t *testing.T) {
	t.Parallel()
	d := Decision{Decision: policy.Decision{Effect: policy.Allow, Rule: 2, Class: policy.Read}, Policy: "p", Listed: true}
	if table, _ := printed(t, func(p Printer) error { return p.Decision(d) }); !strings.HasPrefix(table, "ALLOW\n") || !strings.Contains(table, "listed:  true") {
		t.Errorf("%s", table)
	}
	d.Outside = true
	table, lines := printed(t, func(p Printer) error { return p.Decision(d) })
	if !strings.HasPrefix(table, "DENY\n") || !strings.Contains(table, "listed:  false") || !strings.Contains(lines, `"rule":0`) {
		t.Errorf("%s%s", table, lines)
	}
}
