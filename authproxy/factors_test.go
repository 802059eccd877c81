package authproxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// roster is who holds which roles at the moment, and who is behind Salesforce users.
type roster struct {
	roles  map[string][]string
	behind map[string]string // by the subject
	called map[string][]string
	err    error
}

func (r *roster) HumanOf(_ context.Context, org, subject string) (string, error) {
	if human := r.behind[subject]; human != "" {
		return human, r.err
	}
	return approval.SalesforceHuman(org, subject), r.err
}

func (r *roster) Called(_ context.Context, name string) ([]string, error) {
	return r.called[name], r.err
}

func (r *roster) Holds(_ context.Context, human, role string) (bool, error) {
	return slices.Contains(r.roles[human], role), r.err
}

// board is what decides, with people whose roles a test changes.
type board struct {
	*Decisions
	f      *fixture
	people *roster
	t      *testing.T
}

func newBoard(t *testing.T) *board { return newBoardOn(t, change{}) }

func newBoardOn(t *testing.T, ch change) *board {
	t.Helper()
	f := start(t, ch)
	people := &roster{roles: map[string][]string{
		"ann": {"sales-ops", "security"}, "bob": {"security"}, "cem": {"security"}, "dee": {"sales-ops"}, "eve": {"lead"}, "joe": {"lead", "other"},
	}, behind: map[string]string{}}
	var err error
	f.Cutoff.Approvals, err = approval.New(approval.Config{DB: f.db, Ring: f.ring, Lifetime: 15 * time.Minute, Now: f.clock.Now, People: people})
	if err != nil {
		t.Fatal(err)
	}
	return &board{&Decisions{Approvals: f.Cutoff.Approvals, Grants: f.Grants, Audit: f.Audit, People: people, StepUpACR: "mfa", Now: f.clock.Now}, f, people, t}
}

// call is a call of the representative under a rule.
func call(name string, rule policy.Rule) approval.Binding {
	return approval.Binding{Org: "acme", Subject: sim.RepID, ClientID: "chatgpt", GrantID: "g1", Server: "sales", Tool: "createSobjectRecord",
		DefinitionHash: "d", PolicyVersion: "p", Arguments: fmt.Appendf(nil, `{"body":{"Amount":1,"Name":%q}}`, name), Confirmation: rule.Confirmation()}
}

