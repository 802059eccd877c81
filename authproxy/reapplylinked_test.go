package authproxy

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/people"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// SR-ST-4: whatever ended a user, the company sign-in of the same human has ended with it, and stays so when the
// database is put back; what they began after a revocation stays.
func TestSRST4PutBackDatabaseRevivesNoLinkedSignIn(t *testing.T) {
	t.Parallel()
	const idp = "https://id.example"
	for name, c := range map[string]struct {
		end     func(ctx context.Context, f *fixture) error
		younger bool // whether a sign-in that is younger stays
	}{
		"revoked": {younger: true, end: func(ctx context.Context, f *fixture) error {
			_, err := f.Cutoff.RevokeUser(ctx, "acme", sim.RepID, byAdmin)
			return err
		}},
		"blocked": {end: func(ctx context.Context, f *fixture) error {
			_, err := f.Cutoff.BlockUser(ctx, "acme", sim.RepID, byAdmin)
			return err
		}},
		"erased": {end: func(ctx context.Context, f *fixture) error {
			_, err := f.Cutoff.EraseSubject(ctx, "acme", sim.RepID, byAdmin)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, change{})
			f.connect(t, sim.RepUsername, sim.RepPassword)
			store := f.Cutoff.People
			signIn := func(subject string) string {
				t.Helper()
				id, err := store.Start(t.Context(), company.Identity{Issuer: idp, Subject: subject, CheckedAt: f.clock.Now()}, "", math.MaxInt64)
				mustDo(t, err)
				return id
			}
			lives := func(what, id string, want bool) {
				t.Helper()
				if _, err := store.Current(t.Context(), id); (err == nil) != want || err != nil && !errors.Is(err, people.ErrNoSession) {
					t.Errorf("%s: %v", what, err)
				}
			}
			ann, bob := signIn("ann"), signIn("bob")
			mustDo(t, store.Link(t.Context(), people.Link{Org: "acme", Subject: sim.RepID, Issuer: idp, Person: "ann"}))
			restore := f.keepDatabase(t, "company_people", "company_sessions", "human_links", "browser_sessions", "audit_persons")
			f.clock.Add(time.Second)
			mustDo(t, c.end(t.Context(), f))
			lives("when it is done", ann, false)
			f.clock.Add(time.Second)
			restore()
			lives("put back", ann, true)
			younger := signIn("ann")
			if n, err := reapplied(t, f, 0); err != nil || n == 0 {
				t.Errorf("Reapply = %d, %v", n, err)
			}
			lives("after it", ann, false)
			lives("younger", younger, c.younger)
			lives("of somebody else", bob, true)
			if n, err := reapplied(t, f, 0); err != nil || n != 0 {
				t.Errorf("a second time: %d, %v", n, err)
			}
		})
	}
}

// SR-ST-4: an entry of a revocation that names nobody ends nothing of anybody.
func TestSRST4RevocationOfNobodyIsNotApplied(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	f.clock.Add(time.Second)
	_, err := f.Audit.Append(t.Context(), audit.Entry{Actor: byAdmin.By, Action: audit.UserRevoke, Outcome: audit.Failed, Status: "incomplete", Org: "acme"})
	mustDo(t, err)
	if n, err := reapplied(t, f, 0); err != nil || n != 0 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	f.opens(t, rep.access, true)
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
