package approval

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// FT-35: the answer to a decision of a person is lost, whether or not it reached the database at all.
// The decision counts, once, whoever took it is told so, and whoever takes it again is told that it was taken.
func TestFaultFT35LostDecision(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losing(t)
	user := actor.User("005A")
	for name, d := range map[string]struct {
		statement string // of its transaction
		ready     func(id string, b Binding)
		do        func(s *Store, id string) (*Request, error)
		is        func(r *Request) bool
		again     error
	}{
		"approve": {statement: "INSERT INTO approval_decisions", do: func(s *Store, id string) (*Request, error) {
			return s.Approve(t.Context(), id, Decision{By: user, Org: "acme", Human: "ann"})
		}, is: func(r *Request) bool { return r.State == Approved && len(r.Decisions) == 1 && r.DecidedBy == user }, again: ErrGone},
		"deny": {statement: "SET state = 'denied'", do: func(s *Store, id string) (*Request, error) {
			return s.Deny(t.Context(), id, user, "no")
		}, is: func(r *Request) bool { return r.State == Denied && r.Reason == "no" && r.DecidedBy == user }, again: ErrGone},
		"deny without a reason": {statement: "SET state = 'denied'", do: func(s *Store, id string) (*Request, error) {
			return s.Deny(t.Context(), id, user, "")
		}, is: func(r *Request) bool { return r.State == Denied && r.DecidedBy == user }, again: ErrGone},
		"propose": {statement: "SET state = 'countered'", do: func(s *Store, id string) (*Request, error) {
			other, err := s.Counter(t.Context(), id, user, "ann", jsontext.Value(`{"body":{"Name":"Other `+id+`"},"sobject-name":"Account"}`))
			if err != nil {
				return other, err
			}
			if other.CounterOf != id || other.State != Pending {
				t.Errorf("proposed: %+v", other)
			}
			if stored, err := here.Get(t.Context(), other.ID); err != nil || stored.CounterOf != id {
				t.Errorf("what was proposed is stored as %+v, %v", stored, err)
			}
			return here.Get(t.Context(), id)
		}, is: func(r *Request) bool { return r.State == Countered && r.Counter != nil }, again: ErrGone},
		"resolve": {statement: "INSERT INTO approval_checks", ready: func(id string, b Binding) {
			decide(t, here, id, true)
			if _, err := here.Spend(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if err := here.Settle(t.Context(), id, Unknown, nil); err != nil {
				t.Fatal(err)
			}
		}, do: func(s *Store, id string) (*Request, error) {
			return s.Resolve(t.Context(), id, user, DidHappen, "saw it")
		}, is: func(r *Request) bool {
			return r.Check != nil && r.Check.Happened == DidHappen && r.Check.Reason == "saw it" && r.Check.ResolvedBy == user
		}, again: ErrNotUnknown},
	} {
		for how, lose := range map[string]func(){
			"reaches":         func() { network.LoseCommit(true) },
			"does not":        func() { network.LoseCommit(false) },
			"comes, and ends": func() { network.LoseAnswer(d.statement, true, nil) },
			"does not come":   func() { network.LoseAnswer(d.statement, false, nil) },
		} {
			b := binding(name + " " + how)
			r := submit(t, here, b)
			if d.ready != nil {
				d.ready(r.ID, b)
			}
			for { // connections that have ended are found out one by one
				if _, err := there.Get(t.Context(), r.ID); err == nil {
					break
				} else if !db.Passes(err) {
					t.Fatal(err)
				}
			}
			lose()
			got, err := d.do(there, r.ID)
			if err != nil || !network.Lost() || !d.is(got) {
				t.Errorf("%s, %s: %+v, %v, lost: %t", name, how, got, err, network.Lost())
				continue
			}
			if stored, err := here.Get(t.Context(), r.ID); err != nil || !d.is(stored) {
				t.Errorf("%s, %s: it is stored as %+v, %v", name, how, stored, err)
			}
			if _, err := d.do(there, r.ID); !errors.Is(err, d.again) {
				t.Errorf("%s, %s: again: %v", name, how, err)
			}
		}
	}
}
