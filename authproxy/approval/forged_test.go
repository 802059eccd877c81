package approval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// S7: whoever writes into the database without the keys approves no call: neither one that
// waits, nor one that was refused, spent, or is another.
func TestS7ForgedApprovals(t *testing.T) {
	t.Parallel()
	const approve = `UPDATE approvals SET state = 'approved', decided_at = created_at, decided_by_kind = 'user', decided_by_id = 'boss' WHERE id = $1`
	for name, tt := range map[string]struct {
		before func(s *Store, id string)
		forge  []string // $1 is the request, $2 one that was approved rightly
	}{
		"pending": {nil, []string{approve}},
		"pending, with the state of an approved one": {nil, []string{approve,
			`UPDATE approvals SET state_mac = (SELECT o.state_mac FROM approvals o WHERE o.id = $2) WHERE id = $1`}},
		"denied": {func(s *Store, id string) { decide(t, s, id, false) }, []string{approve}},
		"void":   {func(s *Store, id string) { s.Void(t.Context(), VoidFilter{Subject: "005A"}, "revoked") }, []string{approve}},
		"spent": {func(s *Store, id string) {
			decide(t, s, id, true)
			if _, err := s.Spend(t.Context(), binding("one")); err != nil {
				t.Fatal(err)
			}
			if err := s.Settle(t.Context(), id, Done, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}, []string{`UPDATE approvals SET state = 'approved', spent_at = 0, outcome = '', sealed_result = '' WHERE id = $1`}},
		"being spent": {func(s *Store, id string) {
			decide(t, s, id, true)
			if _, err := s.Spend(t.Context(), binding("one")); err != nil {
				t.Fatal(err)
			}
		}, []string{`UPDATE approvals SET state = 'approved', spent_at = 0 WHERE id = $1`}},
	} {
		s, _ := newStore(t)
		r, other := submit(t, s, binding("one")), submit(t, s, binding("other"))
		decide(t, s, other.ID, true)
		if tt.before != nil {
			tt.before(s, r.ID)
		}
		for _, statement := range tt.forge {
			if _, err := s.db.Writes.Exec(strings.ReplaceAll(strings.ReplaceAll(statement, "$1", "'"+r.ID+"'"), "$2", "'"+other.ID+"'")); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Spend(t.Context(), binding("one")); !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: spent %+v, %v", name, got, err)
		}
		if got, err := s.Get(t.Context(), r.ID); err != nil || got.State != Void || got.Why != whyAltered || !got.Altered || got.DecidedBy.ID == "boss" {
			t.Errorf("%s: it is %+v, %v", name, got, err)
		}
		if _, err := s.Approve(t.Context(), r.ID, agreed(actor.User("boss"))); !errors.Is(err, ErrGone) {
			t.Errorf("%s: decided: %v", name, err)
		}
		if again, err := s.Submit(t.Context(), binding("one"), "create"); err != nil || again.State == Approved {
			t.Errorf("%s: the same call again: %+v, %v", name, again, err)
		}
	}
}

// S7: what a person is shown and decides is what was submitted: each part of it that
// somebody changes makes the request one that is not there.
func TestS7ForgedCalls(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	for _, column := range db.Approvals.Covers[1:] {
		for _, approved := range []bool{false, true} {
			for _, table := range []string{"approval_decisions", "approvals"} { // of the case before
				if _, err := s.db.Writes.Exec(`DELETE FROM ` + table); err != nil {
					t.Fatal(err)
				}
			}
			r := submit(t, s, binding("one"))
			if approved {
				decide(t, s, r.ID, true)
			}
			value := `'x'`
			if column[len(column)-3:] == "_at" {
				value = column + ` + 100000`
			}
			if _, err := s.db.Writes.Exec(`UPDATE approvals SET `+column+` = `+value+` WHERE id = $1`, r.ID); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(t.Context(), r.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: shown as %+v, %v", column, got, err)
			}
			if list, err := s.List(t.Context(), Filter{}); err != nil || len(list) != 0 {
				t.Errorf("%s: listed %+v, %v", column, list, err)
			}
			if _, err := s.Approve(t.Context(), r.ID, agreed(actor.User("boss"))); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: decided: %v", column, err)
			}
			if got, err := s.Spend(t.Context(), binding("one")); !errors.Is(err, ErrNotApproved) {
				t.Errorf("%s: spent %+v, %v", column, got, err)
			}
			// The call goes its way with a new request.
			again, err := s.Submit(t.Context(), binding("one"), "create")
			if err != nil || again.ID == r.ID || again.State != Pending {
				t.Errorf("%s: the same call again: %+v, %v", column, again, err)
			}
		}
	}
}