func (b *board) hold(binding approval.Binding, class policy.Class) *approval.Request {
	b.t.Helper()
	r, err := b.Approvals.Submit(b.t.Context(), binding, string(class))
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// person is somebody who signed in with the company just now.
func (b *board) person(human string) approval.Decider {
	return approval.Decider{Actor: actor.User("005" + human), Org: "acme", Human: human, Roles: b.people.roles[human], AuthTime: b.f.clock.Now(), ACR: "mfa"}
}

// approve has them approve, and says what became of the request or why not.
func (b *board) approve(id string, by approval.Decider, role string) string {
	b.t.Helper()
	r, err := b.Decide(b.t.Context(), by, id, approval.Choice{Approve: true, Role: role})
	switch {
	case err == nil:
		return string(r.State)
	case errors.Is(err, approval.ErrNotFound):
		return "not found"
	case errors.Is(err, approval.ErrStepUp):
		return "step up"
	case errors.Is(err, approval.ErrAlready):
		return "already"
	case errors.Is(err, approval.ErrGone):
		return "gone"
	case errors.Is(err, approval.ErrNotApprover):
		return "no: " + err.Error()
	}
	b.t.Fatal(err)
	return ""
}

// wants fails unless every step of a table says what it should.
func (b *board) wants(id string, steps ...[3]string) {
	b.t.Helper()
	for i, step := range steps {
		if got := b.approve(id, b.person(step[0]), step[1]); !strings.HasPrefix(got, step[2]) {
			b.t.Errorf("step %d, %s for %q: %s, want %s", i+1, step[0], step[1], got, step[2])
		}
	}
}

var twoFactors = policy.Rule{Factors: []policy.Factor{{Role: "sales-ops", Quorum: 1}, {Role: "security", Quorum: 2}}}

// AP-06: all factors must be met, by people of whom each counts once; whoever has no role that
// is asked for does not even learn of the call (AP-05).
func TestAP06EveryFactorByOtherPeople(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	r := b.hold(call("Acme", twoFactors), policy.Update)
	b.wants(r.ID,
		[3]string{"eve", "", "not found"}, [3]string{"nobody", "", "not found"},
		[3]string{"bob", "sales-ops", "no: that role is not asked for, or is not held"},
		[3]string{"bob", "lead", "no: that role is not asked for, or is not held"},
		[3]string{"ann", "security", "pending"},
		[3]string{"ann", "sales-ops", "already"}, [3]string{"ann", "", "already"}, // one human, one factor
		[3]string{"bob", "", "pending"},
		[3]string{"cem", "", "already"}, // of security there are enough
		[3]string{"dee", "", "approved"},
		[3]string{"cem", "", "already"},
	)
	spent, err := b.Approvals.Spend(t.Context(), call("Acme", twoFactors))
	if err != nil || len(spent.Decisions) != 3 {
		t.Fatalf("spent: %+v, %v", spent, err)
	}
	if _, err := b.Approvals.Spend(t.Context(), call("Acme", twoFactors)); !errors.Is(err, approval.ErrNotApproved) {
		t.Errorf("spent twice: %v", err)
	}
	var said []string
	for _, e := range b.f.audited(t, "approval.decide") {
		if e.Outcome != audit.Intent {
			said = append(said, string(e.Outcome)+" "+e.Reason)
		}
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, "ok still missing: a person with the role sales-ops and a person with the role security") ||
		!strings.Contains(text, "ok nobody is missing") {
		t.Errorf("recorded:\n%s", text)
	}
}

// AP-06: nobody agrees to a call of their own, however they signed in and whatever roles they
// got meanwhile; and a company account that turns out to be the requester's does not count.
func TestAP06NeverTheRequester(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := policy.Rule{Approvers: "role:security"}
	r := b.hold(call("Acme", rule), policy.Create)
	for name, by := range map[string]approval.Decider{
		"with the role since":    {Actor: actor.User(sim.RepID), Org: "acme", Roles: []string{"security"}},
		"by a company sign-in":   {Actor: actor.User("005other"), Org: "beta", Human: "rep@idp", Roles: []string{"security"}},
		"as the human of theirs": {Actor: actor.User("005other"), Org: "beta", Human: approval.SalesforceHuman("acme", sim.RepID), Roles: []string{"security"}},
	} {
		b.people.behind[sim.RepID] = "rep@idp"
		if got := b.approve(r.ID, by, ""); !strings.HasPrefix(got, "no: nobody agrees to a call of their own") {
			t.Errorf("%s: %s", name, got)
		}
	}
	// Of another org, the same user id is somebody else.
	if got := b.approve(r.ID, approval.Decider{Actor: actor.User(sim.RepID), Org: "beta", Human: "", Roles: nil}, ""); got != "not found" {
		t.Errorf("of another org: %s", got)
	}
	delete(b.people.behind, sim.RepID)
	b.wants(r.ID, [3]string{"bob", "", "approved"})
	b.people.behind[sim.RepID] = "bob" // who has now signed in with both
	if _, err := b.Approvals.Spend(t.Context(), call("Acme", rule)); !errors.Is(err, approval.ErrLapsed) {
		t.Errorf("spent what the requester approved: %v", err)
	}
	if now, err := b.Approvals.Get(t.Context(), r.ID); err != nil || now.State != approval.Pending || len(now.Decisions) != 0 || now.DecidedBy != (actor.Actor{}) {
		t.Errorf("it is %+v, %v", now, err)
	}
}

// AP-12: of whoever loses the role between deciding and spending nothing counts. The others'
// decisions stay, and the call waits for somebody else.
func TestAP12ApproverLostTheRole(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	r := b.hold(call("Acme", twoFactors), policy.Update)
	b.wants(r.ID, [3]string{"dee", "", "pending"}, [3]string{"bob", "", "pending"}, [3]string{"cem", "", "approved"})
	b.people.err = errors.New("the provider is down")
	if _, err := b.Approvals.Spend(t.Context(), call("Acme", twoFactors)); err == nil {
		t.Error("spent though nobody knows who holds a role")
	}
	b.people.err = nil
	if now, _ := b.Approvals.Get(t.Context(), r.ID); now.State != approval.Approved {
		t.Errorf("while nobody knows, it is %s", now.State)
	}
	b.people.roles["bob"] = nil
	for range 2 { // whoever asks
		if _, err := b.Approvals.Spend(t.Context(), call("Acme", twoFactors)); !errors.Is(err, approval.ErrNotApproved) {
			t.Errorf("spent: %v", err)
		}
	}
	now, err := b.Approvals.Get(t.Context(), r.ID)
	if err != nil || now.State != approval.Pending || len(now.Decisions) != 2 || now.WhoIsMissing() != "a person with the role security" {
		t.Fatalf("it is %+v, %v", now, err)
	}
	b.wants(r.ID, [3]string{"bob", "", "not found"}, [3]string{"cem", "", "already"}, [3]string{"ann", "", "approved"})
	if _, err := b.Approvals.Spend(t.Context(), call("Acme", twoFactors)); err != nil {
		t.Error(err)
	}
}

// AP-19: where a rule asks for a fresh sign-in, an old one, another kind, one of the future and
// one that says no time do not count. Denying needs none.
func TestAP19StepUp(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := policy.Rule{Approvers: "role:security", StepUp: true}
	r := b.hold(call("Acme", rule), policy.Delete)
	for name, change := range map[string]func(*approval.Decider){
		"12 hours old": func(d *approval.Decider) { d.AuthTime = d.AuthTime.Add(-12 * time.Hour) },
		"6 minutes":    func(d *approval.Decider) { d.AuthTime = d.AuthTime.Add(-6 * time.Minute) },
		"to come":      func(d *approval.Decider) { d.AuthTime = d.AuthTime.Add(time.Hour) },
		"no time":      func(d *approval.Decider) { d.AuthTime = time.Time{} },
		"another kind": func(d *approval.Decider) { d.ACR = "pwd" },
		"no kind":      func(d *approval.Decider) { d.ACR = "" },
	} {
		by := b.person("bob")
		change(&by)
		if got := b.approve(r.ID, by, ""); got != "step up" {
			t.Errorf("%s: %s", name, got)
		}
	}
	b.StepUpACR = ""
	if got := b.approve(r.ID, approval.Decider{Actor: actor.User("005bob"), Human: "bob", Roles: []string{"security"}, AuthTime: b.f.clock.Now()}, ""); !strings.HasPrefix(got, "no: a fresh sign-in is asked for") {
		t.Errorf("where no kind is configured: %s", got)
	}
	b.StepUpACR = "mfa"
	b.wants(r.ID, [3]string{"bob", "", "approved"})
	again := b.hold(call("Other", rule), policy.Delete)
	old := b.person("bob")
	old.AuthTime = time.Time{}
	if _, err := b.Decide(t.Context(), old, again.ID, approval.Choice{}); err != nil {
		t.Errorf("denying: %v", err)
	}
}

// A call that has waited long is open to the holders of another role, in the place of anybody:
// not before, not beside, and only while they hold it. What nobody decides expires.
func TestAP11Escalation(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := twoFactors
	rule.Escalate = policy.Escalation{After: 10 * time.Minute, To: "role:lead"}
	r := b.hold(call("Acme", rule), policy.Update)
	b.f.clock.Add(10*time.Minute - time.Second)
	b.wants(r.ID, [3]string{"eve", "", "not found"})
	b.f.clock.Add(time.Second)
	b.wants(r.ID, [3]string{"eve", "", "pending"}, [3]string{"eve", "security", "already"}, [3]string{"joe", "security", "pending"}, [3]string{"bob", "", "approved"})
	got, err := b.Approvals.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range got.Decisions {
		if want := map[string]string{"eve": "sales-ops by lead", "joe": "security by lead", "bob": "security by security"}[d.Human]; d.Factor+" by "+d.Role != want {
			t.Errorf("%s counts for %s by %s, want %s", d.Human, d.Factor, d.Role, want)
		}
	}
	b.people.roles["joe"] = nil
	if _, err := b.Approvals.Spend(t.Context(), call("Acme", rule)); !errors.Is(err, approval.ErrLapsed) {
		t.Errorf("a lead who is none any more: %v", err)
	}
	if got, err := b.Approvals.Get(t.Context(), r.ID); err != nil || len(got.Decisions) != 2 { // eve's still counts
		t.Errorf("what is left: %+v, %v", got, err)
	}
	b.f.clock.Add(5 * time.Minute)
	b.wants(r.ID, [3]string{"cem", "", "gone"})
	if got, _ := b.Approvals.Get(t.Context(), r.ID); got.State != approval.Expired {
		t.Errorf("at the end it is %s", got.State)
	}
}

// Whoever proposes other values does not count for them; the first call is over, and only the
// proposed one is approved.
func TestAP06NeverTheAuthor(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := policy.Rule{Approvers: "role:security"}
	first := call("Acme", rule)
	r := b.hold(first, policy.Create)
	other := []byte(`{"body":{"Name":"Acme","Amount":2.0}}`)
	counter, err := b.Counter(t.Context(), b.person("bob"), r.ID, other)
	if err != nil || counter.CounterOf != r.ID || counter.Author != "bob" || string(counter.Arguments) != `{"body":{"Amount":2.0,"Name":"Acme"}}` {
		t.Fatalf("%+v, %v", counter, err)
	}
	b.wants(counter.ID, [3]string{"bob", "", "no: nobody agrees to what they proposed"})
	b.wants(r.ID, [3]string{"cem", "", "gone"})
	met := b.hold(first, policy.Create)
	if met.ID != r.ID || met.State != approval.Countered || met.Counter == nil || met.Counter.ID != counter.ID {
		t.Errorf("the first call meets %+v", met)
	}
	b.wants(counter.ID, [3]string{"cem", "", "approved"})
	if _, err := b.Approvals.Spend(t.Context(), first); !errors.Is(err, approval.ErrNotApproved) {
		t.Errorf("the first call was spent: %v", err)
	}
	proposed := first
	proposed.Arguments = counter.Arguments
	if spent, err := b.Approvals.Spend(t.Context(), proposed); err != nil || spent.ID != counter.ID {
		t.Errorf("the proposed call: %+v, %v", spent, err)
	}
	// The requester proposes nothing to themselves, and nobody else where the requester decides.
	own := b.hold(call("Own", policy.Rule{}), policy.Create)
	if _, err := b.Counter(t.Context(), approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}, own.ID, other); !errors.Is(err, approval.ErrNotApprover) {
		t.Errorf("the requester proposed: %v", err)
	}
	mine := b.hold(call("Mine", rule), policy.Create)
	if _, err := b.Counter(t.Context(), approval.Decider{Actor: actor.User(sim.RepID), Org: "acme", Roles: []string{"security"}}, mine.ID, other); !errors.Is(err, approval.ErrNotApprover) {
		t.Errorf("the requester proposed where a role decides: %v", err)
	}
}

