package authproxy

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// inverse makes the call back under that rule.
type inverse struct{ rule policy.Rule }

func (inverse) MayUndo(context.Context, *approval.Request) error { return nil }

func (i inverse) Undo(context.Context, *approval.Request) (approval.Binding, string, error) {
	return call("back", i.rule), string(policy.Update), nil
}

// done is a call under that rule that was made and verified.
func (b *board) done(name string, rule policy.Rule, agree ...[3]string) *approval.Request {
	b.t.Helper()
	r := b.hold(call(name, rule), policy.Update)
	if rule.Approvers == "" {
		if _, err := b.Decide(b.t.Context(), requester, r.ID, approval.Choice{Approve: true}); err != nil {
			b.t.Fatal(err)
		}
	}
	b.wants(r.ID, agree...)
	_, err := b.Approvals.Spend(b.t.Context(), call(name, rule))
	err = errors.Join(err, b.Approvals.Settle(b.t.Context(), r.ID, approval.Done, nil), b.Approvals.SaveCheck(b.t.Context(), r.ID, approval.Intended, &approval.Images{}))
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

var requester = approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}

// AP-06: whoever asks to undo a call is the author of the call that does, and does not count for
// it; the requester never does where a role is asked.
func TestAP06WhoUndoesDoesNotCount(t *testing.T) {
	t.Parallel()
	rule := policy.Rule{Approvers: "role:security"}
	for name, by := range map[string]approval.Decider{"a holder of the role": {}, "the requester": requester} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBoard(t)
			if by.Org == "" {
				by = b.person("bob")
			}
			b.Undos = inverse{rule}
			done := b.done("Acme", rule, [3]string{"bob", "", "approved"})
			undo, err := b.Undo(t.Context(), by, done.ID)
			if err != nil || undo.UndoOf != done.ID || undo.State != approval.Pending {
				t.Fatalf("%+v, %v", undo, err)
			}
			if got := b.approve(undo.ID, by, ""); !strings.HasPrefix(got, "no: nobody agrees to") {
				t.Errorf("who asked for it: %s", got)
			}
			b.wants(undo.ID, [3]string{"cem", "", "approved"})
			entries := b.f.audited(t, audit.ApprovalUndo)
			if len(entries) != 2 || entries[1].Outcome != audit.OK || entries[1].Actor != by.Actor || !strings.Contains(entries[1].Reason, undo.ID) {
				t.Errorf("recorded %+v", entries)
			}
		})
	}
}

// Where the rule asks the requester alone, they agree to their own undo as to their own call; and
// nobody else may ask for it, or say what became of the call (AP-05).
func TestAP05UndoAndResolve(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.Undos = inverse{policy.Rule{}}
	done := b.done("Acme", policy.Rule{})
	for name, by := range map[string]approval.Decider{"a role": b.person("bob"), "the same id in another org": {Actor: actor.User(sim.RepID), Org: "beta"}, "nobody": {}} {
		if undo, err := b.Undo(t.Context(), by, done.ID); !errors.Is(err, approval.ErrNotFound) || undo != nil {
			t.Errorf("%s undoes: %+v, %v", name, undo, err)
		}
		if r, err := b.Resolve(t.Context(), by, done.ID, approval.DidHappen, "x"); !errors.Is(err, approval.ErrNotFound) || r != nil {
			t.Errorf("%s resolves: %+v, %v", name, r, err)
		}
	}
	undo, err := b.Undo(t.Context(), requester, done.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.approve(undo.ID, requester, ""); got != "approved" {
		t.Errorf("the requester agrees: %s", got)
	}
	b.Undos = nil
	if _, err := b.Undo(t.Context(), requester, done.ID); err == nil {
		t.Error("undone where nobody can read the record")
	}
}
