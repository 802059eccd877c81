package approval

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/seal"
)

const lifetime = 15 * time.Minute

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) add(d time.Duration) { c.mu.Lock(); c.at = c.at.Add(d); c.mu.Unlock() }

func newStore(t *testing.T) (*Store, *clock) {
	t.Helper()
	dir := t.TempDir()
	if err := seal.CreateKeyFile(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	d := dbtest.Open(t)
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s, err := New(Config{DB: d, Ring: ring, Lifetime: lifetime, Now: c.now, PendingPerConnection: 3, PendingPerUser: 5})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func binding(name string) Binding {
	return Binding{
		Org: "acme", Subject: "005A", ClientID: "chatgpt", Server: "sales", Tool: "createSobjectRecord",
		DefinitionHash: "def", PolicyVersion: "pol", GrantID: "g1", Confirmation: policy.Confirmation{Approvers: policy.Requester},
		Arguments: fmt.Appendf(nil, `{"body":{"Name":%q},"sobject-name":"Account"}`, name),
	}
}

// by is b for these approvers.
func (b Binding) by(approvers policy.Approvers) Binding {
	b.Confirmation.Approvers = approvers
	return b
}

func submit(t *testing.T, s *Store, b Binding) *Request {
	t.Helper()
	r, err := s.Submit(t.Context(), b, "create")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decide(t *testing.T, s *Store, id string, approve bool) {
	t.Helper()
	var err error
	if approve {
		_, err = s.Approve(t.Context(), id, agreed(actor.User("rep")))
	} else {
		_, err = s.Deny(t.Context(), id, actor.User("rep"), "")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// agreed is the decision of the requester.
func agreed(by actor.Actor) Decision { return Decision{By: by, Human: by.String()} }

func state(t *testing.T, s *Store, id string) State {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.State
}

func TestAP01ApproveThenSpendOnce(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	b := binding("Acme")
	r := submit(t, s, b)
	want := &Request{
		ID: r.ID, State: Pending, Binding: b, Class: "create", ArgumentsDigest: Digest(b.Arguments),
		CreatedAt: c.now(), ExpiresAt: c.now().Add(lifetime),
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(r.ID, "apr_") || len(r.ID) < 4+26 {
		t.Errorf("id %q has fewer than 128 bits", r.ID)
	}
	if _, err := s.Spend(t.Context(), b); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spending what is pending: %v", err)
	}
	c.add(time.Minute)
	decide(t, s, r.ID, true)
	c.add(time.Minute)
	spent, err := s.Spend(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	want.State, want.DecidedBy, want.SpentBy = Spent, actor.User("rep"), b.GrantID
	want.DecidedAt, want.SpentAt = c.now().Add(-time.Minute), c.now()
	want.Decisions = []Decision{{By: actor.User("rep"), Human: "user rep", At: want.DecidedAt}}
	if diff := cmp.Diff(want, spent); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Spend(t.Context(), b); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spending twice: %v", err)
	}
}

// An approval fits its own call only, whichever part of the binding differs.
func TestAP02OtherCallDoesNotSpend(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("Acme")
	decide(t, s, submit(t, s, b).ID, true)
	for name, change := range map[string]func(*Binding){
		"arguments":    func(b *Binding) { b.Arguments = binding("Other").Arguments },
		"tool":         func(b *Binding) { b.Tool = "updateSobjectRecord" },
		"server":       func(b *Binding) { b.Server = "support" },
		"client":       func(b *Binding) { b.ClientID = "claude" },
		"org":          func(b *Binding) { b.Org = "other" },
		"user (AP-05)": func(b *Binding) { b.Subject = "005B" },
		"definition":   func(b *Binding) { b.DefinitionHash = "def2" },
		"policy":       func(b *Binding) { b.PolicyVersion = "pol2" },
		"approvers":    func(b *Binding) { *b = b.by("role:a") },
		"sign-in":      func(b *Binding) { b.Confirmation.StepUp = true },
		"escalation": func(b *Binding) {
			b.Confirmation.Escalate = policy.Escalation{After: time.Minute, To: "role:lead"}
		},
		"shifted parts": func(b *Binding) { b.Server, b.Tool = "salesc", "reateSobjectRecord" },
		"value type":    func(b *Binding) { b.Arguments = bytes.ReplaceAll(b.Arguments, []byte(`"Acme"`), []byte(`null`)) },
	} {
		other := b
		change(&other)
		if _, err := s.Spend(t.Context(), other); !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.GrantID = "g2" // the same client, connected again
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Errorf("the approved call itself: %v", err)
	}
}

func TestSubmitNeedsEveryPart(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	for i, b := range []Binding{{}, func() Binding { b := binding("A"); b.PolicyVersion = ""; return b }(), func() Binding { b := binding("A"); b.Arguments = nil; return b }()} {
		if _, err := s.Submit(t.Context(), b, "create"); err == nil {
			t.Errorf("binding %d was taken", i)
		}
		if _, err := s.Spend(t.Context(), b); err == nil || errors.Is(err, ErrNotApproved) {
			t.Errorf("binding %d: spend: %v", i, err)
		}
	}
	if _, err := s.Submit(t.Context(), binding("A").by(""), "create"); err == nil {
		t.Error("a request that nobody may approve was taken")
	}
}

func TestSubmitCollapsesTheSameCall(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	ids := make([]string, 20)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = submit(t, s, binding("Acme")).ID })
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two requests for one call: %s, %s", ids[0], id)
		}
	}
	decide(t, s, ids[0], true)
	if r := submit(t, s, binding("Acme")); r.ID != ids[0] || r.State != Approved {
		t.Errorf("once approved: %s %s", r.ID, r.State)
	}
	if r := submit(t, s, binding("Other")); r.ID == ids[0] {
		t.Error("another call got the same request")
	}
}

func TestAP13FloodAndCoolDown(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	first := submit(t, s, binding("A"))
	submit(t, s, binding("B"))
	submit(t, s, binding("C"))
	if _, err := s.Submit(t.Context(), binding("D"), "create"); !errors.Is(err, ErrTooMany) {
		t.Errorf("the fourth pending request: %v", err)
	}
	if r := submit(t, s, binding("A")); r.ID != first.ID {
		t.Error("a repeat counted as a new request")
	}
	other := binding("D")
	other.Subject = "005B"
	submit(t, s, other)

	decide(t, s, first.ID, false)
	c.add(lifetime - time.Second)
	if r := submit(t, s, binding("A")); r.ID != first.ID || r.State != Denied {
		t.Errorf("after a denial: %s", r.State)
	}
	if _, err := s.Approve(t.Context(), first.ID, agreed(actor.User("rep"))); !errors.Is(err, ErrGone) {
		t.Errorf("approving what was denied: %v", err)
	}
	c.add(time.Second)
	if r := submit(t, s, binding("A")); r.ID == first.ID || r.State != Pending {
		t.Errorf("after the cool-down: %s", r.State)
	}
}

// A repeat of a spent call is answered from the record until a lifetime after it was
// spent, even if it was spent at the last moment.
func TestAnswerFromTheRecord(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	b := binding("Acme")
	r := submit(t, s, b)
	decide(t, s, r.ID, true)
	c.add(lifetime - time.Second)
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if again := submit(t, s, b); again.State != Spent || again.Outcome != "" || again.Result != nil {
		t.Errorf("while it is under way: %+v", again)
	}
	if err := s.Settle(t.Context(), r.ID, Done, []byte(`{"ok":true}`)); err != nil {
		t.Fatal(err)
	}
	c.add(lifetime - time.Second)
	if again := submit(t, s, b); again.ID != r.ID || again.Outcome != Done || string(again.Result) != `{"ok":true}` {
		t.Errorf("after it is done: %+v", again)
	}
	c.add(time.Second)
	if again := submit(t, s, b); again.ID == r.ID || again.State != Pending {
		t.Errorf("after the window: %+v", again)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("Acme")
	r := submit(t, s, b)
	settle := func(o Outcome, result []byte) error { return s.Settle(t.Context(), r.ID, o, result) }
	if err := settle(Done, nil); !errors.Is(err, ErrNotSpent) {
		t.Errorf("settling what is pending: %v", err)
	}
	decide(t, s, r.ID, true)
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := settle("", nil); err == nil {
		t.Error("settled without an outcome")
	}
	if err := settle(Unknown, make([]byte, maxResult+1)); err != nil {
		t.Error(err)
	}
	if err := settle(Done, nil); !errors.Is(err, ErrNotSpent) {
		t.Errorf("settling twice: %v", err)
	}
	if got, _ := s.Get(t.Context(), r.ID); got.Outcome != Unknown || got.Result != nil {
		t.Errorf("outcome %q, %d bytes of result", got.Outcome, len(got.Result))
	}
	if err := s.Settle(t.Context(), "apr_none", Done, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("settling nothing: %v", err)
	}
}

func TestUnspend(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("Acme")
	r := submit(t, s, b)
	decide(t, s, r.ID, true)
	if err := s.Unspend(t.Context(), r.ID); !errors.Is(err, ErrNotSpent) {
		t.Errorf("giving back what was not taken: %v", err)
	}
	spend := func() error { _, err := s.Spend(t.Context(), b); return err }
	if err := errors.Join(spend(), s.Unspend(t.Context(), r.ID), spend()); err != nil {
		t.Fatal(err)
	}
	// The user is revoked while the call is on its way.
	if n, err := s.Void(t.Context(), VoidFilter{Subject: "005A"}, "user revoked"); len(n) != 0 || err != nil {
		t.Errorf("Void = %+v, %v", n, err)
	}
	if err := s.Unspend(t.Context(), r.ID); err != nil || state(t, s, r.ID) != Void {
		t.Errorf("given back after the user was revoked: %s, %v", state(t, s, r.ID), err)
	}
}

func TestAP11Expiry(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	b := binding("Acme")
	pending := submit(t, s, b)
	approved := submit(t, s, binding("Approved"))
	decide(t, s, approved.ID, true)
	c.add(lifetime) // the edge itself is too late
	got, err := s.Approve(t.Context(), pending.ID, agreed(actor.User("rep")))
	if !errors.Is(err, ErrGone) || got == nil || got.State != Expired {
		t.Errorf("approving after expiry: %+v, %v", got, err)
	}
	if _, err := s.Spend(t.Context(), binding("Approved")); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spending after expiry: %v", err)
	}
	if n, err := s.Void(t.Context(), VoidFilter{Org: "acme"}, "x"); len(n) != 0 || err != nil {
		t.Errorf("voided %+v expired requests, %v", n, err)
	}
	if n, err := s.Expire(t.Context()); n != 2 || err != nil {
		t.Errorf("Expire = %d, %v", n, err)
	}
	if n, _ := s.Expire(t.Context()); n != 0 {
		t.Errorf("Expire again = %d", n)
	}
	if fresh := submit(t, s, b); fresh.ID == pending.ID {
		t.Error("the expired request still speaks for its call")
	}
}

// What is over does not stay for ever, and an answer no longer than somebody can get it.
func TestExpireErases(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	spent := submit(t, s, binding("Acme"))
	decide(t, s, spent.ID, true)
	if _, err := s.Spend(t.Context(), binding("Acme")); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), spent.ID, Done, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	expire := func() {
		t.Helper()
		if _, err := s.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.add(lifetime - time.Second)
	expire()
	if r := submit(t, s, binding("Acme")); r.ID != spent.ID || string(r.Result) != `{}` {
		t.Errorf("a repeat in time gets %+v", r)
	}
	c.add(time.Second)
	expire()
	if r, err := s.Get(t.Context(), spent.ID); err != nil || r.Result != nil || r.Outcome != Done {
		t.Errorf("after the time to repeat: %+v, %v", r, err)
	}
	c.add(30 * 24 * time.Hour)
	waits := submit(t, s, binding("Globex"))
	expire()
	if _, err := s.Get(t.Context(), spent.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a month later: %v", err)
	}
	if _, err := s.Get(t.Context(), waits.ID); err != nil {
		t.Error(err)
	}
}

func TestAP12Void(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	mine, other := binding("A"), binding("B")
	other.Subject, other.ClientID, other.GrantID = "005B", "claude", "g9"
	for name, f := range map[string]VoidFilter{
		"user": {Org: "acme", Subject: "005A"}, "client": {ClientID: "chatgpt"}, "grant": {GrantID: "g1"},
	} {
		a, b := submit(t, s, mine), submit(t, s, other)
		decide(t, s, a.ID, true)
		if n, err := s.Void(t.Context(), f, name+" revoked"); len(n) != 1 || err != nil || n[0].ID != a.ID || n[0].Tool != mine.Tool || n[0].GrantID != mine.GrantID || n[0].ArgumentsDigest != a.ArgumentsDigest {
			t.Errorf("%s: Void = %+v, %v", name, n, err)
		}
		if _, err := s.Spend(t.Context(), mine); !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: spending a void approval: %v", name, err)
		}
		got, _ := s.Get(t.Context(), a.ID)
		if got.State != Void || got.Why != name+" revoked" || state(t, s, b.ID) != Pending {
			t.Errorf("%s: %s %q, the other %s", name, got.State, got.Why, state(t, s, b.ID))
		}
	}
	if _, err := s.Void(t.Context(), VoidFilter{}, "x"); err == nil {
		t.Error("an empty selection voided everything")
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if _, err := s.Approve(t.Context(), "apr_none", agreed(actor.User("rep"))); !errors.Is(err, ErrNotFound) {
		t.Errorf("deciding nothing: %v", err)
	}
	r := submit(t, s, binding("A"))
	if _, err := s.Approve(t.Context(), r.ID, agreed(actor.User(""))); err == nil || state(t, s, r.ID) != Pending {
		t.Error("nobody approved")
	}
	decide(t, s, r.ID, true)
	got, err := s.Deny(t.Context(), r.ID, actor.User("late"), "")
	if !errors.Is(err, ErrGone) || got.State != Approved || got.DecidedBy != actor.User("rep") {
		t.Errorf("deciding twice: %+v, %v", got, err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	other := binding("other")
	other.Subject = "005B"
	old := submit(t, s, binding("old"))
	c.add(lifetime)
	denied := submit(t, s, binding("denied"))
	decide(t, s, denied.ID, false)
	c.add(time.Second)
	b := submit(t, s, other)
	for name, c := range map[string]struct {
		filter Filter
		want   []string
	}{
		"all, newest first": {Filter{}, []string{b.ID, denied.ID, old.ID}},
		"user":              {Filter{Org: "acme", Subject: "005A"}, []string{denied.ID, old.ID}},
		"other org":         {Filter{Org: "other"}, nil},
		"pending":           {Filter{State: Pending}, []string{b.ID}},
		"expired by time":   {Filter{State: Expired}, []string{old.ID}},
		"newest":            {Filter{Limit: 1}, []string{b.ID}},
	} {
		list, err := s.List(t.Context(), c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list {
			got = append(got, r.ID)
			if r.Arguments != nil {
				t.Errorf("%s: the list opens arguments", name)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Arguments and results do not lie in the database in the clear.
func TestSealed(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("CANARY")
	r := submit(t, s, b)
	decide(t, s, r.ID, true)
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), r.ID, Done, []byte("CANARY")); err != nil {
		t.Fatal(err)
	}
	var clear int
	if err := s.db.Reads.QueryRowContext(t.Context(),
		`SELECT count(*) FROM approvals WHERE sealed_arguments LIKE '%CANARY%' OR sealed_result LIKE '%CANARY%'`).Scan(&clear); err != nil || clear != 0 {
		t.Errorf("%d rows in the clear, %v", clear, err)
	}
	// Ciphertext that is moved to another request does not open there.
	victim := submit(t, s, binding("victim"))
	if _, err := s.db.Writes.ExecContext(t.Context(),
		`UPDATE approvals SET sealed_arguments = (SELECT sealed_arguments FROM approvals WHERE id = $1) WHERE id = $2`, r.ID, victim.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), victim.ID); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("moved arguments: %v", err)
	}
}

func TestAP12OtherApproverIsAnotherRequest(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	own := submit(t, s, binding("Acme"))
	decide(t, s, own.ID, true)
	role, err := s.Submit(t.Context(), binding("Acme").by("role:approver"), "create")
	if err != nil {
		t.Fatal(err)
	}
	if role.ID == own.ID || role.State != Pending || role.OfRequester() {
		t.Errorf("the role meets %+v", role)
	}
	if _, err := s.Spend(t.Context(), role.Binding); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spending what the requester approved: %v", err)
	}
	if _, err := s.Approve(t.Context(), role.ID, Decision{By: actor.Operator("root", "ann"), Human: "named ann", Factor: "approver", Role: "approver"}); err != nil {
		t.Fatal(err)
	}
	if spent, err := s.Spend(t.Context(), role.Binding); err != nil || spent.ID != role.ID {
		t.Errorf("spending what the role approved: %v", err)
	}
	if _, err := s.Submit(t.Context(), binding("Acme").by("role:"), "create"); err == nil {
		t.Error("a role without a name may approve")
	}
}