// S7: rows that somebody else wrote push no request out of a list, wherever they stand in it.
func TestS7ForgedRowsLeaveNoGap(t *testing.T) {
	t.Parallel()
	s, clock := newStore(t)
	var want []string // the newest first
	for i := range 3 {
		b := binding(fmt.Sprint("call ", i))
		b.GrantID = fmt.Sprint("g", i)
		want = slices.Insert(want, 0, submit(t, s, b).ID)
		clock.add(time.Second)
	}
	from, to := want[2], clock.now()
	// Before them, among them and behind them; some at the very moment of one of them.
	for i := range 40 {
		at := db.Millis(to.Add(time.Duration(i-20) * 500 * time.Millisecond))
		if _, err := s.db.Writes.Exec(`INSERT INTO approvals (id, binding_hash, state, org, subject, grant_id, client_id, server, tool, class, policy_version,
				definition_hash, arguments_digest, sealed_arguments, approvers, created_at, expires_at, mac, state_mac)
			SELECT $1, $1, state, org, subject, grant_id, client_id, server, tool, class, policy_version,
				definition_hash, arguments_digest, sealed_arguments, approvers, $2, expires_at, mac, state_mac FROM approvals WHERE id = $3`,
			fmt.Sprintf("apr_%c%d", "0z"[i%2], i), at, from); err != nil {
			t.Fatal(err)
		}
	}
	for limit := 1; limit <= 4; limit++ {
		for _, oldest := range []bool{false, true} {
			want := slices.Clone(want)
			if oldest {
				slices.Reverse(want)
			}
			some, err := s.List(t.Context(), Filter{State: Pending, Limit: limit, OldestFirst: oldest})
			var got []string
			for _, r := range some {
				got = append(got, r.ID)
			}
			if err != nil || !slices.Equal(got, want[:min(limit, 3)]) {
				t.Errorf("%d at once, the oldest first %t: %v, %v; want %v", limit, oldest, got, err, want)
			}
		}
	}
}

// S7: an approval is not made another call's by exchanging what the two are bound to.
func TestS7SwappedBindings(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	harmless, harmful := submit(t, s, binding("harmless")), binding("harmful").hash()
	decide(t, s, harmless.ID, true)
	if _, err := s.db.Writes.Exec(`UPDATE approvals SET binding_hash = $1 WHERE id = $2`, harmful, harmless.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Spend(t.Context(), binding("harmful")); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spent %+v, %v", got, err)
	}
}

// S7: what somebody writes of a call that is being made lets nobody make it again.
func TestS7ForgedUnspend(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	r := submit(t, s, binding("one"))
	if _, err := s.db.Writes.Exec(`UPDATE approvals SET state = 'spent', spent_at = created_at WHERE id = $1`, r.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Unspend(t.Context(), r.ID); !errors.Is(err, ErrNotSpent) {
		t.Errorf("given back: %v", err)
	}
	c.add(time.Minute)
	if got, err := s.Spend(t.Context(), binding("one")); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spent %+v, %v", got, err)
	}
}

