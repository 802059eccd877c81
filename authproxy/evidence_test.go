package authproxy

import (
	"errors"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// AP-18: the evidence of a request is for who asked, holders of a role that it asks for, auditors
// and operators. Everybody else does not learn that there is one, and that it was read is in the
// log before anybody gets it.
func TestAP18WhoReadsEvidence(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.people.roles["ada"] = []string{people.Auditor}
	r := b.hold(call("Acme", policy.Rule{Approvers: "role:security"}), policy.Create)
	b.wants(r.ID, [3]string{"bob", "", "approved"})
	requester := approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}
	for _, step := range []struct {
		name string
		by   approval.Decider
		may  bool
	}{
		{"the requester", requester, true},
		{"a holder of the role", b.person("bob"), true},
		{"another holder of the role", b.person("cem"), true},
		{"an auditor", b.person("ada"), true},
		{"an operator", approval.Decider{Actor: actor.Operator("root", "ann")}, true},
		{"a holder of another role", b.person("dee"), false},
		{"the same id in another org", approval.Decider{Actor: actor.User(sim.RepID), Org: "beta"}, false},
		{"nobody", approval.Decider{}, false},
	} {
		before := len(b.f.audited(t, audit.ApprovalRead))
		record, err := b.Evidence(t.Context(), step.by, r.ID)
		read := b.f.audited(t, audit.ApprovalRead)[before:]
		if !step.may {
			if !errors.Is(err, approval.ErrNotFound) || record != nil || len(read) != 0 {
				t.Errorf("%s: %+v, %v, %d entries", step.name, record, err, len(read))
			}
			continue
		}
		if err != nil || string(record.Arguments) != string(r.Arguments) || len(record.Decisions) != 1 || len(record.Factors) != 1 || len(record.Factors[0].By) != 1 {
			t.Errorf("%s: %+v, %v", step.name, record, err)
			continue
		}
		if a := record.Factors[0].By[0]; a.ACR != "mfa" || a.AuthTime.IsZero() || a.Role != "security" {
			t.Errorf("%s: what proved who agreed is %+v", step.name, a)
		}
		if len(read) != 1 || read[0].Actor != step.by.Actor || read[0].Approval != r.ID || read[0].Subject != sim.RepID {
			t.Errorf("%s: the log says %+v", step.name, read)
		}
		if last := record.Seen[len(record.Seen)-1]; last.By != step.by.Actor.String() {
			t.Errorf("%s: the record lacks that it was read: %+v", step.name, record.Seen)
		}
	}
}

// What the database has deleted is still in the log: for auditors and operators, who may read
// every request, and for nobody else.
func TestEvidenceOfTheLogAlone(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.people.roles["ada"] = []string{people.Auditor}
	r := b.hold(call("Acme", policy.Rule{}), policy.Create)
	if _, err := b.Decide(t.Context(), approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}, r.ID, approval.Choice{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Approvals.EraseUser(t.Context(), "acme", sim.RepID); err != nil {
		t.Fatal(err)
	}
	record, err := b.Evidence(t.Context(), b.person("ada"), r.ID)
	if err != nil || record.State != "" || len(record.Decisions) != 1 || record.Tool != r.Tool || !strings.Contains(strings.Join(record.Missing, " "), "database") {
		t.Errorf("%+v, %v", record, err)
	}
	for name, by := range map[string]approval.Decider{"the requester": {Actor: actor.User(sim.RepID), Org: "acme"}, "dee": b.person("dee")} {
		if _, err := b.Evidence(t.Context(), by, r.ID); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Evidence(t.Context(), b.person("ada"), "apr_none"); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}
