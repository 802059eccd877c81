package authproxy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/policy"
)

// FT-35: the database does not answer to a decision. Whoever took it is told that it counts, once it is known to; the log and the
// evidence have it once, and as it is: done, or, where nobody can find out, as not known.
func TestFaultFT35LostDecisionIsRecordedAsItIs(t *testing.T) {
	t.Parallel()
	database := dbtest.Postgres(t)
	ring := dbtest.Ring(t, database)
	network := dbtest.Between(t, database)
	d, err := db.Open(t.Context(), db.Config{URL: network.SimpleURL(database), InDoubt: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Claim(t.Context(), ring); err != nil {
		t.Fatal(err)
	}
	b := newBoard(t)
	if b.Approvals, err = approval.New(approval.Config{DB: d, Ring: ring, Lifetime: time.Hour, Now: b.f.clock.Now, People: b.people}); err != nil {
		t.Fatal(err)
	}
	rule := policy.Rule{Approvers: "role:security"}
	for name, choice := range map[string]approval.Choice{"approve": {Approve: true}, "deny": {Reason: "no"}} {
		lose := func(reaches bool) { network.LoseCommit(reaches) }
		if !choice.Approve {
			lose = func(reaches bool) { network.LoseAnswer("SET state = 'denied'", reaches, nil) }
		}
		for _, reaches := range []bool{true, false} {
			r := b.hold(call(name+map[bool]string{true: " reaches", false: " does not"}[reaches], rule), policy.Update)
			lose(reaches)
			got, err := b.Decide(t.Context(), b.person("bob"), r.ID, choice)
			if err != nil || !network.Lost() || (got.State == approval.Approved) != choice.Approve {
				t.Fatalf("%s, reaches: %t: %+v, %v", name, reaches, got, err)
			}
			ended := b.ended(r.ID)
			if len(ended) != 1 || ended[0].Outcome != audit.OK || ended[0].Decision != map[bool]audit.Decision{true: audit.Approve, false: audit.Deny}[choice.Approve] {
				t.Errorf("%s, reaches: %t: recorded as %+v", name, reaches, ended)
			}
			record, err := b.Evidence(t.Context(), b.person("bob"), r.ID)
			if err != nil || len(record.Decisions) != 1 {
				t.Errorf("%s, reaches: %t: the evidence has %+v, %v", name, reaches, record, err)
			}
		}
		r := b.hold(call(name+" is lost", rule), policy.Update)
		network.LoseCommitThen(false, network.Cut)
		_, err := b.Decide(t.Context(), b.person("bob"), r.ID, choice)
		network.Down()
		network.Heal()
		if ended := b.ended(r.ID); !errors.Is(err, approval.ErrInDoubt) || len(ended) != 1 || ended[0].Outcome != audit.Unknown || !strings.Contains(ended[0].Reason, "not known") {
			t.Errorf("%s, never known: %v, recorded as %+v", name, err, ended)
		}
	}
}

// ended are the entries of how decisions about a request ended.
func (b *board) ended(id string) []audit.Entry {
	b.t.Helper()
	return slices.DeleteFunc(b.f.audited(b.t, audit.ApprovalDecide), func(e audit.Entry) bool { return e.Object != id || e.Outcome == audit.Intent })
}