// S7: a decision that somebody else writes counts for nothing. One that he changes, takes away
// or puts back makes the request void.
func TestS7ForgedDecisions(t *testing.T) {
	t.Parallel()
	const insert = `INSERT INTO approval_decisions SELECT request_id, 'mallory', factor, role, by_kind, 'mallory', by_as, org, decided_at, auth_time, acr, shown, mac FROM approval_decisions WHERE request_id = $1`
	const move = `UPDATE approval_decisions SET request_id = $1 WHERE request_id <> $1`
	for name, forge := range map[string][]string{
		"one more":             {insert},
		"another person":       {`UPDATE approval_decisions SET human = 'mallory' WHERE request_id = $1`},
		"another role":         {`UPDATE approval_decisions SET role = 'b' WHERE request_id = $1`},
		"another time":         {`UPDATE approval_decisions SET decided_at = decided_at + 1 WHERE request_id = $1`},
		"another sign-in":      {`UPDATE approval_decisions SET acr = 'mfa' WHERE request_id = $1`},
		"another record seen":  {`UPDATE approval_decisions SET shown = 'x' WHERE request_id = $1`},
		"taken away":           {`DELETE FROM approval_decisions WHERE request_id = $1`},
		"none said":            {`UPDATE approvals SET decisions = '' WHERE id = $1`, `DELETE FROM approval_decisions WHERE request_id = $1`},
		"of another":           {move},
		"more, and said to be": {insert, `UPDATE approvals SET decisions = 'x' WHERE id = $1`},
		"a factor less":        {`UPDATE approvals SET state = 'approved' WHERE id = $1`},
	} {
		s, _ := newStore(t)
		b := binding("Acme").by("2 of role:a")
		r, other := submit(t, s, b), submit(t, s, binding("Other").by("2 of role:a"))
		agree := func(id, human string) error {
			_, err := s.Approve(t.Context(), id, Decision{By: actor.Operator("root", human), Human: human, Factor: "a", Role: "a"})
			return err
		}
		if err := errors.Join(agree(r.ID, "ann"), agree(other.ID, "bob")); err != nil {
			t.Fatal(err)
		}
		for _, statement := range forge {
			if _, err := s.db.Writes.Exec(strings.ReplaceAll(statement, "$1", "'"+r.ID+"'")); err != nil {
				t.Fatal(name, err)
			}
		}
		got, err := s.Get(t.Context(), r.ID)
		if err != nil {
			t.Fatal(name, err)
		}
		if forged := len(forge) == 1 && (forge[0] == insert || forge[0] == move); forged {
			if got.State != Pending || len(got.Decisions) != 1 || got.Decisions[0].Human != "ann" {
				t.Errorf("%s: it is %+v", name, got)
			}
		} else if got.State != Void || got.Why != whyAltered || len(got.Decisions) != 0 || !errors.Is(agree(r.ID, "cem"), ErrGone) {
			t.Errorf("%s: it is %+v", name, got)
		}
		if _, err := s.Spend(t.Context(), b); !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: spent, %v", name, err)
		}
	}
}

// That a row was changed is no matter of words: whoever ends calls and says so as their reason makes none of them such a
// row; and one that was met, and is void in the database since, is one still.
func TestAlteredIsNoReason(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	said := submit(t, s, binding("said"))
	if _, err := s.Void(t.Context(), VoidFilter{ID: said.ID}, whyAltered); err != nil {
		t.Fatal(err)
	}
	changed := submit(t, s, binding("changed"))
	if _, err := s.db.Writes.Exec(`UPDATE approvals SET state = 'approved' WHERE id = $1`, changed.ID); err != nil {
		t.Fatal(err)
	}
	if again := submit(t, s, binding("changed")); again.ID == changed.ID {
		t.Fatal("the row counts")
	}
	for id, want := range map[string]bool{said.ID: false, changed.ID: true} {
		if got, err := s.Get(t.Context(), id); err != nil || got.State != Void || got.Altered != want || got.Why != whyAltered {
			t.Errorf("%+v, %v, want %t", got, err, want)
		}
	}
}

// S7: whoever writes into the database that a request was changed hides nobody's decision: who agreed is still asked for their
// roles, and the record for what they saw.
func TestS7AlteredHidesNoDecision(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	approved := submit(t, s, binding("one"))
	decide(t, s, approved.ID, true)
	if _, err := s.db.Writes.Exec(`UPDATE approvals SET altered = TRUE WHERE id = $1`, approved.ID); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), approved.ID)
	if err != nil || got.State != Approved || got.Altered || len(got.Decisions) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.db.Writes.Exec(`DELETE FROM approval_decisions WHERE request_id = $1`, approved.ID); err != nil {
		t.Fatal(err)
	}
	if spent, err := s.Spend(t.Context(), binding("one")); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spent without its decisions: %+v, %v", spent, err)
	}
}

// A refusal says what is refused, why, and what caused it, however it is wrapped.
func TestRefusal(t *testing.T) {
	t.Parallel()
	cause := errors.New("too deep")
	err := fmt.Errorf("proposing: %w", Refuse(ErrProposal, "the arguments are %w", cause))
	if !errors.Is(err, ErrProposal) || errors.Is(err, ErrUndo) || !errors.Is(err, cause) || WhyRefused(err) != "the arguments are too deep" || err.Error() != "proposing: this cannot be proposed: the arguments are too deep" {
		t.Errorf("%v: %q", err, WhyRefused(err))
	}
	if why := WhyRefused(cause); why != "" {
		t.Errorf("of another error: %q", why)
	}
}
