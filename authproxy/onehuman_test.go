package authproxy

import (
	"math"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// Known people of the tests: ann is the representative at the company, joe nobody at Salesforce.
var (
	annThere = company.Identity{Issuer: idp, Subject: "a-77", Name: "Ann Arbor", Email: "ann@corp.example"}
	joeThere = company.Identity{Issuer: idp, Subject: "j-12", Name: "Joe Doe", Email: "Joe@corp.example"}
)

// newKnown is a board on which the people are those of a database.
func newKnown(t *testing.T) *board {
	t.Helper()
	b := newBoard(t)
	known := b.f.Cutoff.People
	for _, who := range []company.Identity{annThere, joeThere} {
		who.CheckedAt = b.f.clock.Now()
		if _, err := known.Start(t.Context(), who, "", math.MaxInt64); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range []grant.User{
		{Org: "acme", Subject: sim.RepID, Username: sim.RepUsername}, {Org: "beta", Subject: sim.RepID, Username: "rep@acme.example.beta"},
		{Org: "acme", Subject: sim.ManagerID, Username: sim.ManagerUsername},
	} {
		if err := b.f.Grants.SeeUser(t.Context(), u.Org, u.Subject); err != nil {
			t.Fatal(err)
		}
		if err := b.f.Grants.NameUser(t.Context(), u.Org, u.Subject, u.Username, "Somebody"); err != nil {
			t.Fatal(err)
		}
	}
	store, err := approval.New(approval.Config{DB: b.f.db, Ring: b.f.ring, Lifetime: 15 * time.Minute, Now: b.f.clock.Now, People: known})
	if err != nil {
		t.Fatal(err)
	}
	b.Approvals, b.People = store, known
	return b
}

// as is an operator who names somebody.
func as(name string) approval.Decider { return approval.Decider{Actor: actor.Operator("root", name)} }

// atCompany is somebody who signed in with the company.
func atCompany(i company.Identity) approval.Decider {
	p := people.Person{Identity: i}
	return approval.Decider{Actor: actor.Person(i.Issuer, i.Subject), Human: p.Human(), Roles: []string{"security", "sales-ops"}}
}

func linkAnn(t *testing.T, b *board) {
	t.Helper()
	if err := b.f.Cutoff.People.Link(t.Context(), people.Link{Org: "acme", Subject: sim.RepID, Issuer: idp, Person: annThere.Subject}); err != nil {
		t.Fatal(err)
	}
}

// AP-06: nobody agrees to a call of their own at the command line either, whichever of their names is
// given there; nor proposes another in its place. That they deny it stands.
func TestAP06NeverTheRequesterAtTheCommandLine(t *testing.T) {
	t.Parallel()
	b := newKnown(t)
	linkAnn(t, b)
	r := b.hold(call("Acme", policy.Rule{Approvers: "role:security"}), policy.Create)
	for _, name := range []string{
		sim.RepUsername, " " + strings.ToUpper(sim.RepUsername) + "\t", sim.RepID, sim.RepID[:15], "user " + sim.RepID, "rep@acme.example.beta",
		"ann@corp.example", "ANN@corp.example", "ａｎｎ@corp.example", "ann\u200d@corp.example", "Ann  Arbor", "a-77", "A-77", "person " + idp + " a-77",
	} {
		if got := b.approve(r.ID, as(name), ""); !strings.HasPrefix(got, "no: nobody agrees to a call of their own") {
			t.Errorf("as %q: %s", name, got)
		}
		if _, err := b.Counter(t.Context(), as(name), r.ID, []byte(`{"body":{"Amount":2,"Name":"Acme"}}`)); err == nil || !strings.Contains(err.Error(), string(errOwnCall)) {
			t.Errorf("as %q proposes: %v", name, err)
		}
	}
	for name, want := range map[string]int{sim.RepUsername: 0, "joe@corp.example": 1, "somebody else": 1} {
		if got, err := b.Waiting(t.Context(), as(name)); err != nil || len(got) != want {
			t.Errorf("for %q %d wait, %v", name, len(got), err)
		}
	}
	if got := b.approve(r.ID, as("joe@corp.example"), ""); got != "approved" {
		t.Errorf("somebody else: %s", got)
	}
	own := b.hold(call("Other", policy.Rule{Approvers: "role:security"}), policy.Create)
	if _, err := b.Decide(t.Context(), as(sim.RepUsername), own.ID, approval.Choice{}); err != nil {
		t.Errorf("denying: %v", err)
	}
	free := b.hold(call("Third", policy.Rule{}), policy.Create) // which its requester decides
	if got := b.approve(free.ID, as(sim.RepUsername), ""); got != "approved" {
		t.Errorf("what the requester decides: %s", got)
	}
}

// AP-06: one human counts once, on a page and by any of their names at the command line, in either order.
func TestAP06OneHumanOnceAtTheCommandLine(t *testing.T) {
	t.Parallel()
	for name, who := range map[string][2]approval.Decider{
		"page, then e-mail":         {atCompany(joeThere), as("joe@corp.example")},
		"e-mail, then page":         {as(" JOE@corp.example"), atCompany(joeThere)},
		"subject, then page":        {as("j-12"), atCompany(joeThere)},
		"e-mail, then subject":      {as("joe@corp.example"), as("j-12")},
		"page, then as a user":      {atCompany(joeThere), as(sim.ManagerUsername)},
		"as a user, then page":      {as(sim.ManagerID), atCompany(joeThere)},
		"as a user, then by e-mail": {as(sim.ManagerUsername), as("joe@corp.example")},
		"nobody known, and a blank": {as("one"), as("one ")},
		"nobody known, other case":  {as("One"), as("ONE")},
		"two blanks":                {as("no one"), as("no  one")},
	} {
		b := newKnown(t)
		if err := b.f.Cutoff.People.Link(t.Context(), people.Link{Org: "acme", Subject: sim.ManagerID, Issuer: idp, Person: joeThere.Subject}); err != nil {
			t.Fatal(err)
		}
		r := b.hold(call("Acme", policy.Rule{Approvers: "role:security", Quorum: 2}), policy.Create)
		if got := b.approve(r.ID, who[0], ""); got != "pending" {
			t.Fatalf("%s: %s", name, got)
		}
		if got, err := b.Waiting(t.Context(), who[1]); err != nil || len(got) != 0 {
			t.Errorf("%s: %d wait, %v", name, len(got), err)
		}
		if got := b.approve(r.ID, who[1], ""); got != "already" {
			t.Errorf("%s: %s", name, got)
		}
		if got := b.approve(r.ID, as("somebody else"), ""); got != "approved" {
			t.Errorf("%s, and somebody else: %s", name, got)
		}
		if _, err := b.Approvals.Spend(t.Context(), call("Acme", policy.Rule{Approvers: "role:security", Quorum: 2})); (err == nil) == (who[0].Human != "") {
			t.Errorf("%s: spent: %v", name, err) // whoever agreed on a page has the role no more
		}
	}
}

// AP-06: whoever proposed a call does not count for it, whichever of their names is given.
func TestAP06NeverTheAuthorAtTheCommandLine(t *testing.T) {
	t.Parallel()
	b := newKnown(t)
	for i, who := range [][2]approval.Decider{
		{as("joe@corp.example"), as("j-12 ")}, {as("j-12"), atCompany(joeThere)}, {atCompany(joeThere), as("Joe Doe")},
	} {
		r := b.hold(call(string(rune('A'+i)), policy.Rule{Approvers: "role:security"}), policy.Create)
		counter, err := b.Counter(t.Context(), who[0], r.ID, []byte(`{"body":{"Amount":2,"Name":"other `+string(rune('A'+i))+`"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.approve(counter.ID, who[1], ""); got != "no: "+string(errOwnProposal) {
			t.Errorf("%d: %s", i, got)
		}
	}
}

// AP-12: whom an operator named and who turns out to be who asked, or somebody who agreed, counts no
// more when the call is made.
func TestAP12TurnsOutToBeTheRequester(t *testing.T) {
	t.Parallel()
	b := newKnown(t)
	rule := policy.Rule{Approvers: "role:security"}
	r := b.hold(call("Acme", rule), policy.Create)
	if got := b.approve(r.ID, as("ann@corp.example"), ""); got != "approved" {
		t.Fatal(got)
	}
	linkAnn(t, b) // only now it is known who she is
	if _, err := b.Approvals.Spend(t.Context(), call("Acme", rule)); err == nil || !strings.Contains(err.Error(), "may no longer") {
		t.Errorf("spent: %v", err)
	}
}