// Who proposed a call and takes that back, and an author who only seems to be another.
func TestCounterTakenBack(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := policy.Rule{Approvers: "role:security"}
	r := b.hold(call("Acme", rule), policy.Create)
	ann := approval.Decider{Actor: actor.Operator("root", "Ann Lee")}
	counter, err := b.Counter(t.Context(), ann, r.ID, []byte(`{"body":{"Name":"Acme","Amount":3}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []actor.Actor{ann.Actor, actor.Operator("root", "ANN LEE"), actor.Operator("other", "ann lee")} {
		if got := b.approve(counter.ID, approval.Decider{Actor: by}, ""); !strings.HasPrefix(got, "no: nobody agrees to what they proposed") {
			t.Errorf("%s: %s", by, got)
		}
	}
	if _, err := b.Decide(t.Context(), ann, counter.ID, approval.Choice{Reason: "a mistake"}); err != nil {
		t.Error(err)
	}
}

// What is decided together is decided one by one: of one connection, for one rule, and never
// a deletion.
func TestAP22Together(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := policy.Rule{Approvers: "role:security", Group: true}
	one, two := b.hold(call("One", rule), policy.Update), b.hold(call("Two", rule), policy.Update)
	deletion := b.hold(call("Three", rule), policy.Delete)
	alone := b.hold(call("Four", policy.Rule{Approvers: "role:security"}), policy.Update)
	byTwo := b.hold(call("Six", policy.Rule{Approvers: "role:security", Quorum: 2, Group: true}), policy.Update)
	binding := call("Five", rule)
	binding.GrantID = "g2"
	elsewhere := b.hold(binding, policy.Update)
	if got, err := b.Approvals.Together(t.Context(), two); err != nil || len(got) != 2 || got[0].ID != one.ID && got[1].ID != one.ID {
		t.Errorf("together with the second: %+v, %v", got, err)
	}
	if got, err := b.Approvals.Together(t.Context(), deletion); err != nil || got != nil {
		t.Errorf("together with a deletion: %+v, %v", got, err)
	}
	approve := approval.Choice{Approve: true}
	for name, other := range map[string]*approval.Request{"a deletion": deletion, "another rule": alone, "other approvers": byTwo, "another connection": elsewhere} {
		if _, err := b.DecideTogether(t.Context(), b.person("bob"), []string{one.ID, other.ID}, approve); !errors.Is(err, approval.ErrNotTogether) {
			t.Errorf("with %s: %v", name, err)
		}
	}
	if _, err := b.DecideTogether(t.Context(), b.person("eve"), []string{one.ID, two.ID}, approve); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("by somebody else: %v", err)
	}
	if now, _ := b.Approvals.Get(t.Context(), one.ID); now.State != approval.Pending {
		t.Errorf("before, the first is %s", now.State)
	}
	done, err := b.DecideTogether(t.Context(), b.person("bob"), []string{one.ID, two.ID, one.ID}, approve)
	if err != nil || done[0].Err != nil || done[1].Err != nil || !errors.Is(done[2].Err, approval.ErrAlready) {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := b.Approvals.Spend(t.Context(), call("One", rule)); err != nil {
		t.Error(err)
	}
	if now, _ := b.Approvals.Get(t.Context(), two.ID); now.State != approval.Approved {
		t.Errorf("the second is %s once the first was made", now.State)
	}
}

// AP-05: an operator says for which role, where more than one is missing; and counts once for
// each person that they name.
func TestAP05OperatorsNameRoles(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	r := b.hold(call("Acme", twoFactors), policy.Update)
	for i, step := range [][3]string{
		{"Ann", "", "no: say for which role"}, {"Ann", "lead", "no: that role is not asked for"}, {"Ann", "sales-ops", "pending"},
		{"ann", "security", "already"}, {"Bob", "", "pending"}, {"Cem", "", "approved"},
	} {
		by := approval.Decider{Actor: actor.Operator("root", step[0])}
		if step[1] != "" {
			by.Roles = []string{step[1]}
		}
		if got := b.approve(r.ID, by, step[1]); !strings.HasPrefix(got, step[2]) {
			t.Errorf("step %d, %s for %q: %s", i+1, step[0], step[1], got)
		}
	}
	b.people.roles = nil // of whom an operator named, nobody else knows
	if _, err := b.Approvals.Spend(t.Context(), call("Acme", twoFactors)); err != nil {
		t.Error(err)
	}
}

// AP-18: what a person says to a denial is told as theirs, and is text alone.
func TestAP13ReasonOfADenial(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := policy.Rule{Approvers: "role:security"}
	r := b.hold(call("Acme", rule), policy.Create)
	for _, bad := range []string{strings.Repeat("x", 501), "\xff"} {
		if _, err := b.Decide(t.Context(), b.person("bob"), r.ID, approval.Choice{Reason: bad}); !errors.Is(err, actor.ErrReason) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
	if now, _ := b.Approvals.Get(t.Context(), r.ID); now.State != approval.Pending {
		t.Fatalf("it is %s", now.State)
	}
	denied, err := b.Decide(t.Context(), b.person("bob"), r.ID, approval.Choice{Reason: " No.\n\x1b[31mAsk\u202e the\u200b owner \U000E0041first\x00 "})
	if err != nil || denied.Reason != "No. [31mAsk the owner first" {
		t.Errorf("%q, %v", denied.Reason, err)
	}
	b.f.clock.Add(14*time.Minute + 59*time.Second)
	if met := b.hold(call("Acme", rule), policy.Create); met.ID != r.ID || met.Reason == "" || !met.DeniedUntil.Equal(denied.DecidedAt.Add(15*time.Minute)) {
		t.Errorf("the same call meets %+v", met)
	}
	b.f.clock.Add(time.Second)
	if met := b.hold(call("Acme", rule), policy.Create); met.ID == r.ID {
		t.Errorf("after the pause it meets %+v", met)
	}
}

// An inbox has what somebody may agree to now, and nothing else (AP-05).
func TestAP05Waiting(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	role := policy.Rule{Approvers: "role:security", Escalate: policy.Escalation{After: 10 * time.Minute, To: "role:lead"}}
	both := b.hold(call("Both", twoFactors), policy.Update)
	b.f.clock.Add(time.Second)
	one := b.hold(call("One", role), policy.Update)
	b.f.clock.Add(time.Second)
	own := b.hold(call("Own", policy.Rule{}), policy.Update)
	b.wants(both.ID, [3]string{"bob", "", "pending"})
	b.f.clock.Add(time.Second)
	counter, err := b.Counter(t.Context(), b.person("cem"), b.hold(call("First", role), policy.Update).ID, []byte(`{"body":{"Amount":1,"Name":"Second"}}`))
	if err != nil {
		t.Fatal(err)
	}
	rep := approval.Decider{Actor: actor.User(sim.RepID), Org: "acme", Roles: []string{"security"}}
	waits := func(when string, by approval.Decider, want ...string) {
		t.Helper()
		all, err := b.Waiting(t.Context(), by)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range all {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	waits("ann, who has both roles", b.person("ann"), both.ID, one.ID, counter.ID)
	waits("bob, who agreed to one", b.person("bob"), one.ID, counter.ID)
	waits("cem, who proposed one", b.person("cem"), both.ID, one.ID)
	waits("dee, of another role", b.person("dee"), both.ID)
	waits("eve, before it is escalated", b.person("eve"))
	waits("the requester", rep, own.ID)
	waits("nobody", approval.Decider{})
	waits("an operator", approval.Decider{Actor: actor.Operator("root", "Kim")}, both.ID, one.ID, own.ID, counter.ID)
	b.f.clock.Add(10 * time.Minute)
	waits("eve, afterwards", b.person("eve"), one.ID, counter.ID)
	b.people.err = errors.New("the provider is down")
	if all, err := b.Waiting(t.Context(), b.person("ann")); err == nil {
		t.Errorf("though nobody knows who is who: %+v", all)
	}
}
