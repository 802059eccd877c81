package approval

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// FT-39: a decision that a newer version has recorded, with a word that this one does not know, does
// not let a call be made.
func TestFaultFT39DecisionsOfALaterVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		approvers string
		decision  Decision
		as        error
	}{
		"as now":                  {"requester", agreed(actor.User("rep")), nil},
		"another kind of decider": {"requester", Decision{By: actor.Actor{Kind: "agent", ID: "a1"}, Human: "agent a1"}, ErrLapsed},
		"another role":            {"role:a", Decision{By: actor.User("ann"), Human: "ann", Factor: "a", Role: "role-of-a-later-version"}, ErrLapsed},
		"shown in another way":    {"requester", Decision{By: actor.User("rep"), Human: "rep", Shown: "picture 7"}, ErrUnread},
	} {
		s, _ := newStore(t)
		s.people = &town{behind: map[string]string{}, roles: map[string][]string{"ann": {"a"}}}
		b := binding("Acme")
		if c.approvers != "requester" {
			b = b.by("role:a")
		}
		r, err := s.one(t.Context(), s.db.Reads, `WHERE id = $1`, submit(t, s, b).ID)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.approve(t.Context(), r, c.decision); err != nil || !n { // as a later version does
			t.Fatalf("%s: %t, %v", name, n, err)
		}
		if _, err := s.Spend(t.Context(), b); !errors.Is(err, c.as) {
			t.Errorf("%s: %v, expected %v", name, err, c.as)
		}
	}
}

// FT-39: a request whose state, approvers or terms this version does not know is not decided, not
// made, and in nobody's way.
func TestFaultFT39RequestsOfALaterVersion(t *testing.T) {
	t.Parallel()
	for _, column := range []string{"state", "approvers", "terms"} {
		s, _ := newStore(t)
		b := binding("Acme")
		r := submit(t, s, b)
		decide(t, s, r.ID, true)
		if _, err := s.db.Writes.Exec(`UPDATE approvals SET ` + column + ` = 'of_a_later_version'`); err != nil {
			t.Fatal(err)
		}
		dbtest.Sign(t, s.db, db.Approvals, db.ApprovalStates)
		if _, err := s.Spend(t.Context(), b); !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: spent, %v", column, err)
		}
		if _, err := s.Approve(t.Context(), r.ID, agreed(actor.User("rep"))); !errors.Is(err, ErrGone) && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: approved, %v", column, err)
		}
		if again := submit(t, s, b); again.ID == r.ID || again.State != Pending {
			t.Errorf("%s: asked for again it is %+v", column, again)
		}
	}
	s, _ := newStore(t)
	b := binding("Acme")
	decide(t, s, submit(t, s, b).ID, true)
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Writes.Exec(`UPDATE approvals SET outcome = 'of_a_later_version'`); err != nil {
		t.Fatal(err)
	}
	if r := submit(t, s, b); r.State != Spent {
		t.Errorf("a call of an unknown outcome may be made again: %+v", r)
	}
}
