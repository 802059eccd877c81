package authproxy

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/people"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// signInPerson signs somebody in with the company, as the sign-in does.
func (f *fixture) signInPerson(t *testing.T, subject string) string {
	t.Helper()
	who := company.Identity{Issuer: idp, Subject: subject, Name: "Name of " + subject, CheckedAt: f.clock.Now(), AuthTime: f.clock.Now()}
	var id string
	if err := f.Audit.Call(t.Context(), audit.Entry{Actor: actor.Person(idp, subject), Action: audit.SessionCreate}, func(context.Context) (r audit.Result, err error) {
		id, err = f.Cutoff.People.Start(t.Context(), who, "", math.MaxInt64)
		return r, err
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

func (f *fixture) linkPerson(t *testing.T, subject string) {
	t.Helper()
	if err := f.Cutoff.People.Link(t.Context(), people.Link{Org: "acme", Subject: sim.RepID, Issuer: idp, Person: subject}); err != nil {
		t.Fatal(err)
	}
}

// GDPR article 17, for somebody who signs in with the company: the database and the log have
// them no more, and a database that was put back gives nothing of them back.
func TestAU15ErasePersonOfTheCompany(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.signInPerson(t, "sam")
	other := f.signInPerson(t, "ann")
	f.linkPerson(t, "sam")
	restore := f.keepDatabase(t, "audit_persons")
	done, err := f.Cutoff.ErasePerson(t.Context(), idp, "sam", byAdmin)
	if err != nil || done.Sessions != 1 || done.Entries == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	check := func(when string) {
		t.Helper()
		if left := f.mentions(t, "sam"); len(left) > 0 {
			t.Errorf("%s: the database has them in %v", when, left)
		}
		if err := f.Audit.List(t.Context(), audit.Filter{}, func(e audit.Entry) error {
			if strings.Contains(fmt.Sprint(e), "sam") {
				t.Errorf("%s: the log has them: %+v", when, e)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if p, err := f.Cutoff.People.Current(t.Context(), other); err != nil || p.Subject != "ann" {
			t.Errorf("%s: somebody else: %+v, %v", when, p, err)
		}
	}
	check("erased")
	restore()
	f.Audit.Persons().Forget()
	if n, err := reapplied(t, f, 0); err != nil || n == 0 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	check("put back")
}

// Whoever is blocked as a Salesforce user is blocked as the person of the company who they are
// by a link: signed out, and without a role, until they are unblocked, also when they were erased
// meanwhile and signed in again.
func TestAD09BlockedUserHasNoRoleOfTheCompany(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.RepUsername, sim.RepPassword)
	first := f.signInPerson(t, "sam")
	f.linkPerson(t, "sam")
	human := company.Human(idp, "sam")
	has := func(when, session string, want bool) {
		t.Helper()
		held, err := f.Cutoff.People.Holds(t.Context(), human, people.Security)
		if err != nil || held != want {
			t.Errorf("%s: holds the role: %v, %v", when, held, err)
		}
		if p, err := f.Cutoff.People.Current(t.Context(), session); err != nil || len(p.Roles) > 0 != want || p.Blocked == want {
			t.Errorf("%s: %+v, %v", when, p, err)
		}
	}
	has("before", first, true)
	ended, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.RepID, byAdmin)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := f.Cutoff.People.Current(t.Context(), first); err == nil || ended.Sessions == 0 {
		t.Errorf("still signed in: %+v, %+v", p, ended)
	}
	has("signed in again", f.signInPerson(t, "sam"), false)
	if _, err := f.Cutoff.EraseSubject(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.ErasePerson(t.Context(), idp, "sam", byAdmin); err != nil {
		t.Fatal(err)
	}
	last := f.signInPerson(t, "sam")
	has("erased", last, false)
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Fatal(err)
	}
	has("unblocked", last, true)
}
