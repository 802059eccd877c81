package roster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
)

// Beside the own log are those that are open, and those that were closed since; one whose row was changed is never
// taken for closed.
func TestBesideTheOwnLog(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b", "c")
	hosts := func(since time.Time) string {
		t.Helper()
		logs, err := all[0].roster.Beside(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(Hosts(logs), " ")
	}
	if got := hosts(f.now()); got != "b c" {
		t.Errorf("open: %q", got)
	}
	f.pass(silence + time.Second)
	if _, err := all[0].roster.Close(t.Context(), all[1].origin(), actor.Operator("sam", ""), "gone"); err != nil {
		t.Fatal(err)
	}
	if got := hosts(f.now().Add(-time.Hour)); got != "b c" {
		t.Errorf("closed within the time: %q", got)
	}
	if got := hosts(f.now().Add(time.Hour)); got != "c" {
		t.Errorf("closed before the time: %q", got)
	}
	all[0].exec(`UPDATE audit_logs SET closed_at = 1, closed_why = 'x' WHERE origin = $1`, all[2].origin())
	if got := hosts(f.now().Add(time.Hour)); got != "c" {
		t.Errorf("closed by hand: %q", got)
	}
	var many []Log
	for i := range 30 {
		many = append(many, Log{Host: fmt.Sprintf("h%02d", i/2)})
	}
	if names := Hosts(many); len(names) != namedHosts+1 || names[namedHosts] != "5 more" || InWords(names[:2]) != "h00 and h01" {
		t.Errorf("%q", names)
	}
}

// A name is of the log that claimed it first, for every replica; of many the oldest are forgotten.
func TestOneLogClaimsAName(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b", "c")
	a, b := all[0].roster, all[1].roster
	won := make(chan bool, len(all))
	for _, r := range all {
		go func() {
			c, err := r.roster.Claim(t.Context(), "review", "spring")
			if err != nil {
				t.Error(err)
			}
			won <- c.Own
		}()
	}
	if first, second, third := <-won, <-won, <-won; first && second || first && third || second && third || !first && !second && !third {
		t.Errorf("claimed by %t, %t, %t", first, second, third)
	}
	had, _, err := a.Claimed(t.Context(), "review", "spring")
	for _, r := range all { // whoever comes later changes nothing
		if c, claimErr := r.roster.Claim(t.Context(), "review", "spring"); err != nil || claimErr != nil || c.Origin != had.Origin || c.Own != (c.Origin == r.origin()) {
			t.Errorf("%s claims %+v after %+v, %v, %v", r.name, c, had, err, claimErr)
		}
	}
	f.pass(time.Minute)
	for range 2 { // again, it is still its own
		if c, err := a.Claim(t.Context(), "review", "autumn"); err != nil || !c.Own || c.Origin != all[0].origin() || !c.At.Equal(f.now()) {
			t.Errorf("%+v, %v", c, err)
		}
	}
	if c, has, err := b.Claimed(t.Context(), "review", "autumn"); err != nil || !has || c.Own || c.Host != "a" {
		t.Errorf("%+v, %t, %v", c, has, err)
	}
	if _, has, err := b.Claimed(t.Context(), "other", "autumn"); err != nil || has {
		t.Errorf("of another kind: %t, %v", has, err)
	}
	there, err := b.Claims(t.Context(), "review", 1)
	if err != nil || len(there) != 1 || there[0].Name != "autumn" || there[0].Host != "a" {
		t.Errorf("%+v, %v", there, err)
	}
	if own, err := a.Claims(t.Context(), "review", 9); err != nil || slices.ContainsFunc(own, func(c Claim) bool { return c.Own }) {
		t.Errorf("of others: %+v, %v", own, err)
	}
	if all[0].exec(`INSERT INTO meta (name, value) SELECT 'claim many n' || i, lpad(CAST(i AS TEXT), 13, '0') || ' x' FROM generate_series(1, 1005) AS i`); t.Failed() {
		return
	}
	if _, err := a.Claim(t.Context(), "many", "newest"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := all[0].db.Reads.QueryRow(`SELECT count(*) FROM meta WHERE name LIKE 'claim many %'`).Scan(&n); err != nil || n != maxClaims {
		t.Errorf("%d claims are kept, %v", n, err)
	}
}

// A database with one log has nothing beside it, and every name is its own.
func TestOneLogHasNothingBeside(t *testing.T) {
	_, all := newFleet(t, "a")
	for _, r := range []*Roster{nil, all[0].roster} {
		logs, err := r.Beside(t.Context(), time.Time{})
		if err != nil || len(logs) != 0 {
			t.Errorf("%v, %v", logs, err)
		}
		if c, err := r.Claim(t.Context(), "review", "x"); err != nil || !c.Own {
			t.Errorf("%+v, %v", c, err)
		}
	}
}
