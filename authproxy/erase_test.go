package authproxy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// mentions returns the columns that have one of the texts.
func (f *fixture) mentions(t *testing.T, texts ...string) (found []string) {
	t.Helper()
	for _, table := range []string{"users", "grants", "codes", "access_tokens", "refresh_tokens", "links", "approvals", "company_sessions", "company_people", "human_links", "browser_sessions", "authorization_requests",
		"mcp_sessions", "audit_persons", "meta"} {
		rows, err := f.db.Reads.Query(`SELECT * FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			cells, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for i, cell := range cells {
				for _, text := range texts {
					if strings.Contains(fmt.Sprint(cell), text) {
						found = append(found, table+"."+columns[i])
					}
				}
			}
		}
	}
	return found
}

// GDPR article 17: after somebody was erased neither the database nor what the log can say has them;
// the log says what was done, under a pseudonym. Whoever they worked with stays as they were.
func TestAU15EraseSubject(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	_, manager := f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	done, err := f.Cutoff.EraseSubject(t.Context(), "acme", sim.RepID, Act{By: actor.Operator("root", ""), Why: "ticket 7"})
	if err != nil || done.Connections != 1 || done.Approvals != 1 || done.Entries == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	f.opens(t, rep.access, false)
	f.opens(t, manager.access, true)
	if left := f.mentions(t, sim.RepID, sim.RepUsername); len(left) > 0 {
		t.Errorf("the database still has them in %v", left)
	}
	n := 0
	if err := f.Audit.List(t.Context(), audit.Filter{}, func(e audit.Entry) error {
		if e.Subject == done.Pseudonym {
			n++
		}
		if text := fmt.Sprint(e); strings.Contains(text, sim.RepID) || strings.Contains(text, sim.RepUsername) {
			t.Errorf("the log still has them: %+v", e)
		}
		return nil
	}); err != nil || n != done.Entries+2 { // and the two about the erasure itself
		t.Errorf("%d entries under the pseudonym, said %d, %v", n, done.Entries, err)
	}
	if seen, err := f.Audit.Verify(t.Context()); err != nil {
		t.Errorf("%+v, %v", seen, err)
	}
	// Who signs in again is somebody new.
	_, again := f.connect(t, sim.RepUsername, sim.RepPassword)
	f.opens(t, again.access, true)
}

// Somebody who is blocked cannot come back by being erased.
func TestAU15ErasedSubjectStaysBlocked(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.RepUsername, sim.RepPassword)
	if _, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.EraseSubject(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if u, err := f.Grants.User(t.Context(), "acme", sim.RepID); err != nil || !u.Blocked() || u.Altered || u.Username != "" || u.Name != "" {
		t.Errorf("%+v, %v", u, err)
	}
	if left := f.mentions(t, sim.RepUsername); len(left) > 0 {
		t.Errorf("the name is still in %v", left)
	}
}

// SR-ST-4: a database that was put back to before somebody was erased gives nothing of them back, and
// an erasure that a process did not end is ended.
func TestSRST4PutBackDatabaseErasesAgain(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]bool{"put back": false, "not ended": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, change{})
			_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
			_, manager := f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
			restore := f.keepDatabase(t, "audit_persons")
			f.clock.Add(time.Second)
			if crash {
				func() {
					defer func() { _ = recover() }()
					_, _ = f.Audit.Persons().Erase(t.Context(), "acme", sim.RepID, audit.Erasure{By: actor.Proxy}, func(context.Context) error { panic("killed") })
				}()
			} else if _, err := f.Cutoff.EraseSubject(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
				t.Fatal(err)
			} else {
				restore()
			}
			f.opens(t, rep.access, true)
			if n, err := reapplied(t, f, 0); err != nil || n == 0 {
				t.Errorf("Reapply = %d, %v", n, err)
			}
			f.opens(t, rep.access, false)
			f.opens(t, manager.access, true)
			if left := f.mentions(t, sim.RepID, sim.RepUsername); len(left) > 0 {
				t.Errorf("the database still has them in %v", left)
			}
			if n, err := reapplied(t, f, 0); err != nil || n != 0 {
				t.Errorf("a second time: %d, %v", n, err)
			}
			// What came after the erasure stays.
			_, again := f.connect(t, sim.RepUsername, sim.RepPassword)
			if n, err := reapplied(t, f, 0); err != nil || n != 0 {
				t.Errorf("a third time: %d, %v", n, err)
			}
			f.opens(t, again.access, true)
		})
	}
}

// SR-ST-4: a block holds against a database that was put back to before anything of the person was
// stored: without their key nothing but the pseudonym is known until they sign in.
func TestSRST4BlockHoldsWithoutTheKey(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	restore := f.keepDatabase(t, "audit_persons")
	if _, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Fatal(err)
	}
	restore()
	f.Audit.Persons().Forget()
	if n, err := reapplied(t, f, 0); err != nil || n != 1 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	if n, err := reapplied(t, f, 0); err != nil || n != 0 {
		t.Errorf("a second time: %d, %v", n, err)
	}
	if q := f.logInAs(t, f.browser(), sim.RepUsername, sim.RepPassword); q.Get("error") != accessDenied {
		t.Errorf("signing in gives %v", q)
	}
	f.wantAudited(t, audit.LoginFinish, audit.Denied, "user_blocked")
	if u, err := f.Grants.User(t.Context(), "acme", sim.RepID); err != nil || !u.Blocked() {
		t.Errorf("%+v, %v", u, err)
	}
	users, err := f.Grants.Users(t.Context())
	if err != nil || len(users) != 1 {
		t.Errorf("%+v, %v", users, err)
	}
	if n, err := reapplied(t, f, 0); err != nil || n != 0 {
		t.Errorf("after the sign-in: %d, %v", n, err)
	}
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Fatal(err)
	}
	f.connect(t, sim.RepUsername, sim.RepPassword)
}
